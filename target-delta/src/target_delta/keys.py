"""Keys of rows, compared exactly and without a Python object a row.

Takes tables and the names of their key columns; gives positions. NULL never equals anything, and does not reach here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.arrays import whole
from target_delta.lookup import Lookup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

_MOST_CODES = 1 << 62


def last_rows(table: pa.Table, keys: Sequence[str]) -> Codes:
    """Return the positions of the last row of every key, ascending; a row with NULL in a key equals no other."""
    if any(table[key].null_count for key in keys):
        return _last_of_keyed(table, keys)
    if len(keys) == 1 and (numbers := _numbers(table, keys[0])) is not None and _differ(numbers):
        return np.arange(table.num_rows)
    codes, distinct = group_numbers(table, keys)
    if distinct >= table.num_rows:
        return np.arange(table.num_rows)
    last = np.zeros(distinct, dtype=np.int64)
    last[codes] = np.arange(table.num_rows)  # NumPy assigns in order: the last one stays
    last.sort()
    return last


def keyed(table: pa.Table, keys: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows have a value in every key."""
    known = np.ones(table.num_rows, dtype=bool)
    for key in keys:
        known &= table[key].is_valid().to_numpy()
    return known


def _last_of_keyed(table: pa.Table, keys: Sequence[str]) -> Codes:
    """Return the positions of all rows with NULL in a key, and of the last row of every other key."""
    known = keyed(table, keys)
    last = last_rows(table.filter(pa.array(known)), keys)
    return np.sort(np.concatenate([np.flatnonzero(~known), np.flatnonzero(known)[last]]))


def last_per_key(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the table with the last row of every key, in the order of the rows that stay."""
    last = last_rows(table, keys)
    return table if len(last) == table.num_rows else table.take(pa.array(last))


class Ascending:
    """Whether the keys of rows that come piece by piece rise strictly from the first row to the last: none repeats."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self.holds = bool(self.keys)
        self._last: pa.Table | None = None

    def add(self, table: pa.Table) -> None:
        """Look at the rows that follow those before."""
        if not self.holds or not table.num_rows:
            return
        keys = table.select(self.keys)
        whole = keys if self._last is None else pa.concat_tables([self._last, keys])
        self.holds = bool(pc.all(_rises(whole.slice(1), whole.slice(0, whole.num_rows - 1)), min_count=0).as_py())
        self._last = keys.slice(keys.num_rows - 1)


class KeySet:
    """The unique keys of a batch, to be found again in other tables."""

    def __init__(self, table: pa.Table, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self.rows = table.num_rows
        alone = len(self.keys) == 1  # the values of a single unique key are distinct, and number themselves
        columns = [_column(table, key) for key in self.keys]
        self._values = [Lookup(column if alone else pc.unique(column)) for column in columns]
        self._compact: dict[int, Codes] = {}
        """Before which key column the numbers are numbered anew: the product of all would not fit 64 bits."""
        self._codes = None if alone else Lookup(pa.array(self._encode(table)))

    def positions(self, table: pa.Table) -> pa.Array:
        """Return for every row of the table the position of its key in this set, or NULL."""
        if self._codes is None:
            return self._values[0].positions(_column(table, self.keys[0]))
        return self._codes.positions(pa.array(self._encode(table)))

    def values(self, key: str) -> pa.Array:
        """Return the distinct values of one key column."""
        return self._values[self.keys.index(key)].values

    def _encode(self, table: pa.Table) -> Codes:
        """Return one number a row that is equal where all key columns are, and -1 where one of them is unknown here."""
        total: Codes = np.zeros(table.num_rows, dtype=np.int64)
        known, size = np.ones(table.num_rows, dtype=bool), 1
        for place, (key, values) in enumerate(zip(self.keys, self._values, strict=True)):
            if size * len(values) > _MOST_CODES:
                if place not in self._compact:  # the first table is the set itself
                    self._compact[place] = np.unique(total)
                total, found = _among(total, self._compact[place])
                known &= found
                size = len(self._compact[place])
            index = values.positions(_column(table, key))
            known &= index.is_valid().to_numpy(zero_copy_only=False)
            total = total * len(values) + index.fill_null(0).to_numpy(zero_copy_only=False)
            size *= len(values)
        return np.where(known, total, -1)


def _among(codes: Codes, known: Codes) -> tuple[Codes, NDArray[np.bool_]]:
    """Return the place of every code among sorted ones, and whether it is there."""
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return places, known[places] == codes


def _rises(later: pa.Table, earlier: pa.Table) -> pa.ChunkedArray:
    """Return for every row whether its key is greater than that of the row beside it, column after column."""
    rises = None
    for after, before in zip(reversed(later.columns), reversed(earlier.columns), strict=True):
        greater = pc.greater(after, before)
        rises = greater if rises is None else pc.or_(greater, pc.and_(pc.equal(after, before), rises))
    return rises


def _numbers(table: pa.Table, key: str) -> Codes | None:
    """Return a key column as numbers that are equal where the keys are, if its type is a number of a fixed size."""
    kind = table.schema.field(key).type
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return np.asarray(table[key].cast(pa.int64()).to_numpy())
    return None


def _differ(numbers: Codes) -> bool:
    ordered = np.sort(numbers)
    return not bool((ordered[1:] == ordered[:-1]).any())


def group_numbers(table: pa.Table, keys: Sequence[str]) -> tuple[Codes, int]:
    """Return numbers from 0 that are equal where the keys are, and how many there are."""
    codes: Codes = np.zeros(table.num_rows, dtype=np.int64)
    distinct = 1
    for key in keys:
        coded = _column(table, key).dictionary_encode()
        size = max(1, len(coded.dictionary))
        if distinct * size > _MOST_CODES:
            codes, distinct = _compact(codes)
        codes = codes * size + coded.indices.to_numpy(zero_copy_only=False)
        distinct *= size
    if len(keys) > 1:
        codes, distinct = _compact(codes)
    return codes, distinct


def _compact(codes: Codes) -> tuple[Codes, int]:
    values, inverse = np.unique(codes, return_inverse=True)
    return inverse.astype(np.int64), len(values)


def _column(table: pa.Table, key: str) -> pa.Array:
    column = whole(table[key])
    return pc.add(column, 0.0) if pa.types.is_floating(column.type) else column  # -0.0 and 0.0 are one key
