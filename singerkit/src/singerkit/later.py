"""Modules that singer-sdk imports and our plugins hardly ever use: imported when somebody uses them.

Takes nothing; gives stand-ins in `sys.modules` for what is not imported yet. Without them more than half the time of
`--help` goes into modules that no plugin of ours uses.
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
    "singer_sdk.streams.rest",  # a class a stream; singerkit.rest has rows. Imports requests, backoff, asyncio
    "singer_sdk.streams.graphql",  # the same
    "singer_sdk.schema.source",  # schemas from files and addresses; imports requests
)


class _Later(ModuleType):
    """Stands for a module of which others take functions and classes by name, to use them later, if ever."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(self, name)


class _Name:
    """Stands for a function or class of such a module: to call it, to derive from it, to ask for it imports it."""

    def __init__(self, module: _Later, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *given: Any, **named: Any) -> Any:
        return getattr(_real(self._module), self._name)(*given, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_real(self._module), self._name), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (getattr(_real(self._module), self._name),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, getattr(_real(self._module), self._name))


def postpone() -> None:
    """Let the next import of each of these modules cost nothing; for the start of an executable."""
    for name in LATE:
        if name not in sys.modules and (spec := find_spec(name.partition(".")[0])) is not None:
            stand_in = _Later(name)
            if "." not in name:  # the spec of a module inside a package cannot be had without importing the package
                stand_in.__spec__, stand_in.__path__ = spec, spec.submodule_search_locations or []
            sys.modules[name] = stand_in


def _real(stand_in: _Later) -> ModuleType:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
    return importlib.import_module(stand_in.__name__)
