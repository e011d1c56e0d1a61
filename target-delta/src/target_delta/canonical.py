"""One text for every value, by which it is hashed: the same however wide the column is that holds it.

Takes a column of scalars; gives its texts. Pure. NULL for what has no value: NULL, an empty text, NaN, infinities.

A number is its digits without an exponent and without zeros behind the point; a day is `2024-02-29`, and so is the
midnight that it becomes when its column is widened; an instant is in UTC. Bytes are hexadecimal.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

_MIDNIGHT = r"T00:00:00\.000000$"
_SPARE_ZEROS = r"(\.[0-9]*?)0+$"


def canonical(column: pa.Array) -> pa.StringArray:
    """Return the text of each value, or NULL. TypeError for a type that holds no single value."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column.cast(pa.string())
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_decimal(kind):
        return each(column, _plain)
    if pa.types.is_floating(kind):
        return each(column.cast(pa.float64()), _of_float)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return each(column, lambda value: value.hex() or None)
    raise TypeError(f"a column of type {kind} has no one text a value")


def each(column: pa.Array, text: Callable[[Any], str | None]) -> pa.StringArray:
    """Return the text of each value, which is asked for once a distinct value; NULL stays NULL."""
    coded = column.dictionary_encode()
    known = pa.array([text(value) for value in coded.dictionary.to_pylist()], pa.string())
    return known.take(coded.indices)


def _plain(value: Decimal) -> str:
    digits = f"{value:f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits == "-0" else digits


def _of_float(value: float) -> str | None:
    return _plain(Decimal(repr(value))) if math.isfinite(value) else None


def _times(column: pa.Array) -> pa.StringArray:
    numbers = column.cast(pa.timestamp("us")).cast(pa.int64())
    instants = numbers.fill_null(0).to_numpy(zero_copy_only=False).view("datetime64[us]")
    texts = pa.array(np.datetime_as_string(instants), pa.string())
    texts = pc.replace_substring_regex(pc.replace_substring_regex(texts, _MIDNIGHT, ""), _SPARE_ZEROS, r"\1")
    return pc.if_else(column.is_valid(), pc.utf8_rtrim(texts, "."), pa.scalar(None, pa.string()))
