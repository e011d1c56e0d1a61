"""The words of a manifest: what the rows' own types say, so that reader, reference and editor schema never disagree.

Takes a row type; gives its words with type, default and meaning. Pure: everything is read from the classes.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from functools import cache
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from singerkit.rest import auth, bookmarks, endpoint, message, pages, retry, rules, tokens

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Manifest(endpoint.Source):
    """A source and its endpoints: what `tap-rest` reads from its settings or from a file."""

    defaults: MappingType[str, Any] = dataclasses.field(default_factory=dict)
    """Words that every endpoint has unless it says otherwise."""
    endpoints: tuple[endpoint.Endpoint, ...] = ()
    """The rows, one a stream."""

    @property
    def source(self) -> endpoint.Source:
        """The source alone."""
        return endpoint.Source(**{part.name: getattr(self, part.name) for part in dataclasses.fields(endpoint.Source)})


@dataclass(frozen=True)
class Word:
    """One word of a row: what it may hold, what it is when it is not said, and what it means."""

    name: str
    kind: Any
    required: bool
    default: Any
    meaning: str


CHOICES: MappingType[type, tuple[str, MappingType[str, type]]] = {
    pages.Pages: ("style", pages.styles()),
    auth.Auth: ("method", {method.method: method for method in tokens.METHODS}),
}
"""Types of which a manifest names one: by which word, and the names."""

ROWS: tuple[type, ...] = (
    Manifest,
    endpoint.Endpoint,
    bookmarks.Bookmark,
    endpoint.Parent,
    endpoint.Inside,
    endpoint.Condition,
    rules.Rule,
    endpoint.Window,
    endpoint.Partition,
    retry.Policy,
)
"""The row types, in the order of the reference."""

_NAMES = {
    name: value
    for room in (message, pages, auth, tokens, retry, rules, bookmarks, endpoint)
    for name, value in vars(room).items()
    if not name.startswith("_")
} | {"Mapping": MappingType, "Any": Any, "Literal": Literal}


@cache
def words(row: type) -> tuple[Word, ...]:
    """Return the words of a row type, in the order of its definition."""
    hints = typing.get_type_hints(row, localns=_NAMES)
    meanings = _meanings(row)
    return tuple(
        Word(part.name.rstrip("_"), hints[part.name], _required(part), _default(part), meanings.get(part.name, ""))
        for part in dataclasses.fields(row)
    )


def sentence(row: type) -> str:
    """Return what a row type is: the first paragraph of its docstring."""
    return " ".join(dedent(inspect.getdoc(row) or "").split("\n\n")[0].split())


def field_name(row: type, word: str) -> str:
    """Return the name of the field behind a word: `is` is a word, but no name in Python."""
    return word if word in {part.name for part in dataclasses.fields(row)} else word + "_"


def spelled(kind: Any) -> str:
    """Return a type in words for the reference: `list of text`, `number`, `one of asc, desc`."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in CHOICES:
        return f"an object with `{CHOICES[kind][0]}`"
    made_of: dict[Any, Callable[[tuple[Any, ...]], str]] = {
        Literal: lambda args: "one of " + ", ".join(str(arg) for arg in args),
        tuple: lambda args: f"list of {spelled(args[0])}",
        MappingType: lambda args: f"object of {spelled(args[1])}",
        Union: lambda args: spelled(next(arg for arg in args if arg is not type(None))),
    }
    origin = Union if get_origin(kind) is types.UnionType else get_origin(kind)
    return made_of[origin](get_args(kind)) if origin in made_of else f"{kind.__name__.lower()}"


def json_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type, for editors."""
    if kind in CHOICES:
        word, names = CHOICES[kind]
        return {"anyOf": [_object(row, {word: {"const": name}}) for name, row in names.items()]}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _object(kind, {})
    made_of: dict[Any, Callable[[tuple[Any, ...]], dict[str, Any]]] = {
        Literal: lambda args: {"enum": list(args)},
        tuple: lambda args: {"type": "array", "items": json_schema(args[0])},
        MappingType: lambda args: {"type": "object", "additionalProperties": json_schema(args[1])},
        Union: lambda args: {"anyOf": [json_schema(arg) for arg in args]},
    }
    origin = Union if get_origin(kind) is types.UnionType else get_origin(kind)
    if origin in made_of:
        return made_of[origin](get_args(kind))
    return {"type": _JSON[kind]} if kind in _JSON else {}


_PLAIN = {str: "text", int: "integer", float: "number", bool: "yes or no", Any: "anything"}
_JSON = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _object(row: type, first: dict[str, Any]) -> dict[str, Any]:
    known = words(row)
    properties = first | {one.name: json_schema(one.kind) | {"description": one.meaning} for one in known}
    required = [*first, *(one.name for one in known if one.required)]
    more = {"required": required} if required else {}
    return {
        "type": "object",
        "description": sentence(row),
        "properties": properties,
        "additionalProperties": False,
        **more,
    }


def _required(part: dataclasses.Field[Any]) -> bool:
    return part.default is dataclasses.MISSING and part.default_factory is dataclasses.MISSING


def _default(part: dataclasses.Field[Any]) -> Any:
    if part.default_factory is not dataclasses.MISSING:
        return part.default_factory()
    return None if part.default is dataclasses.MISSING else part.default


def _meanings(row: type) -> dict[str, str]:
    """Return the docstring below each field; those of the classes above too."""
    found: dict[str, str] = {}
    for cls in reversed(row.__mro__):
        if dataclasses.is_dataclass(cls):
            found |= _meanings_in(cls)
    return found


def _meanings_in(cls: type) -> dict[str, str]:
    tree = ast.parse(dedent(inspect.getsource(cls)))
    body = tree.body[0].body  # type: ignore[attr-defined]  # the source of a class is a class
    found = {}
    for statement, following in itertools.pairwise(body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found
