"""Properties of records that no column takes, since their SCHEMA does not declare them: by name, never by value.

Takes lines and columns; gives the names, with a dot between an object and its property. Refuses nothing: a line that
is no record has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_delta.columns import Column

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])


def undeclared(lines: Iterable[bytes], columns: Sequence[Column], *, bare: bool) -> tuple[str, ...]:
    """Return the names in the order in which they first come; with `bare=True` a line is a record without envelope."""
    names: dict[str, None] = {}
    for line in lines:
        try:
            record = line if bare else bytes(_OBJECT.decode(line)["record"])
            names.update(dict.fromkeys(_within(record, columns, "")))
        except (KeyError, ValueError, RecursionError, msgspec.MsgspecError):
            continue
    return tuple(names)


def _within(text: bytes, columns: Sequence[Column], path: str) -> Iterator[str]:
    known: Mapping[str, Column] = {column.source: column for column in columns}
    for name, value in _OBJECT.decode(text).items():
        if name in known:
            yield from _below(bytes(value), known[name], f"{path}{name}.")
        else:
            yield f"{path}{name}"


def _below(text: bytes, column: Column, path: str) -> Iterator[str]:
    match column.kind, text[:1]:
        case "struct", b"{":
            yield from _within(text, column.children, path)
        case "list", b"[":
            values: list[Any] = _LIST.decode(text)
            for value in values:
                yield from _below(bytes(value), column.children[0], path)
