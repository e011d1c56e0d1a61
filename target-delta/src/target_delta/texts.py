"""Arrow values -> the texts that stand for them in a column of texts.

Takes an array of any type; gives one text a row. Pure. NULL stays NULL, and no text is empty but an empty text.

Numbers are their digits without an exponent; instants end in `Z`; bytes are base64, objects and arrays JSON.
"""

from __future__ import annotations

import binascii
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from target_delta.canonical import canonical, each
from target_delta.jsontext import json_texts

_SPARE_ZEROS = r"\.?0+$"
STEADY = (pt.is_integer, pt.is_decimal, pt.is_boolean, pt.is_date, pt.is_string)
"""Types whose values have the same canonical text in a column of texts: partitions that follow from them stay."""


def texts(array: pa.Array) -> pa.StringArray:
    """Return the text of each value."""
    kind = array.type
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return array.cast(pa.string())
    if pt.is_nested(kind):
        return json_texts(array)
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return each(array, lambda value: binascii.b2a_base64(value, newline=False).decode())
    if pt.is_timestamp(kind):
        return _times(array)
    if pt.is_floating(kind):
        return pc.coalesce(canonical(array), each(array.cast(pa.float64()), _name))
    return canonical(array)


def _name(value: float) -> str | None:
    """Return the name of what is no number."""
    if math.isnan(value):
        return "NaN"
    return ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else None


def _times(array: pa.TimestampArray) -> pa.StringArray:
    micros = array.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    written = pa.array(np.datetime_as_string(micros.view("datetime64[us]")), pa.string())
    seconds, fraction = pc.utf8_slice_codeunits(written, 0, -7), pc.utf8_slice_codeunits(written, -7)
    plain = pc.binary_join_element_wise(seconds, pc.replace_substring_regex(fraction, _SPARE_ZEROS, ""), "")
    zoned = pc.binary_join_element_wise(plain, "Z", "") if array.type.tz else plain
    return pc.if_else(array.is_valid(), zoned, pa.scalar(None, pa.string()))
