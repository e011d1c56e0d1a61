"""Which live files of a table may hold one of some keys: by their partition, and by the bounds of their keys.

Takes a snapshot and rows that are unique by key; gives files. Reads none of them. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.keys import KeySet
from target_delta.partition import NULL
from target_delta.parts import parts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from target_delta.parts import Values
    from target_delta.snapshot import LiveFile, Snapshot

_UNKNOWN = (None, NULL)
"""What a partition column holds where the row does not say it: the key may have been elsewhere before."""
_ROUNDED = timedelta(milliseconds=1)
"""Spark cuts the greatest instant of a file to whole milliseconds, so that it lies below its own rows."""


@dataclass(frozen=True)
class Pruning:
    """What an upsert knows of where its keys can be."""

    keys: Sequence[str]
    immutable: bool = False
    """Whether it is promised that no key ever changes its partition."""

    def candidates(self, snapshot: Snapshot, rows: pa.Table, wanted: KeySet) -> list[LiveFile]:
        """Return the live files that may hold one of the keys, in the order of their first key.

        1. The partition follows from the keys: only the partitions of the rows can hold them.
        2. It is declared immutable: only those, and those of rows that say nothing; a row that comes without a
           partition may have any, and its key is looked for everywhere.
        3. Else a key may have been in any partition, and statistics alone decide.
        """
        columns = snapshot.partition_by
        if columns and set(snapshot.partitioning.keys) <= set(self.keys):
            return _within(snapshot, wanted, {values for values, _ in parts(rows, columns)})  # 1
        if not columns or not self.immutable:
            return _within(snapshot, wanted)  # 3
        placed = dict(parts(rows, columns))
        silent = {values for file in snapshot.files if _is_unknown(values := values_of(file, snapshot))}
        lost = [at.to_numpy() for values, at in placed.items() if _is_unknown(values)]
        found = _within(snapshot, wanted, {*placed, *silent})
        if lost:
            some = rows.select(self.keys).take(pa.array(np.concatenate(lost)))
            found += [file for file in _within(snapshot, KeySet(some, self.keys)) if file not in found]
        return found  # 2


def values_of(file: LiveFile, snapshot: Snapshot) -> Values:
    """Return the partition of a file."""
    return tuple(file.partition[column] for column in snapshot.partition_by)


def _is_unknown(values: Values) -> bool:
    return any(value in _UNKNOWN for value in values)


def _within(snapshot: Snapshot, wanted: KeySet, partitions: Collection[Values] | None = None) -> list[LiveFile]:
    """Return the files of some partitions, or of all, whose statistics allow one of the keys."""
    ranges = [_Ranges(*bounds, wanted.values(key)) for key in wanted.keys if (bounds := _bounds(snapshot, key))]
    chosen = [
        place
        for place, file in enumerate(snapshot.files)
        if (partitions is None or values_of(file, snapshot) in partitions) and all(r.may_hold(place) for r in ranges)
    ]
    if ranges:
        chosen.sort(key=ranges[0].order)
    return [snapshot.files[place] for place in chosen]


def _bounds(snapshot: Snapshot, key: str) -> tuple[list[Any], list[Any]] | None:
    """Return the least and greatest values of a key column, file by file; a partition column has one value a file."""
    names = [f"partition.{key}"] * 2 if key in snapshot.partition_by else [f"min.{key}", f"max.{key}"]
    is_within = key.partition(".")[0] in snapshot.schema.names and "." in key  # or of the field of a struct?
    if is_within or not set(names) <= set(snapshot.actions.column_names):
        return None
    return snapshot.actions[names[0]].to_pylist(), snapshot.actions[names[1]].to_pylist()


class _Ranges:
    """The bounds of one key column in every live file, beside the values that are looked for."""

    def __init__(self, low: list[Any], high: list[Any], values: pa.Array) -> None:
        self.low = low
        self.high = high
        self.values = _Sorted(values)

    def may_hold(self, place: int) -> bool:
        """Return whether a value that is looked for lies within the bounds of the file, or the bounds are unknown."""
        low, high = self.low[place], self.high[place]
        if low is None or high is None:
            return True
        first = bisect_left(self.values, low)
        if first == len(self.values):
            return False
        value = self.values[first]
        return value - high < _ROUNDED if isinstance(high, datetime) else bool(value <= high)

    def order(self, place: int) -> tuple[bool, Any]:
        """Return what files are ordered by: unknown bounds come last."""
        low = self.low[place]
        return low is None, 0 if low is None else low


class _Sorted:
    """Sorted values of a column; only those that a search looks at become Python values."""

    def __init__(self, values: pa.Array) -> None:
        self.values = values.take(pc.array_sort_indices(values))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> Any:
        return self.values[place].as_py()
