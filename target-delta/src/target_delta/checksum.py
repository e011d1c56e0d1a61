"""One number for rows in any order, by which two sets of rows are compared without keeping either.

Takes tables; gives numbers that are equal for equal rows within one process. Pure. Two sets that differ have the same
number once in 2^64: it finds mistakes, it keeps no adversary out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: spreads neighbours over all bits
_HALF = np.uint64(32)
_NULL = np.uint64(0xA5A5_A5A5_5A5A_5A5A)


def checksum(rows: pa.Table) -> int:
    """Return the sum of the numbers of the rows, modulo 2^64: sums of parts add up to the sum of the whole."""
    return int(row_numbers(rows).sum(dtype=np.uint64))


def row_numbers(rows: pa.Table) -> Numbers:
    """Return a number for every row, made of its values and the order of its columns."""
    total = np.full(rows.num_rows, _ODD, dtype=np.uint64)
    for column in rows.columns:
        total = _mixed(total * _ODD + _numbers(_whole(column)))
    return total


def _numbers(column: pa.Array) -> Numbers:
    """Return a number for every value; -0.0 is 0.0, NaN is NaN, and NULL is nothing else."""
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    return np.where(nulls, _NULL, _mixed(_bits(column)))


def _bits(column: pa.Array) -> Numbers:
    kind = column.type
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
        return np.where(np.isnan(values), np.float64("nan"), values).view(np.uint64)
    if pa.types.is_integer(kind):
        wide = pa.uint64() if pa.types.is_unsigned_integer(kind) else pa.int64()
        return np.asarray(column.cast(wide).fill_null(0).to_numpy(zero_copy_only=False)).view(np.uint64)
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind) or pa.types.is_boolean(kind):
        return _bits(column.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()))
    if pa.types.is_nested(kind):
        return _hashed(map(repr, column.to_pylist()), len(column))
    binary = column.cast(pa.string()) if pa.types.is_decimal(kind) else column
    return _hashed(binary.to_pylist(), len(column))


def _hashed(values: object, count: int) -> Numbers:
    return np.fromiter(map(hash, values), dtype=np.int64, count=count).view(np.uint64)  # type: ignore[call-overload]  # any values


def _mixed(numbers: Numbers) -> Numbers:
    once = (numbers ^ (numbers >> _HALF)) * _ODD
    return once ^ (once >> _HALF)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    one = column.combine_chunks()
    if isinstance(one, pa.ChunkedArray):  # nothing in it, or more text than one array holds
        return pa.concat_arrays(one.chunks) if one.num_chunks else pa.array([], one.type)
    return one
