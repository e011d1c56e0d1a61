"""A column of a table as one array.

Takes a column in chunks; gives its values. Pure.
"""

from __future__ import annotations

import pyarrow as pa


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return all values of a column, also of one without chunks."""
    one = column.combine_chunks()
    if isinstance(one, pa.ChunkedArray):  # nothing in it, or more text than one array holds
        return pa.concat_arrays(one.chunks) if one.num_chunks else pa.array([], one.type)
    return one
