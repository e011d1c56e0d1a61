"""Modules that singer-sdk imports and our plugins hardly ever call: imported when somebody calls them.

Takes nothing; gives stand-ins in `sys.modules` for what is not imported yet. Without them half the time of `--help`
goes into modules that no plugin uses.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

LATE = (
    "joblib",  # drains singer-sdk's sinks in parallel, which target-delta has none of; imports numpy, multiprocessing
    "upath",  # singer-sdk's own batch files; imports fsspec
)


class _Later(ModuleType):
    """Stands for a module of which others take functions and classes by name, to call them later, if ever."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*given: Any, **named: Any) -> Any:
            return getattr(_real(self), name)(*given, **named)

        return call


def postpone() -> None:
    """Let the next import of each of these modules cost nothing; for the start of an executable."""
    for name in LATE:
        if name not in sys.modules and (spec := find_spec(name)) is not None:
            stand_in = _Later(name)
            stand_in.__spec__, stand_in.__path__ = spec, spec.submodule_search_locations or []
            sys.modules[name] = stand_in


def _real(stand_in: _Later) -> ModuleType:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
    return importlib.import_module(stand_in.__name__)
