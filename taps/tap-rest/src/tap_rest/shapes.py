"""What JSON values look like: a schema that all of them fit. Pure.

Takes records; gives a JSON Schema. Refuses nothing: what differs from record to record may be either.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_DATE_LENGTH = 10  # 2024-01-31


def schema_of(records: Sequence[Mapping[str, Any]], keys: Collection[str] = ()) -> dict[str, Any]:
    """Return a schema that all records fit; everything but keys may be null."""
    names = dict.fromkeys(name for record in records for name in record)
    properties = {name: property_of([record.get(name) for record in records]) for name in names}
    for name in keys:
        if name in properties:
            properties[name]["type"] = [kind for kind in properties[name]["type"] if kind != "null"]
    return {"properties": properties}


def property_of(values: Iterable[Any]) -> dict[str, Any]:
    """Return the schema of one property that all values fit."""
    given = [value for value in values if value is not None]
    kinds = {_kind(value) for value in given}
    if {"integer", "number"} <= kinds:
        kinds.remove("integer")
    prop: dict[str, Any] = {"type": [*sorted(kinds or {"string"}), "null"]}
    if kinds == {"string"} and (form := format_of(given)):
        prop["format"] = form
    if "object" in kinds:
        inner = schema_of([value for value in given if isinstance(value, dict)])
        prop |= inner if inner["properties"] else {}
    if "array" in kinds:
        items = [item for value in given if isinstance(value, list) for item in value]
        prop["items"] = property_of(items) if items else {}
    return prop


def format_of(values: Sequence[str]) -> str | None:
    """Return date or date-time where every text is one, else None."""
    if not values:
        return None
    if all(len(value) == _DATE_LENGTH and _reads(date.fromisoformat, value) for value in values):
        return "date"
    if all(len(value) > _DATE_LENGTH and "-" in value and _reads(datetime.fromisoformat, value) for value in values):
        return "date-time"
    return None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds: dict[type, str] = {int: "integer", float: "number", Decimal: "number", dict: "object", list: "array"}
    return kinds.get(type(value), "string")


def _reads(read: Any, value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
