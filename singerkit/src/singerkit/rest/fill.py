"""Fills the `{names}` of a row with settings and with a parent's values. Pure.

Takes any value of a row; gives the same with its texts filled. Refuses a name that nothing fills.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, urljoin

from singerkit.errors import SettingsError
from singerkit.rest.message import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.rest.endpoint import Endpoint, Source

T = TypeVar("T")

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FULL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def names(value: Any) -> Iterator[str]:
    """Yield the names that a row's value asks for."""
    if isinstance(value, str):
        yield from _NAME.findall(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from names(inner)
    elif dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            yield from names(getattr(value, part.name))


def filled(value: T, values: Mapping[str, Any], *, optional: bool = False) -> T:
    """Return the value with its texts filled; a text that is one name becomes that value, with its own type.

    `optional` leaves out members of objects whose only name has no value.
    """
    result: Any = value
    if isinstance(value, str):
        whole = _NAME.fullmatch(value)
        result = values.get(whole[1]) if whole else _NAME.sub(lambda name: _text(name[1], values), value)
    elif isinstance(value, dict):
        members = {name: filled(inner, values, optional=optional) for name, inner in value.items()}
        result = {name: inner for name, inner in members.items() if not optional or inner is not None}
    elif isinstance(value, list | tuple):
        result = type(value)(filled(inner, values, optional=optional) for inner in value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: _part(part, getattr(value, part.name), values) for part in dataclasses.fields(value)}
        result = dataclasses.replace(value, **parts)
    return cast("T", result)


def first_request(endpoint: Endpoint, source: Source, values: Mapping[str, Any]) -> Request:
    """Return the request for the first page of a walk, before anything is said about bookmarks."""
    path = _NAME.sub(lambda name: quote(_text(name[1], values), safe=""), endpoint.path)
    below = f"./{path.lstrip('/')}"  # else `users:list` is an address of its own, with the scheme `users`
    url = path if _FULL.match(path) else urljoin(source.base_url.rstrip("/") + "/", below)
    request = Request(
        endpoint.method,
        url.rstrip("/") if not endpoint.path else url,
        params=filled(dict(endpoint.params), values, optional=True),
        body=filled(endpoint.body, values, optional=True),
        headers=filled(dict(endpoint.headers), values, optional=True),
    )
    return endpoint.pages.first(request)


def _part(part: dataclasses.Field[Any], value: Any, values: Mapping[str, Any]) -> Any:
    """Return a field filled; one that has a default falls back to it where its setting is unset."""
    made = filled(value, values)
    if made is None and value is not None:
        return _text(value[1:-1], values) if part.default is dataclasses.MISSING else part.default
    return made


def _text(name: str, values: Mapping[str, Any]) -> str:
    if values.get(name) is None:
        raise SettingsError("a row needs a value that nothing gives", name=name, remedy=f"set {name} in the settings")
    return str(values[name])
