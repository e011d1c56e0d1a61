"""Rows that come again: known by the digest of all their values, each left out as often as it is there already.

Takes tables of one schema; gives which rows are new. Pure. Two rows are the same where every column that the tap
filled is; a digest has 128 bits, so that two different rows of a table never meet.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.arrays import whole
from target_delta.metadata import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Lanes = NDArray[np.uint64]

_DIGEST = pa.binary(16)
_SEEDS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)  # one a lane, odd
_NULL = np.array([0x27D4EB2F165667C5, 0x165667B19E3779F9], dtype=np.uint64)
_PASSING = ("progress_markers", "replication_key_signpost", "starting_replication_value")
"""What singer-sdk keeps in a bookmark during a run alone: the next run starts without it."""


def mark(bookmark: Any) -> str:
    """Return by what a bookmark is known again when the next run starts from it; an empty one is none."""
    lasting = bookmark
    if isinstance(bookmark, dict):
        lasting = {name: value for name, value in bookmark.items() if name not in _PASSING} or None
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:24]


class Repeats:
    """Rows that a table holds and that a tap may send again."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        counted = pc.value_counts(pa.chunked_array([digests(table) for table in tables], _DIGEST))
        self._known = counted.field("values")
        self._left = counted.field("counts").to_numpy(zero_copy_only=False).copy()
        self.rows = int(self._left.sum())
        """How many may still come."""

    def are_new(self, table: pa.Table) -> NDArray[np.bool_]:
        """Return which rows are not known; a known one is left out as often as it is known, and passes from then on."""
        keep = np.ones(table.num_rows, dtype=bool)
        if not self.rows:
            return keep
        places = pc.index_in(digests(table), value_set=self._known).fill_null(-1).to_numpy(zero_copy_only=False)
        again = np.flatnonzero(places >= 0)
        order = again[np.argsort(places[again], kind="stable")]
        codes = places[order]
        first = np.searchsorted(codes, codes)  # where the rows of the same digest begin
        out = order[np.arange(len(codes)) - first < self._left[codes]]
        np.subtract.at(self._left, places[out], 1)
        self.rows -= len(out)
        keep[out] = False
        return keep


def digests(table: pa.Table) -> pa.Array:
    """Return one digest a row over all columns but those that say when and by which run a row was read."""
    total = np.tile(_SEEDS, (table.num_rows, 1))
    for column in table.schema:
        if column.name not in COLUMNS.names:
            total = _mixed(total * _SEEDS + _lanes(whole(table[column.name])))
    return pa.FixedSizeBinaryArray.from_buffers(
        _DIGEST, table.num_rows, [None, pa.py_buffer(np.ascontiguousarray(total))]
    )


def _lanes(column: pa.Array) -> Lanes:
    """Return two numbers a value, equal where the values are."""
    if pa.types.is_floating(column.type):
        numbers = column.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
        lanes = _mixed(numbers[:, None] + _SEEDS)
    elif (width := _width(column.type)) is not None:
        numbers = column.view(width).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
        lanes = _mixed(numbers[:, None] + _SEEDS)
    else:
        coded = _encoded(column)
        known = np.frombuffer(b"".join(map(_digest, coded.dictionary.to_pylist())) or bytes(16), dtype=np.uint64)
        lanes = known.reshape(-1, 2)[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    return np.where(column.is_null().to_numpy(zero_copy_only=False)[:, None], _NULL, lanes)


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    if pa.types.is_nested(column.type) or pa.types.is_decimal(column.type):
        column = pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
    return column.dictionary_encode()


def _digest(value: Any) -> bytes:
    content = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).digest()


def _width(kind: pa.DataType) -> pa.DataType | None:
    """Return the integer type of the same width for what is stored as an integer, else None."""
    if pa.types.is_integer(kind):
        return kind
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return pa.int32() if kind.bit_width == 32 else pa.int64()
    return None


def _mixed(numbers: Lanes) -> Lanes:
    """Return numbers of which every bit depends on every bit (the finish of splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
