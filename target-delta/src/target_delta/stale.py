"""Rows of a table that a full load did not bring: found by key in bounded memory, then gone, or kept as deleted.

Takes the files of a load and a snapshot; gives files with the rows that stay. Refuses to delete more than a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from singerkit.errors import SafetyStopError
from target_delta.keys import KeySet, last_per_key
from target_delta.metadata import COLUMNS, DELETED_AT
from target_delta.parts import PartitionedWriter
from target_delta.scan import read
from target_delta.schema import evolve
from target_delta.unique import edges, keys_between

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from target_delta.files import DataFile, Layout
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store

_PER_CENT = 100


@dataclass
class Stale:
    """What becomes of the rows that a load did not bring, in meaning as singer-sdk's ACTIVATE_VERSION."""

    store: Store
    stream: str
    keys: Sequence[str]
    layout: Layout
    alive: Callable[[], None]
    threshold: float
    """The per cent of living rows that may be missing from a load."""
    hard: bool
    """Whether they leave the table; else they stay, with the time in `_sdc_deleted_at`."""
    now: datetime
    _written: list[DataFile] = field(default_factory=list)

    def columns(self, load: pa.Schema, table: Snapshot | None) -> pa.Schema:
        """Return the columns of the table after the load: rows that stay keep theirs."""
        if self.hard:
            return load
        schema = load if table is None else evolve(load, table.schema)
        return schema if DELETED_AT in schema.names else schema.append(COLUMNS.field(DELETED_AT))

    def rest(self, load: Sequence[DataFile], table: Snapshot, schema: pa.Schema) -> tuple[Sequence[DataFile], int]:
        """Return files with the old rows that stay, and how many rows the load makes deleted.

        1. Find the rows whose keys the load does not hold.
        2. Stop where too many of the living rows are among them.
        3. Write those rows again as deleted, or leave them out.
        """
        self.store.discard(file.path for file in self._written)  # of a try that another writer outran
        self._written = []
        missing = self._missing(load, table, schema)  # 1
        living = [self._living(file, table.schema) for file in table.files]
        deleted = sum(int((gone & alive).sum()) for gone, alive in zip(missing, living, strict=True))
        self._check(deleted, sum(int(alive.sum()) for alive in living))  # 2
        if not self.hard:
            self._written = self._again(table, missing, schema)  # 3
        return self._written, deleted

    def _check(self, deleted: int, living: int) -> None:
        if deleted * _PER_CENT > self.threshold * living:
            raise SafetyStopError(
                "a full load lacks more of the table's rows than stale_threshold allows; the table is as it was",
                remedy="see whether the source is complete; if so, raise stale_threshold for this run",
                stream=self.stream, missing=deleted, rows=living, threshold=f"{self.threshold:g}%",
            )  # fmt: skip

    def _missing(self, load: Sequence[DataFile], table: Snapshot, schema: pa.Schema) -> list[NDArray[np.bool_]]:
        """Return for every live file which of its rows the load does not bring."""
        sizes = [self._rows(file, table.schema) for file in table.files]
        missing = np.zeros(sum(sizes), dtype=bool)
        if missing.size:
            key, bounds = edges(self.store, [*load, *table.files], schema, self.keys)
            for low, high in pairwise(bounds):
                self.alive()
                _, brought = keys_between(self.store, load, schema, self.keys, key, low, high)
                numbers, stored = keys_between(self.store, table.files, schema, self.keys, key, low, high)
                found = KeySet(last_per_key(brought, self.keys), self.keys).positions(stored)
                missing[numbers[found.is_null().to_numpy(zero_copy_only=False)]] = True
        starts = np.cumsum([0, *sizes])
        return [missing[start:end] for start, end in pairwise(starts)]

    def _rows(self, file: LiveFile, schema: pa.Schema) -> int:
        if file.rows is not None:
            return file.rows
        return sum(rows.num_rows for rows in read(self.store, file, schema, self.keys[:1]))

    def _living(self, file: LiveFile, schema: pa.Schema) -> NDArray[np.bool_]:
        if DELETED_AT not in schema.names:
            return np.ones(self._rows(file, schema), dtype=bool)
        pieces = [rows[DELETED_AT] for rows in read(self.store, file, schema, [DELETED_AT])]
        return np.concatenate([np.zeros(0, bool), *(piece.is_null().to_numpy() for piece in pieces)])

    def _again(self, table: Snapshot, missing: Sequence[NDArray[np.bool_]], schema: pa.Schema) -> list[DataFile]:
        with PartitionedWriter(self.store, schema, table.partition_by, self.keys, self.layout) as out:
            for file, mask in zip(table.files, missing, strict=True):
                start = 0
                for rows in read(self.store, file, schema) if mask.any() else ():
                    self.alive()
                    out.write(self._deleted(rows.filter(pa.array(mask[start : start + rows.num_rows]))))
                    start += rows.num_rows
            return out.finish()

    def _deleted(self, rows: pa.Table) -> pa.Table:
        """Return the rows as deleted now; one that was deleted before keeps its time."""
        place = rows.schema.get_field_index(DELETED_AT)
        times = pc.fill_null(rows[DELETED_AT], pa.scalar(self.now, rows.schema.field(place).type))
        return rows.set_column(place, rows.schema.field(place), times)
