"""Which values of an array a column of another type takes, each as it would take it from a record.

Takes arrays and types; gives the values that fit, NULL in the place of the others, and which those are. Pure. No value
changes: a day is its midnight, 1.0 is 1, and everything else fits or does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from singerkit.errors import SafetyStopError
from target_delta.canonical import canonical
from target_delta.columns import Column
from target_delta.conform import fit
from target_delta.exact import NULL, RefusedError, reader
from target_delta.jsontext import json_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_delta.columns import Kind

_KINDS: Sequence[tuple[Callable[[pa.DataType], bool], Kind]] = (
    (pt.is_integer, "integer"),
    (pt.is_decimal, "decimal"),
    (pt.is_floating, "double"),
    (pt.is_boolean, "boolean"),
    (pt.is_date, "date"),
    (lambda kind: pt.is_timestamp(kind) and kind.tz is not None, "instant"),
    (pt.is_timestamp, "local"),
)


def fitting(array: pa.Array, to: pa.DataType) -> tuple[pa.Array, pa.BooleanArray]:
    """Return the values as the other type has them, and which of them it does not have."""
    if not has_more(array.type, to):
        try:
            return fit(array, to, ""), pa.repeat(pa.scalar(False), len(array))  # noqa: FBT003  # pyarrow's own
        except SafetyStopError:
            pass
    values = _nested(array, to) if pt.is_nested(to) else _scalars(array, to)
    return values, pc.and_(array.is_valid(), values.is_null())


def has_more(kind: pa.DataType, than: pa.DataType) -> bool:
    """Return whether objects of the one type have fields that those of the other have not, at any depth."""
    if pt.is_struct(kind) and pt.is_struct(than):
        known = {field.name: field.type for field in than.fields}
        return any(field.name not in known or has_more(field.type, known[field.name]) for field in kind.fields)
    return pt.is_list(kind) and pt.is_list(than) and has_more(kind.value_type, than.value_type)


def _scalars(array: pa.Array, to: pa.DataType) -> pa.Array:
    kind = next((kind for check, kind in _KINDS if check(to)), None)
    if kind is None or pt.is_nested(array.type) or _is_other_time(array.type, to):
        return pa.nulls(len(array), to)
    coded = array.dictionary_encode()
    read = reader(Column("", kind, to))
    known = pa.array([_read(read, text) for text in json_texts(coded.dictionary).to_pylist()], to)
    if pt.is_floating(to) and pt.is_decimal(array.type):  # declared digits stay, or do not fit
        known = pc.if_else(pc.equal(canonical(known), canonical(coded.dictionary)), known, pa.scalar(None, to))
    return known.take(coded.indices)


def _is_other_time(kind: pa.DataType, to: pa.DataType) -> bool:
    """Return whether one is an instant and the other a time of no zone."""
    return bool(pt.is_timestamp(kind) and pt.is_timestamp(to) and (kind.tz is None) != (to.tz is None))


def _read(read: Callable[[bytes], Any], text: str) -> Any:
    try:
        return None if text.encode() == NULL else read(text.encode())  # JSON knows no NaN
    except RefusedError:
        return None


def _nested(array: pa.Array, to: pa.DataType) -> pa.Array:
    return pa.concat_arrays([_one(array.slice(place, 1), to) for place in range(len(array))] or [pa.nulls(0, to)])


def _one(value: pa.Array, to: pa.DataType) -> pa.Array:
    """Return an array of one value, or of NULL where it does not fit, or says what the type has no field for."""
    if _says_more(value[0].as_py(), to):
        return pa.nulls(1, to)
    try:
        return fit(value, to, "")
    except SafetyStopError:
        return pa.nulls(1, to)


def _says_more(value: Any, than: pa.DataType) -> bool:
    if isinstance(value, dict) and pt.is_struct(than):
        known = {field.name: field.type for field in than.fields}
        return any(
            inner is not None and (name not in known or _says_more(inner, known[name])) for name, inner in value.items()
        )
    return isinstance(value, list) and pt.is_list(than) and any(_says_more(one, than.value_type) for one in value)
