"""Finds values in a decoded body by JSONPath: the plain dotted paths fast, every other path by jsonpath-ng.

Takes a path and a body; gives values. Refuses a path that is no JSONPath, when the rows are loaded.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = re.compile(r"\$?(\.?[\w-]+(\.[\w-]+)*)?(\[\*\])?")
MISSING: Any = object()
"""What `first` returns for a path that leads nowhere; None is a value that JSON can hold."""


def first(path: str, body: Any) -> Any:
    """Return the first value at a path, or MISSING."""
    found = matches(path)(body)
    return found[0] if found else MISSING


def value(path: str, body: Any) -> Any:
    """Return the first value at a path, or None where there is none."""
    found = matches(path)(body)
    return found[0] if found else None


def records(path: str, body: Any) -> list[Any] | None:
    """Return the records at a path, a list being opened, or None where the path leads nowhere."""
    stem = path.removesuffix("[*]")
    found = matches(stem)(body)
    if not found:
        return None
    opened: list[Any] = []
    for one in found:
        opened.extend(one if isinstance(one, list) else [] if one is None else [one])
    return opened


@cache
def matches(path: str) -> Callable[[Any], list[Any]]:
    """Return the function that lists the values at a path; SettingsError where the path is no JSONPath."""
    if _PLAIN.fullmatch(path):
        return _dotted(path)
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse

    try:
        compiled = parse(path)
    except JSONPathError as error:
        raise SettingsError("this is no JSONPath", path=path, remedy="write it like $.data[*]") from error
    return lambda body: [match.value for match in compiled.find(body)]


def _dotted(path: str) -> Callable[[Any], list[Any]]:
    names = [name for name in path.removesuffix("[*]").removeprefix("$").split(".") if name]
    opened = path.endswith("[*]")

    def find(body: Any) -> list[Any]:
        for name in names:
            if not isinstance(body, dict) or name not in body:
                return []
            body = body[name]
        return body if opened and isinstance(body, list) else [body]

    return find
