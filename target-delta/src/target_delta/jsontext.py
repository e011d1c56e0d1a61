"""Arrow values -> their JSON text, for columns that hold JSON.

Takes an array of any type; gives a column of text, one JSON value a row. Refuses what JSON cannot say.
"""

from __future__ import annotations

import msgspec
import pyarrow as pa

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def json_texts(array: pa.Array) -> pa.StringArray:
    """Return each value's JSON text; NULL stays NULL. Decimals keep every digit, dates and times are ISO 8601."""
    values = array.to_pylist(maps_as_pydicts="strict")
    return pa.array([None if value is None else _ENCODER.encode(value).decode() for value in values], pa.string())
