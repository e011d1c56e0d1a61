"""Which partitions a new table gets: those of the settings, of the tap's hint, or those that its columns suggest.

Takes a schema and what the settings say of the stream; gives a decision with its reason. Pure. Refuses by name the
columns that change, and what a mode cannot read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from target_delta.partition import COLUMN, FORMATS, Partitioning
from target_delta.partitioning import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_delta.columns import Kind
    from target_delta.schema import StreamSchema

    Said = Mapping[str, Any]

HINT = "x-partition"
CREATED = frozenset({"created_at", "inserted_at", "createdat"})
"""Columns, in lower case, that by their name say when a row was made."""
_CHANGES = re.compile(
    r"updated|modified|changed|last_?(seen|login|used|activity)|(^|_)(status|state)(_|$)|^_sdc_", re.IGNORECASE
)
_TIMES: Sequence[Kind] = ("instant", "local", "date")
_READABLE: Mapping[str, Sequence[Kind]] = {
    "md5": (*_TIMES, "integer", "decimal", "double", "boolean", "string", "scalar", "binary"),
    "numerical": ("integer", "decimal", "double", "string", "scalar"),
    "datetime": (*_TIMES, "integer", "string"),
    "column": ("integer", "boolean", "string", "date"),
}
"""Which columns a mode can read."""


def wanted(schema: StreamSchema, said: Said) -> Wanted:
    """Return what the settings say of a stream, or under `auto` what its hint and its columns suggest."""
    immutable = bool(said.get("immutable"))
    if said["mode"] == "auto":
        return _suggested(schema, immutable=immutable)
    if said["mode"] == "none":
        return Wanted(Partitioning(), "set", said)
    chosen = _partitioning(said, schema, like=_hint(schema))
    if why := _unfit(chosen, schema, immutable=immutable):
        raise SettingsError(
            f"the partitions that are set cannot be made: {why}", remedy="correct partitioning", stream=schema.stream
        )
    return Wanted(chosen, "set", said, immutable)


def _suggested(schema: StreamSchema, *, immutable: bool) -> Wanted:
    hint = _hint(schema)
    why = "neither a hint of the tap nor the columns suggest partitions"
    immutable = immutable or hint.get("immutable") is True
    if hint:
        if hint.get("count") == 1 and hint["mode"] == "md5":
            return Wanted(Partitioning(), "the tap says that one part is enough")
        chosen = _partitioning(hint, schema)
        unfit = _unfit(chosen, schema, immutable=immutable)
        if unfit is None:
            return Wanted(chosen, f"the tap's {HINT}", immutable=immutable)
        why = f"the tap's {HINT} is of no use: {unfit}"
    for column in schema.columns:
        chosen = Partitioning("datetime", (column.name,), format="month")
        if column.name.lower() in CREATED and column.kind in _TIMES and not _unfit(chosen, schema, immutable=immutable):
            return Wanted(chosen, f"{column.name} says when a row was made", immutable=immutable)
    return Wanted(Partitioning(), why)


def _hint(schema: StreamSchema) -> Said:
    """Return the tap's hint, its mode by the first rule that its numbers allow, or nothing."""
    hint = schema.hints.get(HINT)
    if not isinstance(hint, dict) or not isinstance(hint.get("keys") or [], list):
        return {}
    if hint.get("mode") == "auto":
        sized = hint.get("size") and len(hint.get("keys") or schema.keys) == 1
        return {**hint, "mode": "md5" if hint.get("count") else "numerical" if sized else "datetime"}
    return hint if hint.get("mode") in ("md5", "numerical", "datetime") else {}


def _partitioning(said: Said, schema: StreamSchema, like: Said | None = None) -> Partitioning:
    """Return a Partitioning of what is said, completed by a hint of the same mode."""
    known = like if like and like.get("mode") == said["mode"] else {}
    merged = {**known, **{name: value for name, value in said.items() if value is not None}}
    mode, keys = said["mode"], tuple(merged.get("keys") or ())
    if not keys and mode in {"md5", "numerical"}:
        keys = schema.keys
    return Partitioning(
        mode,
        keys,
        count=merged.get("count") if mode == "md5" else None,
        size=merged.get("size") if mode == "numerical" else None,
        format=(merged.get("format") or "month") if mode == "datetime" else None,
    )


def _unfit(chosen: Partitioning, schema: StreamSchema, *, immutable: bool) -> str | None:
    """Return why a table cannot have these partitions, or None where it can."""
    return (
        _missing(chosen)
        or _unreadable(chosen, {column.name: column.kind for column in schema.columns})
        or _changing(chosen, schema, immutable=immutable)
    )


def _missing(chosen: Partitioning) -> str | None:
    """Return what the mode needs and nobody said, or what was said twice."""
    if not chosen.keys or (len(chosen.keys) > 1 and chosen.mode in {"numerical", "datetime"}):
        return f"{chosen.mode} needs {'keys' if chosen.mode in {'md5', 'column'} else 'one key'}"
    if chosen.mode == "column" and len({*chosen.keys}) < len(chosen.keys):
        return "a column is named twice"
    for mode, name, value in (("md5", "count", chosen.count), ("numerical", "size", chosen.size)):
        if chosen.mode == mode and not (isinstance(value, int) and value > 0):
            return f"{mode} needs a {name}"
    return f"there is no format {chosen.format}" if chosen.format not in (None, *FORMATS) else None


def _unreadable(chosen: Partitioning, kinds: Mapping[str, Kind]) -> str | None:
    """Return which column is not there, or holds what the mode cannot read."""
    for key in chosen.keys:
        if key not in kinds:
            return f"the SCHEMA has no column {key}"
        if kinds[key] not in _READABLE[chosen.mode]:
            return f"{chosen.mode} cannot read the column {key}, a {kinds[key]}"
    if chosen.is_derived and COLUMN in kinds:
        return f"the SCHEMA has a column {COLUMN} of its own"
    if chosen.mode == "column" and len(chosen.keys) == len(kinds):
        return "a table needs a column beside those of its partitions"
    return None


def _changing(chosen: Partitioning, schema: StreamSchema, *, immutable: bool) -> str | None:
    """Return which column changes in the life of a row; a key never does, and rows without a key are never changed."""
    for key in chosen.keys if schema.keys else ():
        if key not in schema.keys and _CHANGES.search(key):
            return f"{key} is a column that changes: its rows would move between partitions"
        if key not in schema.keys and key in schema.bookmarks and not immutable:
            return f"{key} is the bookmark, which changes with its row unless it is declared immutable"
    return None
