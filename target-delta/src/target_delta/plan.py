"""Which files an upsert touches, and what stands in their place.

Takes a snapshot and rows that are unique by key; gives new data files and the live files they replace. Commits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.keys import KeySet
from target_delta.omitted import filled as filled_column
from target_delta.parts import PartitionedWriter, parts
from target_delta.prune import Pruning, values_of
from target_delta.scan import read
from target_delta.versions import is_older

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from target_delta.files import DataFile, FileWriter, Layout
    from target_delta.omitted import Masks
    from target_delta.partition import Partitioning
    from target_delta.parts import Values
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store


@dataclass(frozen=True)
class Change:
    """What one commit does: files that come, files that go, or all of them where `replaces` is true.

    `reusable` means that the files that come do not depend on the snapshot: another try may commit them again.
    `moves` means that the rows of the files that go are all in those that come, and no others.
    """

    adds: Sequence[DataFile]
    removes: Sequence[LiveFile] = ()
    replaces: bool = False
    reusable: bool = False
    moves: bool = False
    partitioning: Partitioning | None = None
    """How the files were partitioned, where that was decided before the snapshot."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def rows(self) -> dict[str, int]:
        """How many rows came, changed and went; what did not happen is left out."""
        counts = {"inserted": self.inserted, "updated": self.updated, "deleted": self.deleted}
        return {name: count for name, count in counts.items() if count}


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
    omitted: Masks = field(default_factory=dict)
    """Which rows take the stored value of which column."""
    gone: pa.ChunkedArray | None = None
    """Which rows take their key out of the table."""
    versions: Sequence[str] = ()
    """The columns that say which of two rows of a key is newer; without them the one that came later."""
    immutable: bool = False
    """Whether it is promised that no key ever changes its partition."""

    def plan(self, snapshot: Snapshot) -> Change:
        """Write the files that take the place of every file that holds an affected key, and of what is new.

        1. Leave out the files whose partition or statistics say that they hold none of the keys.
        2. Read the key columns of the others; without a hit the rows are an append.
        3. Partition by partition, write each hit file again without its affected rows, followed by the rows that
           replace them, so that files stay as narrow in keys as they were. A row that is gone replaces with nothing.
        4. Write the rows whose key was in no file of their partition: a key found in another one has moved.
        """
        wanted = KeySet(self.rows, self.keys)
        files = Pruning(self.keys, self.immutable).candidates(snapshot, self.rows, wanted)  # 1
        hits = [hit for file in files if (hit := self._look(file, snapshot, wanted))]  # 2
        if self.versions and len(newer := self._newer(snapshot, wanted, hits)) < self.rows.num_rows:
            return self._only(newer).plan(snapshot)
        if self.omitted:
            return replace(self, rows=self._with_stored(snapshot, wanted, hits), omitted={}).plan(snapshot)
        with PartitionedWriter(self.store, snapshot.schema, snapshot.partition_by, self.keys, self.layout) as out:
            coming = self._coming
            fresh = {values: coming[at.to_numpy()] for values, at in self._parts(coming, snapshot)}
            for values in dict.fromkeys([*(values_of(hit.file, snapshot) for hit in hits), *fresh]):
                here = [hit for hit in hits if values_of(hit.file, snapshot) == values]
                waiting = np.zeros(self.rows.num_rows, dtype=bool)
                waiting[fresh.get(values, coming[:0])] = True
                for hit in here:  # 3
                    self._rewrite(hit, snapshot, waiting, out.writer(values))
                self._write(np.flatnonzero(waiting), out.writer(values))  # 4
                out.writer(values).roll()
            adds = out.finish()
        replaced = _distinct([hit.replaced_by for hit in hits], self.rows.num_rows)
        updated = len(np.intersect1d(replaced, coming, assume_unique=True))
        deleted, inserted = len(replaced) - updated, len(coming) - updated
        return Change(adds, [hit.file for hit in hits], inserted=inserted, updated=updated, deleted=deleted)

    @property
    def _coming(self) -> NDArray[np.int64]:
        """The positions of the rows that stay in the table."""
        return np.flatnonzero(np.ones(self.rows.num_rows, bool) if self.gone is None else ~self.gone.to_numpy())

    def _parts(self, coming: NDArray[np.int64], snapshot: Snapshot) -> Iterator[tuple[Values, pa.Array]]:
        if len(coming):
            rows = self.rows if self.gone is None else self.rows.take(pa.array(coming))
            yield from parts(rows, snapshot.partition_by)

    def _look(self, file: LiveFile, snapshot: Snapshot, wanted: KeySet) -> _Hit | None:
        self.alive()
        found = [wanted.positions(batch) for batch in read(self.store, file, snapshot.schema, self.keys)]
        positions = pa.chunked_array(found, pa.int32()) if found else pa.chunked_array([], pa.int32())
        replaced_by = _distinct([positions.drop_null().to_numpy()], self.rows.num_rows)
        return _Hit(file, positions.is_valid(), replaced_by) if len(replaced_by) else None

    def _newer(self, snapshot: Snapshot, wanted: KeySet, hits: Sequence[_Hit]) -> NDArray[np.int64]:
        """Return the positions of the rows that are not older than the stored row of their key."""
        older = np.zeros(self.rows.num_rows, dtype=bool)
        for hit in hits:
            columns = [*dict.fromkeys([*self.keys, *self.versions])]
            for stored in read(self.store, hit.file, snapshot.schema, columns):
                at = wanted.positions(stored).fill_null(-1).to_numpy().astype(np.int64)
                here = np.flatnonzero(at >= 0)
                come = self.rows.select(self.versions).take(pa.array(at[here]))
                older[at[here]] |= is_older(come, stored.select(self.versions).take(pa.array(here)))
        return np.flatnonzero(~older)

    def _only(self, positions: NDArray[np.int64]) -> Upsert:
        """Return the upsert of some of the rows, whose versions were looked at."""
        return replace(
            self,
            rows=self.rows.take(pa.array(positions)),
            omitted={name: mask[positions] for name, mask in self.omitted.items()},
            gone=None if self.gone is None else self.gone.take(pa.array(positions)),
            versions=(),
        )

    def _with_stored(self, snapshot: Snapshot, wanted: KeySet, hits: Sequence[_Hit]) -> pa.Table:
        """Return the rows with the stored values of what they omit; a key that is new has NULL there."""
        rows = self.rows
        for name, mask in self.omitted.items():
            places, values = [np.array([], dtype=np.int64)], [snapshot.schema.empty_table()[name]]
            for hit in hits:
                for stored in read(self.store, hit.file, snapshot.schema, [*dict.fromkeys([*self.keys, name])]):
                    found = wanted.positions(stored).fill_null(-1).to_numpy().astype(np.int64)
                    chosen = np.flatnonzero((found >= 0) & mask[found])
                    places.append(found[chosen])
                    values.append(stored[name].take(pa.array(chosen)))
            every, first = np.unique(np.concatenate(places), return_index=True)
            stored_values = pa.chunked_array([chunk for value in values for chunk in value.chunks], rows[name].type)
            column = filled_column(rows[name], every, stored_values.take(pa.array(first)))
            rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
        return snapshot.partitioning.place(rows)

    def _rewrite(self, hit: _Hit, snapshot: Snapshot, waiting: NDArray[np.bool_], writer: FileWriter) -> None:
        start = 0
        for rows in read(self.store, hit.file, snapshot.schema):
            self.alive()
            writer.write(rows.filter(pc.invert(hit.mask.slice(start, rows.num_rows))).select(writer.schema.names))
            start += rows.num_rows
        placed = hit.replaced_by[waiting[hit.replaced_by]]  # a key that stood in two files comes back once
        self._write(placed, writer)
        waiting[placed] = False

    def _write(self, positions: NDArray[np.int64], writer: FileWriter) -> None:
        rows = self.rows.select(writer.schema.names)
        alone = len(positions) and bool((np.diff(positions) == 1).all())  # a new table: all rows, without a copy
        writer.write(rows.slice(positions[0], len(positions)) if alone else rows.take(pa.array(positions)))


def _distinct(positions: Sequence[NDArray[np.integer]], rows: int) -> NDArray[np.int64]:
    """Return the positions that occur, each once and ascending."""
    seen = np.zeros(rows, dtype=bool)
    for some in positions:
        seen[some] = True
    return np.flatnonzero(seen)
