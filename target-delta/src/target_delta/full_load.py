"""A full load: staged aside, and put in the place of the table's rows in one commit once it is complete.

Takes tables of one schema; gives what became of them. What the load did not bring is gone, or kept as deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError
from target_delta.keys import Ascending
from target_delta.loaders import NOTHING, SoFar, refuse_own_partition
from target_delta.metadata import DELETED_AT
from target_delta.partition import Partitioning
from target_delta.parts import PartitionedWriter
from target_delta.plan import Change
from target_delta.schema import evolve
from target_delta.unique import Kept, drop_repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from target_delta.commit import Committer
    from target_delta.files import DataFile, Layout
    from target_delta.snapshot import Snapshot
    from target_delta.staging import Staging
    from target_delta.stale import Stale


@dataclass
class Stager:
    """Keeps the rows of a full load aside, and puts them in the place of the table's rows once it is complete."""

    committer: Committer
    schema: pa.Schema
    keys: Sequence[str]
    layout: Layout
    staging: Staging
    whole: bool
    """Whether every row of the load comes through here: not where another run, or another SCHEMA, brought some."""
    hard_delete: bool = False
    """Whether rows that the load itself calls deleted are left out."""
    stale: Stale | None = None
    """What becomes of rows that the load does not bring; they are simply gone where there is none."""
    streams = True
    _writer: PartitionedWriter | None = None
    _partitioning: Partitioning = field(default_factory=Partitioning)
    _placed: Partitioning | None = None
    """The partitions by which rows of this run were written, or None where none were."""

    def __post_init__(self) -> None:
        self._order = Ascending(self.keys)
        self._order.holds &= self.whole

    def write(self, rows: pa.Table) -> None:
        """Write rows to files of the load."""
        self._order.add(rows)
        if self._writer is None:
            self._partitioning = self._placed = self.committer.table.partitioning
            store, schema = self.committer.table.store, self._whole(self.schema)
            self._writer = PartitionedWriter(store, schema, self._partitioning.columns, self.keys, self.layout)
        rows = rows.select([name for name in rows.column_names if name in self.schema.names])  # by the contract
        self._writer.write(self._partitioning.place(rows))

    def settle(self, so_far: SoFar) -> Change:
        """Make the files part of the load for good; the table stays as it is."""
        files = self._writer.finish() if self._writer else []
        if files or so_far.progress:
            now = datetime.now(UTC)
            self.staging.add(files, self.schema, run=self.committer.run, now=now, progress=so_far.progress)
        return NOTHING

    def abandon(self) -> None:
        """Delete what was written since the last manifest."""
        if self._writer is not None:
            self._writer.abandon()

    def complete(self, bookmark: Any) -> Change:
        """Put the staged rows in the place of all rows of the table, in one commit.

        1. Settle what was written, and bring the columns of all manifests together.
        2. Leave the last row of every key; rows that came in the order of their keys need no look.
        3. Commit: all old files go, the staged ones come, the schema becomes the one of the load.
        4. Forget the manifests.
        """
        self.settle(SoFar(bookmark))  # 1
        self._partitioning = self.committer.table.partitioning
        schema = self._whole(self._columns())
        store, alive = self.committer.table.store, self.committer.alive
        kept, unless = Kept(self.staging.files), self._unless(schema)
        if unless or not self._order.holds:
            kept = drop_repeated(store, kept.files, schema, self.keys, self.layout, alive, unless=unless)  # 2
        if self.stale is not None:
            schema = self.stale.columns(schema, self.committer.table.snapshot())
        plan = partial(self._replacement, kept.files, schema)
        landed = self.committer.commit(schema, plan, full_load=self.staging.version, bookmark=bookmark)  # 3
        self.staging.forget()  # 4
        store.discard(kept.replaced)
        return landed.change

    def _columns(self) -> pa.Schema:
        schema = self.staging.entries[0].schema if self.staging.entries else self.schema
        for later in [entry.schema for entry in self.staging.entries[1:]] + [self.schema]:
            schema = evolve(schema, later)
        return schema

    def _whole(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns of the load with those by which the table is partitioned."""
        if self._partitioning.is_derived:
            refuse_own_partition(schema)
        elif missing := [name for name in self._partitioning.columns if name not in schema.names]:
            raise SafetyStopError(
                "a full load lacks a column by which the table is partitioned",
                remedy="select it in the tap, or drop the table", stream=self.committer.table.stream, column=missing[0],
            )  # fmt: skip
        return self._partitioning.schema(schema)

    def _unless(self, schema: pa.Schema) -> str | None:
        return DELETED_AT if self.hard_delete and DELETED_AT in schema.names else None

    def _replacement(self, load: Sequence[DataFile], schema: pa.Schema, seen: Snapshot) -> Change:
        rest, deleted = ((), 0) if self.stale is None else self.stale.rest(load, seen, schema)
        inserted = sum(file.rows for file in load)
        return Change(
            [*load, *rest], replaces=True, reusable=True, inserted=inserted, deleted=deleted, partitioning=self._placed
        )
