"""Other partitions for a table in an object store: all rows through delta-rs, in one commit of its own.

Takes a snapshot and partitions; gives whether the commit was the next one of the log. Refuses rows that differ from
those that were read. delta-rs writes the files itself: a killed run leaves nothing to go on with, and nothing broken.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from singerkit.errors import StoreError
from target_delta.checksum import checksum
from target_delta.partitioning import awaited
from target_delta.parts import parts
from target_delta.scan import read
from target_delta.snapshot import APP_ID, PARTITIONS_ID, Snapshot
from target_delta.table import ONE_TRY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_delta.partitioning import Wanted
    from target_delta.upkeep.rebuild import Rebuild
    from target_delta.upkeep.tables import Found

AHEAD = 2  # row groups that are read before delta-rs asks for them
_ROUND = 1 << 64  # where checksums begin again
_WAIT_S = 1.0


def announce(snapshot: Snapshot, wanted: Wanted, facts: Mapping[str, Any]) -> bool:
    """Say in the table's properties which partitions it has from a commit on that is still to come.

    False where another writer was first.
    """
    properties = awaited(wanted, snapshot.partitioning, _number(snapshot))
    try:
        snapshot.delta.alter.set_table_properties(properties, raise_if_not_exists=False, commit_properties=_how(facts))
    except CommitFailedError:
        return False
    return True


def overwrite(table: Found, snapshot: Snapshot, work: Rebuild, facts: Mapping[str, Any]) -> bool:
    """Write all rows of an announced table to their new partitions; False where another writer was first.

    1. Read and place the rows in a thread: delta-rs cannot be asked for a file while it asks for rows.
    2. Let delta-rs write and commit them, against this snapshot; a number in the same commit makes the properties true.
    3. Read them back; where they differ, the older version comes back.
    """
    fed, layout = _Fed(work, snapshot), work.layout
    codec: Any = "UNCOMPRESSED" if layout.codec == "none" else layout.codec.upper()
    numbers = Transaction(APP_ID, snapshot.transaction + 1), Transaction(PARTITIONS_ID, _number(snapshot))
    try:
        write_deltalake(
            snapshot.delta,
            fed.reader(),  # 1
            mode="overwrite",
            schema_mode="overwrite",
            partition_by=list(work.partitioning.columns),
            target_file_size=layout.file_bytes,
            writer_properties=WriterProperties(compression=codec, compression_level=layout.level),
            commit_properties=_how(facts, *numbers),  # 2
        )
    except CommitFailedError:
        return False
    finally:
        fed.stop()
    _check(table, snapshot, work, fed.sums, facts)  # 3
    return True


class _Fed:
    """Rows for delta-rs, read ahead in a thread; `sums` are their count and checksum once all were taken."""

    def __init__(self, work: Rebuild, snapshot: Snapshot) -> None:
        self.work = work
        self.snapshot = snapshot
        self.sums = (0, 0)
        self._failure: BaseException | None = None
        self._rows: queue.Queue[pa.Table | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read", daemon=True)

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows, placed in their new partitions."""
        self._thread.start()
        return pa.RecordBatchReader.from_batches(self.work.schema(self.snapshot), self._batches())

    def stop(self) -> None:
        """Read no more; what ended the reading is raised, and not what delta-rs makes of it."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _batches(self) -> Iterator[pa.RecordBatch]:
        while (rows := self._rows.get()) is not None:
            yield from rows.to_batches()
        if self._failure is not None:
            raise self._failure

    def _read(self) -> None:
        try:
            for rows in self.work.rows(self.snapshot.files, self.snapshot):
                self.sums = _added(self.sums, rows)
                placed = self.work.partitioning.place(rows)
                next(parts(placed, self.work.partitioning.columns), None)  # refuses a text that no log can keep
                self._put(placed)
        except BaseException as error:  # noqa: BLE001  # raised again where the rows are taken
            self._failure = error
        self._put(None)

    def _put(self, rows: pa.Table | None) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._rows.put(rows, timeout=_WAIT_S)
                return


def _check(table: Found, before: Snapshot, work: Rebuild, sums: tuple[int, int], facts: Mapping[str, Any]) -> None:
    store, number = table.store, _number(before)
    now = Snapshot(DeltaTable(store.uri, version=before.version + 1, storage_options=store.options))
    found = (0, 0)
    for file in now.files:
        for rows in read(store, file, before.schema, work.columns(before)):
            found = _added(found, rows)
    if found != sums:
        now.delta.restore(before.version, commit_properties=_how(facts, Transaction(PARTITIONS_ID, number - 1)))
        raise StoreError(
            "the rows of new files differ from those that were read; the table is as it was",
            remedy="try again; if it stays, report it", stream=table.stream, rows=sums[0], found=found[0],
        )  # fmt: skip


def _how(facts: Mapping[str, Any], *transactions: Transaction) -> CommitProperties:
    return CommitProperties(custom_metadata=dict(facts), max_commit_retries=ONE_TRY, app_transactions=[*transactions])


def _added(sums: tuple[int, int], rows: pa.Table) -> tuple[int, int]:
    return sums[0] + rows.num_rows, (sums[1] + checksum(rows)) % _ROUND


def _number(snapshot: Snapshot) -> int:
    """Return the number of the change of partitions that comes next."""
    return snapshot.partitions_changed + 1
