"""Columns -> the typed decoder of their JSON object, and its values -> Arrow, many rows at once.

Takes columns; gives a msgspec type and a function from decoded objects to arrays. Refuses whatever it cannot vouch
for with a ValueError or OverflowError: such rows are then read one by one (exact.py), which accepts or explains them.
"""

from __future__ import annotations

import binascii
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw
from msgspec.structs import astuple

from target_delta import temporal
from target_delta.exact import NULL, awkward, not_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_delta.columns import Column

    Build = Callable[[Sequence[Any]], pa.Array]

# Arrow casts these texts to decimals rightly or not at all. Without a word, a text of more digits can wrap around
# (39 nines become a negative number), and one with an exponent can lose its value (1e-94 becomes 0).
_CAST_EXACTLY = r"^[+-]?[0-9.]{1,38}$"


def record_type(columns: Sequence[Column], *, strict: bool = False) -> type[msgspec.Struct] | None:
    """Return the struct that decodes an object with these columns, or None where a name has no place in a struct.

    A strict one refuses a property that is no column. Field i is column i; absent and null are both None, or the
    text `null` where the JSON text itself is kept.
    """
    if any(awkward(name) for column in columns for name in _names(column)):
        return None
    fields = [(f"f{index}", *_field(column, strict=strict)) for index, column in enumerate(columns)]
    rename = {f"f{index}": column.source for index, column in enumerate(columns)}
    return msgspec.defstruct("Record", fields, rename=rename, gc=False, forbid_unknown_fields=strict)


def arrays_of(columns: Sequence[Column]) -> Callable[[Sequence[msgspec.Struct]], list[pa.Array]]:
    """Return the function from objects that `record_type` decoded to one array a column."""
    builds = [_BUILDS.get(column.kind, _plain)(column) for column in columns]

    def build(objects: Sequence[msgspec.Struct]) -> list[pa.Array]:
        values = zip(*map(astuple, objects), strict=True) if objects else [()] * len(columns)
        return [one(column) for one, column in zip(builds, values, strict=True)]

    return build


def from_text(texts: pa.StringArray, column: Column) -> pa.Array:
    """Return the array of a column whose values stand in texts, as a JSON string would hold them."""
    return _FROM_TEXT[column.kind](texts, column.type)


def _names(column: Column) -> list[str]:
    return [column.source, *(name for child in column.children for name in _names(child))]


def _field(column: Column, *, strict: bool) -> tuple[Any, Any]:
    """Return the type that admits exactly what the column admits, and the value of an absent property."""
    match column.kind:
        case "decimal" | "json" | "scalar":
            return Raw, Raw(NULL)
        case "struct":
            return record_type(column.children, strict=strict) | None, None  # type: ignore[operator]  # awkward names ended above
        case "list":
            return list[_field(column.children[0], strict=strict)[0]] | None, None  # type: ignore[misc]  # a type made at run time
        case _:
            return _VALUES.get(column.kind, str | None), None


def _plain(column: Column) -> Build:
    return lambda values: pa.array(values, column.type)


def _doubles(_: Column) -> Build:
    def build(values: Sequence[Any]) -> pa.Array:
        try:
            array = pa.array(values, pa.float64())  # refuses a text, and an integer that is no double
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.array([_named(value) for value in values], pa.float64())
        if np.isinf(array.to_numpy(zero_copy_only=False)).any():  # a fifth of what Arrow's own min_max costs a block
            raise ValueError("a literal beyond the largest double")
        return array

    return build


def _named(value: float | str | None) -> float | None:
    """Return a number, also one that JSON can only name."""
    if isinstance(value, str):
        return not_finite(value)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("a literal beyond the largest double")
    return value


def _written(column: Column) -> Build:
    return lambda values: from_text(pa.array(values, pa.string()), column)


def _decimal_literals(column: Column) -> Build:
    return lambda values: from_text(pc.utf8_trim(_texts(values), '"'), column)


def _json(_: Column) -> Build:
    return _texts


def _scalars(_: Column) -> Build:
    def build(values: Sequence[Any]) -> pa.Array:
        texts = _texts(values)
        if pc.any(pc.match_substring_regex(texts, r'^["\[{]')).as_py():
            raise ValueError("strings must be unescaped, objects and arrays refused")
        return texts

    return build


def _structs(column: Column) -> Build:
    build_children, fields = arrays_of(column.children), list(column.type)
    nothing = (record_type(column.children) or msgspec.Struct)()

    def build(values: Sequence[Any]) -> pa.Array:
        try:
            return pa.StructArray.from_arrays(build_children(values), fields=fields)
        except TypeError:  # None is no struct; looking for it first would cost every block what few need
            mask = pa.array([value is None for value in values])
            values = [nothing if value is None else value for value in values]
            return pa.StructArray.from_arrays(build_children(values), fields=fields, mask=mask)

    return build


def _lists(column: Column) -> Build:
    element = column.children[0]
    build_elements = _BUILDS.get(element.kind, _plain)(element)

    def build(values: Sequence[Any]) -> pa.Array:
        if values.count(None) == len(values):  # the usual case of `_sdc_omitted`
            return pa.nulls(len(values), column.type)
        lengths = pa.array([len(value) if value else 0 for value in values], pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        elements = build_elements(list(chain.from_iterable(value for value in values if value)))
        mask = pa.array([value is None for value in values]) if None in values else None
        return pa.ListArray.from_arrays(offsets, elements, type=column.type, mask=mask)

    return build


def _texts(values: Sequence[Any]) -> pa.StringArray:
    texts = pa.array(list(map(bytes, values)), pa.binary()).cast(pa.string())  # refuses what is not UTF-8
    return pc.if_else(pc.equal(texts, NULL.decode()), None, texts)


def _decimals(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    if not pc.all(pc.match_substring_regex(texts, _CAST_EXACTLY), min_count=0).as_py():
        raise ValueError("perhaps not cast exactly in bulk")
    return texts.cast(kind)


def _bytes(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    values = [None if text is None else binascii.a2b_base64(text, strict_mode=True) for text in texts.to_pylist()]
    return pa.array(values, kind)


_VALUES: Mapping[str, Any] = {
    "integer": int | None,  # 1.0 is one too, but so would 1.00000000000000000001 be, once it is a float
    "double": int | float | str | None,  # integers apart, since a large one may not be a double
    "boolean": bool | None,
}
_BUILDS: Mapping[str, Callable[[Column], Build]] = {
    "double": _doubles, "decimal": _decimal_literals, "json": _json, "scalar": _scalars, "struct": _structs,
    "list": _lists, "instant": _written, "local": _written, "date": _written, "binary": _written,
}  # fmt: skip
_FROM_TEXT: Mapping[str, Callable[[pa.StringArray, pa.DataType], pa.Array]] = {
    "instant": lambda texts, _: temporal.instants(texts),
    "local": lambda texts, _: temporal.locals_(texts),
    "date": lambda texts, _: temporal.days(texts),
    "binary": _bytes,
    "decimal": _decimals,
}
