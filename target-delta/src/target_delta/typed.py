"""Columns -> the typed decoder of their JSON object, and its values -> Arrow, many rows at once.

Takes columns; gives a msgspec type and a function from decoded values to an array. Refuses whatever it cannot vouch
for with a ValueError or OverflowError: such rows are then read one by one (exact.py), which accepts or explains them.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from target_delta import temporal
from target_delta.columns import Column
from target_delta.exact import NULL, awkward

Values = Sequence[Any]
Build = Callable[[Values], pa.Array]

_SAFE_DIGITS = 38  # a longer text can overflow inside Arrow's cast, which then wraps around without a word


def record_type(columns: Sequence[Column]) -> type[msgspec.Struct] | None:
    """Return the struct that decodes an object with these columns, or None where a name has no place in a struct.

    Field `f<i>` is column i. Absent and null are both None.
    """
    if any(awkward(name) for column in columns for name in _names(column)):
        return None
    fields = [(f"f{index}", *_annotation(column)) for index, column in enumerate(columns)]
    rename = {f"f{index}": column.name for index, column in enumerate(columns)}
    return msgspec.defstruct("Record", fields, rename=rename, gc=False)


def builders(columns: Sequence[Column]) -> list[Build]:
    """Return, for each column, the function from decoded objects to the column's array."""
    return [_from_field(f"f{index}", build(column)) for index, column in enumerate(columns)]


def build(column: Column) -> Build:
    """Return the function from a column's decoded values to its array."""
    match column.kind:
        case "double":
            return _doubles
        case "struct":
            return _structs(column)
        case "list":
            return _lists(column)
        case "json":
            return _texts
        case "scalar":
            return _scalars
        case "decimal":
            return lambda values: from_text(pc.utf8_trim(_texts(values), '"'), column)
        case "instant" | "local" | "date" | "binary":
            return lambda values: from_text(pa.array(values, pa.string()), column)
        case _:
            return lambda values: pa.array(values, column.type)


def from_text(texts: pa.StringArray, column: Column) -> pa.Array:
    """Return the array of a column whose values stand in texts, as a JSON string would hold them."""
    match column.kind:
        case "instant":
            return temporal.instants(texts)
        case "local":
            return temporal.locals_(texts)
        case "date":
            return temporal.days(texts)
        case "binary":
            return pa.array([text and binascii.a2b_base64(text, strict_mode=True) for text in texts.to_pylist()], column.type)
        case _:
            return _decimals(texts, column.type)


def _names(column: Column) -> list[str]:
    return [column.name, *(name for child in column.children for name in _names(child))]


def _annotation(column: Column) -> tuple[Any, Any]:
    """Return the type that admits exactly what the column admits, and the value of an absent property."""
    match column.kind:
        case "integer":
            return int | None, None
        case "double":
            return int | float | None, None  # apart, since a large integer may not be a double
        case "boolean":
            return bool | None, None
        case "decimal" | "json" | "scalar":
            return Raw, Raw(NULL)
        case "struct":
            return record_type(column.children) | None, None  # type: ignore[operator]  # awkward names ended above
        case "list":
            return list[_annotation(column.children[0])[0]] | None, None  # type: ignore[misc]  # a type made at run time
        case _:
            return str | None, None


def _from_field(field: str, build_column: Build) -> Build:
    get = attrgetter(field)
    return lambda objects: build_column(list(map(get, objects)))


def _doubles(values: Values) -> pa.Array:
    array = pa.array(values, pa.float64())  # refuses an integer that is no double
    bounds = pc.min_max(array)
    if bounds["max"].as_py() == float("inf") or bounds["min"].as_py() == float("-inf"):
        raise ValueError("a literal beyond the largest double")
    return array


def _texts(values: Values) -> pa.StringArray:
    texts = pa.array(list(map(bytes, values)), pa.binary()).cast(pa.string())  # refuses what is not UTF-8
    return pc.if_else(pc.equal(texts, NULL.decode()), None, texts)


def _scalars(values: Values) -> pa.StringArray:
    texts = _texts(values)
    if pc.any(pc.match_substring_regex(texts, r'["\[{]')).as_py():
        raise ValueError("strings must be unescaped, objects and arrays refused")
    return texts


def _decimals(texts: pa.StringArray, kind: pa.Decimal128Type) -> pa.Array:
    longest = pc.max(pc.binary_length(texts)).as_py()
    if longest is not None and longest > _SAFE_DIGITS:
        raise ValueError("too long to be cast in bulk")
    return texts.cast(kind)


def _structs(column: Column) -> Build:
    struct = record_type(column.children)
    children, fields = builders(column.children), list(column.type)

    def build_structs(values: Values) -> pa.Array:
        mask = None
        if None in values:
            nothing = struct() if struct else None
            mask = pa.array([value is None for value in values])
            values = [nothing if value is None else value for value in values]
        return pa.StructArray.from_arrays([child(values) for child in children], fields=fields, mask=mask)

    return build_structs


def _lists(column: Column) -> Build:
    build_element = build(column.children[0])

    def build_lists(values: Values) -> pa.Array:
        if values.count(None) == len(values):
            return pa.nulls(len(values), column.type)
        lengths = pa.array([len(value) if value else 0 for value in values], pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        elements = build_element(list(chain.from_iterable(value for value in values if value)))
        mask = pa.array([value is None for value in values]) if None in values else None
        return pa.ListArray.from_arrays(offsets, elements, type=column.type, mask=mask)

    return build_lists
