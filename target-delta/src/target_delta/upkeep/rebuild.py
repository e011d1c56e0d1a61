"""Rows of a table written again for other partitions, aside and resumable; the table does not know of them yet.

Takes a snapshot; gives data files, checked by counts and checksums. Refuses files whose rows differ from those read.

What is written lies in the table's folder, named by no log. Each entry of `_repartition/` names the files that were
read and those that were made of them; it counts as long as the table has the ones and the folder the others.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from singerkit.errors import StoreError
from target_delta.checksum import checksum
from target_delta.files import DataFile
from target_delta.parts import PartitionedWriter
from target_delta.scan import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_delta.files import Layout
    from target_delta.partition import Partitioning
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store

FOLDER = "_repartition"
ENTRY_BYTES = 1 << 30  # of files that are read for one entry: what a killed run does again


@dataclass(frozen=True)
class Entry:
    """Some files of the table, and the files that hold the same rows in the new partitions."""

    name: str
    target: dict[str, Any]
    sources: Sequence[str]
    files: Sequence[DataFile]

    def as_bytes(self) -> bytes:
        """Return the entry as it is stored."""
        files = [file.as_json() for file in self.files]
        return json.dumps({"target": self.target, "sources": list(self.sources), "files": files}).encode()


@dataclass(frozen=True)
class Rebuild:
    """The way of a table's rows into other partitions."""

    store: Store
    partitioning: Partitioning
    keys: Sequence[str]
    layout: Layout

    @property
    def target(self) -> dict[str, Any]:
        """What entries must agree on."""
        return {**asdict(self.partitioning), "keys": list(self.partitioning.keys)}

    def kept(self, snapshot: Snapshot) -> list[Entry]:
        """Return the entries that count for a snapshot; the others are deleted.

        The files that they made stay until vacuum takes them: the log may name them by now, in an older version too.
        """
        live = {file.path for file in snapshot.files}
        good: list[Entry] = []
        for entry in self._entries():
            whole = all(self.store.size(file.path) == file.size for file in entry.files)
            if entry.target == self.target and live >= set(entry.sources) and whole:
                good.append(entry)
            else:
                self.store.delete([entry.name])
        return good

    def catch_up(self, snapshot: Snapshot) -> list[Entry]:
        """Write what no entry holds yet, and return the entries that together hold all rows of the snapshot.

        1. Take what an earlier run has done.
        2. Read some of the other files, and write their rows to their new partitions.
        3. Read the new files back: as many rows, with the same checksum.
        4. Force them to the disk, and name them in an entry.
        """
        entries = self.kept(snapshot)  # 1
        done = {path for entry in entries for path in entry.sources}
        for some in _batches([file for file in snapshot.files if file.path not in done]):
            files, sums = self._written(some, snapshot)  # 2
            self._check(files, snapshot, sums)  # 3
            self.store.sync(file.path for file in files)  # 4
            entry = Entry(f"{FOLDER}/{uuid.uuid4()}.json", self.target, [f.path for f in some], files)
            self.store.publish(entry.name, entry.as_bytes())
            entries.append(entry)
        return entries

    def forget(self) -> None:
        """Delete the entries alone: the table's log names their files now."""
        self.store.delete_folder(FOLDER)

    def schema(self, snapshot: Snapshot) -> pa.Schema:
        """Return the columns of the table with its new partitions: the old derived column goes, the new one comes."""
        made = [snapshot.partition_by[0]] if snapshot.partitioning.is_derived else []
        return self.partitioning.schema(pa.schema([field for field in snapshot.schema if field.name not in made]))

    def _written(self, files: Sequence[LiveFile], snapshot: Snapshot) -> tuple[list[DataFile], tuple[int, int]]:
        schema, count, number = self.schema(snapshot), 0, 0
        with PartitionedWriter(self.store, schema, self.partitioning.columns, self.keys, self.layout) as out:
            for rows in self.rows(files, snapshot):
                count, number = count + rows.num_rows, number + checksum(rows)
                out.write(self.partitioning.place(rows))
            return out.finish(), (count, number % (1 << 64))

    def _check(self, files: Sequence[DataFile], snapshot: Snapshot, sums: tuple[int, int]) -> None:
        count = number = 0
        for rows in self.rows(files, snapshot):
            count, number = count + rows.num_rows, number + checksum(rows)
        if (count, number % (1 << 64)) != sums:
            self.store.delete(file.path for file in files)
            raise StoreError(
                "the rows of new files differ from those that were read; the table is as it was",
                remedy="try again; if it stays, look at the disk", rows=sums[0], found=count,
            )  # fmt: skip

    def rows(self, files: Sequence[LiveFile] | Sequence[DataFile], snapshot: Snapshot) -> Iterator[pa.Table]:
        """Yield rows with the columns of the table but for the one in which partitions are kept."""
        for file in files:
            yield from read(self.store, file, snapshot.schema, self.columns(snapshot))

    def columns(self, snapshot: Snapshot) -> list[str]:
        """Return the columns that a table has whatever its partitions."""
        made = {*snapshot.partition_by} if snapshot.partitioning.is_derived else set()
        return [name for name in snapshot.schema.names if name not in made]

    def _entries(self) -> Iterator[Entry]:
        for path in self.store.names(FOLDER):
            if path.endswith(".json"):
                said = json.loads(self.store.read(path))
                files = [DataFile(**file) for file in said["files"]]
                yield Entry(path, said["target"], said["sources"], files)


def _batches(files: Sequence[LiveFile]) -> Iterator[list[LiveFile]]:
    batch: list[LiveFile] = []
    for file in files:
        batch.append(file)
        if sum(one.size for one in batch) >= ENTRY_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
