"""Which files an upsert touches, and what stands in their place.

Takes a snapshot and rows that are unique by key; gives new data files and the live files they replace. Commits nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from target_delta.files import ROW_GROUP_ROWS, DataFile, FileWriter
from target_delta.keys import KeySet
from target_delta.schema import conform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from target_delta.files import Layout
    from target_delta.store import Store
    from target_delta.table import LiveFile, Snapshot


@dataclass(frozen=True)
class Change:
    """What one commit does: files that come, files that go, or all of them where `replaces` is true.

    `reusable` means that the files that come do not depend on the snapshot: another try may commit them again.
    """

    adds: Sequence[DataFile]
    removes: Sequence[LiveFile] = ()
    replaces: bool = False
    reusable: bool = False
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass
class _Hit:
    """A live file that holds affected keys: which of its rows, and where the rows that replace them stand."""

    file: LiveFile
    mask: pa.Array
    replaced_by: NDArray[np.int64]


def _always() -> None:
    """Go on."""


@dataclass(frozen=True)
class Upsert:
    """Rows that are unique by key, on their way into a table."""

    store: Store
    rows: pa.Table
    keys: Sequence[str]
    layout: Layout
    alive: Callable[[], None] = field(default=_always)
    """Called between files and row groups; raises where the run was told to stop."""

    def plan(self, snapshot: Snapshot) -> Change:
        """Write the files that take the place of every file that holds an affected key, and one for what is new.

        1. Leave out the files whose statistics say that they hold none of the keys.
        2. Read the key columns of the others; without a hit the rows are an append.
        3. Write each hit file again without its affected rows, followed by the rows that replace them.
        4. Write the rows whose key was in no file.
        """
        wanted = KeySet(self.rows, self.keys)
        hits = [hit for file in candidates(snapshot, wanted) if (hit := self._look(file, snapshot, wanted))]  # 1, 2
        placed = np.zeros(self.rows.num_rows, dtype=bool)
        with FileWriter(self.store, snapshot.schema, self.keys, self.layout) as writer:
            for hit in hits:  # 3
                self._rewrite(hit, snapshot, placed, writer)
            writer.write(self.rows.filter(pa.array(~placed)) if hits else self.rows)  # 4
            adds = writer.finish()
        updated = int(placed.sum())
        return Change(adds, [hit.file for hit in hits], inserted=self.rows.num_rows - updated, updated=updated)

    def _look(self, file: LiveFile, snapshot: Snapshot, wanted: KeySet) -> _Hit | None:
        self.alive()
        found = [wanted.positions(batch) for batch in read(self.store, file, snapshot.schema, self.keys)]
        positions = pa.chunked_array(found, pa.int32()) if found else pa.chunked_array([], pa.int32())
        replaced_by = positions.drop_null().to_numpy().astype(np.int64)
        return _Hit(file, positions.is_valid(), np.unique(replaced_by)) if len(replaced_by) else None

    def _rewrite(self, hit: _Hit, snapshot: Snapshot, placed: NDArray[np.bool_], writer: FileWriter) -> None:
        start = 0
        for rows in read(self.store, hit.file, snapshot.schema):
            self.alive()
            writer.write(rows.filter(pc.invert(hit.mask.slice(start, rows.num_rows))))
            start += rows.num_rows
        fresh = hit.replaced_by[~placed[hit.replaced_by]]  # a key that stood in two files comes back once
        writer.write(self.rows.take(pa.array(fresh)))
        placed[fresh] = True


def read(
    store: Store, file: LiveFile | DataFile, schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of a data file in row groups, with the columns of the table: an older file has fewer."""
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    with store.open(file.path) as source, pq.ParquetFile(source) as parquet:
        present = [name for name in wanted.names if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(ROW_GROUP_ROWS, columns=present, use_threads=False):
            yield pa.Table.from_batches([conform(batch, wanted)])


def candidates(snapshot: Snapshot, wanted: KeySet) -> list[LiveFile]:
    """Return the live files whose statistics allow one of the keys, in the order of their first key."""
    names = set(snapshot.actions.column_names)
    ranges = [_Ranges(snapshot.actions, key, wanted) for key in wanted.keys if {f"min.{key}", f"max.{key}"} <= names]
    chosen = [place for place in range(len(snapshot.files)) if all(r.may_hold(place) for r in ranges)]
    if ranges:
        chosen.sort(key=ranges[0].order)
    return [snapshot.files[place] for place in chosen]


class _Ranges:
    """The bounds of one key column in every live file, beside the values that are looked for."""

    def __init__(self, actions: pa.Table, key: str, wanted: KeySet) -> None:
        self.low = actions[f"min.{key}"].to_pylist()
        self.high = actions[f"max.{key}"].to_pylist()
        self.values = _Sorted(wanted.values(key))

    def may_hold(self, place: int) -> bool:
        """Return whether a value that is looked for lies within the bounds of the file, or the bounds are unknown."""
        low, high = self.low[place], self.high[place]
        if low is None or high is None:
            return True
        first = bisect_left(self.values, low)
        return first < len(self.values) and self.values[first] <= high

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
