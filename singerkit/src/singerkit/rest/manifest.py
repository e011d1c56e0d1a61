"""A manifest to rows: plain data, read by the rows' own types, with every mistake at once and the line it is on.

Takes YAML, JSON, or an object from settings; gives a Manifest. Refuses unknown names by naming the known ones.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping as MappingType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import yaml

from singerkit.errors import SettingsError
from singerkit.rest.words import CHOICES, Manifest, field_name, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Place = tuple[str | int, ...]

_BAD: Any = object()
"""Stands for a value that could not be read; its mistake is noted."""


def read_file(path: Path) -> Manifest:
    """Return the manifest in a YAML or JSON file, or every mistake in it with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the manifest cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise SettingsError("the manifest is no text in UTF-8", path=path, byte=error.start) from error
    try:
        data, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SettingsError(f"the manifest is no YAML: {error.problem}", path=path, line=line) from error
    except yaml.reader.ReaderError as error:
        raise SettingsError(f"the manifest is no YAML: {error.reason}", path=path, character=error.position) from error
    lines = dict(_lines(tree, ())) if tree else {}
    return read(data, where=str(path), line_of=lambda place: _line_of(lines, place))


def read(data: Any, *, where: str, line_of: Callable[[Place], int | None] = lambda place: None) -> Manifest:  # noqa: ARG005  # settings have no lines
    """Return the manifest that plain data describes, or raise one error with every mistake."""
    reader = _Reader()
    if isinstance(data, dict) and isinstance(defaults := data.get("defaults"), dict):
        rows = data.get("endpoints")
        data = data | {"endpoints": [_with(defaults, row) for row in rows] if isinstance(rows, list) else rows}
    found = reader.row(Manifest, data, ())
    if reader.mistakes:
        said = [_said(place, what, line_of(place)) for place, what in reader.mistakes]
        remedy = "all words: docs/reference/rest-endpoints.md"
        raise SettingsError("the manifest cannot be used: " + "; ".join(said), path=where, remedy=remedy)
    return found  # type: ignore[no-any-return]  # no mistakes: a Manifest


class _Reader:
    """Reads data by types and notes mistakes as it goes, so that all of them are said at once."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[Place, str]] = []

    def wrong(self, place: Place, what: str) -> Any:
        """Note a mistake."""
        self.mistakes.append((place, what))
        return _BAD

    def value(self, kind: Any, data: Any, place: Place) -> Any:
        """Return data as a value of a type."""
        if kind is Any:
            return data
        if kind in CHOICES:
            return self.choice(kind, data, place)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return self.row(kind, data, place)
        return self.made_of(get_origin(kind), get_args(kind), kind, data, place)

    def made_of(self, origin: Any, args: tuple[Any, ...], kind: Any, data: Any, place: Place) -> Any:
        """Return data as a value of a type that is made of others, or of a plain one."""
        if origin in (Union, types.UnionType):
            inner = next(arg for arg in args if arg is not type(None))
            return None if data is None else self.value(inner, data, place)
        if origin is Literal:
            return data if data in args else self.wrong(place, f"{data} is unknown{_near(str(data), map(str, args))}")
        if origin is tuple:
            return self.many(args[0], data, place)
        if origin is MappingType:
            return self.members(args[1], data, place)
        return self.plain(kind, data, place)

    def plain(self, kind: type, data: Any, place: Place) -> Any:
        """Return a text, a number or a truth value."""
        fits = isinstance(data, kind) or (kind is float and isinstance(data, int))
        if fits and not (isinstance(data, bool) and kind is not bool):
            return data
        return self.wrong(place, f"must be {_KINDS[kind]}")

    def many(self, kind: Any, data: Any, place: Place) -> Any:
        """Return a list."""
        if not isinstance(data, list):
            return self.wrong(place, "must be a list")
        return tuple(self.value(kind, one, (*place, number)) for number, one in enumerate(data))

    def members(self, kind: Any, data: Any, place: Place) -> Any:
        """Return an object whose names are free."""
        if not isinstance(data, dict):
            return self.wrong(place, "must be an object")
        return {str(name): self.value(kind, one, (*place, name)) for name, one in data.items()}

    def choice(self, kind: type, data: Any, place: Place) -> Any:
        """Return one of several row types, named by a word."""
        word, names = CHOICES[kind]
        if not isinstance(data, dict) or word not in data:
            return self.wrong(place, f"must be an object with {word}: one of {', '.join(names)}")
        if data[word] not in names:
            return self.wrong((*place, word), f"{data[word]} is unknown{_near(str(data[word]), names)}")
        rest = {name: one for name, one in data.items() if name != word}
        return self.row(names[data[word]], rest, place)

    def row(self, kind: type, data: Any, place: Place) -> Any:
        """Return a row: every word known, every required one there."""
        if not isinstance(data, dict):
            return self.wrong(place, "must be an object")
        known = {one.name: one for one in words(kind)}
        for name in data:
            if name not in known:
                self.wrong((*place, name), f"unknown{_near(str(name), known)}")
        for one in known.values():
            if one.required and one.name not in data:
                self.wrong(place, f"{one.name} is missing")
        before = len(self.mistakes)
        values = {
            field_name(kind, name): self.value(known[name].kind, one, (*place, name))
            for name, one in data.items()
            if name in known
        }
        missing = any(one.required and one.name not in data for one in known.values())
        return _BAD if missing or len(self.mistakes) > before else kind(**values)


_KINDS: Mapping[type, str] = {str: "text", int: "an integer", float: "a number", bool: "true or false"}


def _with(defaults: Mapping[str, Any], row: Any) -> Any:
    return {**defaults, **row} if isinstance(row, dict) else row


def _said(place: Place, what: str, line: int | None) -> str:
    path = ".".join(str(part) for part in place) or "manifest"
    return f"line {line}: {path}: {what}" if line else f"{path}: {what}"


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f", did you mean {near[0]}?" if near else f" (known: {', '.join(names)})"


def _lines(node: yaml.Node, place: Place) -> Iterable[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for name, inner in node.value:
            yield (*place, name.value), name.start_mark.line + 1
            for at, line in _lines(inner, (*place, name.value)):
                if at != (*place, name.value):
                    yield at, line
    elif isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            yield from _lines(inner, (*place, number))


def _line_of(lines: Mapping[Place, int], place: Place) -> int | None:
    """Return the line of a place, or of the nearest place above it that has one."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place)
