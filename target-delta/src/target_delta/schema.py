"""A SCHEMA message -> the Arrow schema of its stream.

Takes the message; gives a frozen StreamSchema. Refuses a schema without properties, names that Delta cannot tell
apart, and keys that are not there or cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from singerkit.errors import SafetyStopError
from target_delta.columns import Column, Nested, column, told_apart
from target_delta.conform import conform, evolve

_UNCOMPARABLE = frozenset({"struct", "list", "json"})


@dataclass(frozen=True)
class StreamSchema:
    """What a SCHEMA message says of a stream: its columns, its key, and the hints (`x-...`) that travel with it."""

    stream: str
    arrow: pa.Schema
    keys: tuple[str, ...]
    hints: Mapping[str, Any] = field(compare=False)
    columns: tuple[Column, ...]
    bookmarks: tuple[str, ...] = ()


def stream_schema(message: Mapping[str, Any], *, nested: Nested = "struct") -> StreamSchema:
    """Return the schema of a SCHEMA message; with `nested="json"` objects and arrays are JSON text.

    `_sdc_*` properties are ordinary columns. Words that it does not know are left to others.
    """
    stream, document = str(message["stream"]), message.get("schema")
    properties = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(properties, Mapping) or not properties:
        raise SafetyStopError(
            "the SCHEMA has no properties", remedy="a stream needs one column at least", stream=stream
        )
    keys, bookmarks = (_names(stream, message, word) for word in ("key_properties", "bookmark_properties"))
    said = [column(name, node, document, nested) for name, node in properties.items()]
    columns = told_apart(said, [*keys, *bookmarks, *_listed(document.get("x-version-keys"))])
    _check_names(stream, columns)
    _check_keys(stream, keys, columns)
    hints = {word: value for word, value in document.items() if word.startswith("x-")}
    arrow = pa.schema([one.field for one in columns])
    return StreamSchema(stream, arrow, keys, hints, columns, bookmarks)


def _names(stream: str, message: Mapping[str, Any], word: str) -> tuple[str, ...]:
    """Return the names of properties that a message lists, each once; none where it says nothing."""
    listed = message.get(word) or []
    if not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
        raise SafetyStopError(f"{word} is no list of names", remedy="correct the tap", stream=stream)
    return tuple(dict.fromkeys(listed))


def _listed(hint: object) -> Sequence[str]:
    """Return names that a hint says, alone or as a list."""
    return (
        [hint]
        if isinstance(hint, str)
        else [name for name in hint if isinstance(name, str)]
        if isinstance(hint, list)
        else []
    )


def _check_names(stream: str, columns: Iterable[Column], within: str = "") -> None:
    """Refuse empty names: no reader of Delta can say them."""
    for one in columns:
        path = f"{within}{one.name}"
        if not one.name:
            raise SafetyStopError(
                "a column has an empty name", remedy="name it in the tap", stream=stream, within=within
            )
        if one.kind == "struct" or (one.kind == "list" and one.children[0].kind in {"struct", "list"}):
            _check_names(stream, one.children, f"{path}.")


def _check_keys(stream: str, keys: Iterable[str], columns: Iterable[Column]) -> None:
    kinds = {one.name: one.kind for one in columns}
    for key in keys:
        if key not in kinds:
            raise SafetyStopError(
                "a key property is not in the SCHEMA, or differs from another by case or encoding only",
                remedy="select it in the tap, or rename one (stream_maps can do it)", stream=stream, key=key,
            )  # fmt: skip
        if kinds[key] in _UNCOMPARABLE:
            raise SafetyStopError(
                f"a key property is a {kinds[key]}, which has no one way to be equal",
                remedy="choose scalar key properties", stream=stream, key=key,
            )  # fmt: skip


__all__ = ["StreamSchema", "conform", "evolve", "stream_schema"]
