"""Keeps a table fast: small files become large ones, what nobody can read any more goes: `target-delta maintain`.

Takes a table; gives what was done, or would be. Safe beside writers: where one was faster, a change is planned again.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake.exceptions import DeltaError

from singerkit.errors import SingerkitError, StoppedError
from target_delta.commit import Committer
from target_delta.history import UPKEEP, unfinished
from target_delta.parts import PartitionedWriter
from target_delta.plan import Change
from target_delta.prune import values_of
from target_delta.scan import read
from target_delta.staging import FOLDER, load
from target_delta.upkeep.compaction import groups, small_files
from target_delta.upkeep.tables import Found
from target_delta.wall import store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_delta.files import DataFile, Layout
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store
    from target_delta.table import Table
    from target_delta.upkeep.show import Row

_LOGGER = logging.getLogger("target-delta")

COLUMNS = (
    *("stream", "files", "compacted", "into", "bytes", "checkpoint", "log_entries", "vacuumed", "vacuumed_bytes"),
    "left",
)
COMMIT_BYTES = 512 << 20  # of files that are rewritten for one commit: what a lost race can cost
CHECKPOINT_AFTER = 10  # log entries behind the last checkpoint, which every opening of the table reads
_NEVER = 1 << 62
_NO_COLUMN = pa.schema([])
"""A change of upkeep asks for no column that the table has not."""


@dataclass(frozen=True)
class Upkeep:
    """How tables are looked after."""

    layout: Layout
    vacuum_hours: int = 168
    more_than: int = 1
    """Small files of a partition that are let be; 1 compacts whatever can be compacted."""
    dry_run: bool = False


def maintain(table: Found, committer: Committer, upkeep: Upkeep) -> Row:
    """Look after a table, and return what was done to it (or would be, in a dry run).

    1. Compact: of every partition with too many small files, those become one that lie beside each other in their keys.
    2. Write a checkpoint where opening the table reads many log entries.
    3. Delete log entries that are older than the table keeps them, 30 days where it does not say.
    4. Delete files that left the table, or never came into it, longer ago than `vacuum_hours`.
    """
    with store_errors(table.stream, table.store.uri):
        row: Row = {"stream": table.stream, "files": len(table.snapshot.files)}
        if table.snapshot.is_foreign:
            features = " ".join(table.snapshot.foreign_features) or "partition type"
            return {**row, "left": f"features that delta-rs alone respects: {features}"}
        row |= _compact(table, committer, upkeep)  # 1
        newest = committer.table.snapshot() or table.snapshot
        row |= _tidy_log(table.store, newest, dry_run=upkeep.dry_run)  # 2, 3
        return row | _vacuum(table.store, newest, upkeep)  # 4


def after_run(table: Table, upkeep: Upkeep, alive: Callable[[], None]) -> Row | None:
    """Look after a table that a run has written to, where one of its partitions has too many small files.

    Whatever fails is a warning: the run is complete, and the next one, or the verb, does it again.
    """
    try:
        snapshot = table.snapshot()
        if snapshot is None or not _is_due(snapshot, upkeep):
            return None
        found = Found(table.stream, table.store, snapshot)
        row = maintain(found, Committer(table, str(uuid.uuid4()), alive), upkeep)
    except StoppedError:
        raise
    except (SingerkitError, DeltaError, OSError, pa.ArrowException) as error:
        _LOGGER.warning("the run is complete, and upkeep failed; see target-delta maintain: %s", error)
        return None
    _LOGGER.info("looked after a table, stream=%s, files=%s, now=%s", table.stream, row["compacted"], row["into"])
    return row


def _is_due(snapshot: Snapshot, upkeep: Upkeep) -> bool:
    counts = map(len, small_files(snapshot.files, upkeep.layout.file_bytes).values())
    return not snapshot.is_foreign and max(counts, default=0) > upkeep.more_than


def _compact(table: Found, committer: Committer, upkeep: Upkeep) -> Row:
    keys = table.keys()
    chosen = _chosen(table, table.snapshot, keys, upkeep)
    row: Row = {
        "compacted": sum(map(len, chosen)),
        "into": len(chosen),
        "bytes": sum(file.size for group in chosen for file in group),
    }
    if upkeep.dry_run:
        return row
    for some in _batches(chosen):
        work = Compaction(table.store, keys, upkeep.layout, committer.alive, some)
        committer.commit(_NO_COLUMN, work.plan, said={UPKEEP: "compact"})
    return row


def _chosen(table: Found, snapshot: Snapshot, keys: Sequence[str], upkeep: Upkeep) -> list[list[LiveFile]]:
    """Return the files that become one, without those in which a next run looks for rows that come again."""
    resumed = {
        file.path for entry in unfinished(table.store, snapshot.version, before_ms=_NEVER) for file in entry.adds
    }
    free = [file for file in snapshot.files if file.path not in resumed]
    return [*groups(free, upkeep.layout.file_bytes, _order(snapshot, keys), more_than=upkeep.more_than)]


def _order(snapshot: Snapshot, keys: Sequence[str]) -> Callable[[LiveFile], Any]:
    """Return by what files lie beside each other: their least key, or when they came where there is none."""
    name = f"min.{keys[0]}" if keys else ""
    column = name if name in snapshot.actions.column_names else "modification_time"
    least = dict(zip((file.path for file in snapshot.files), snapshot.actions[column].to_pylist(), strict=True))
    return lambda file: ((value := least[file.path]) is not None, value)


def _batches(chosen: Sequence[list[LiveFile]]) -> Iterator[list[list[LiveFile]]]:
    batch: list[list[LiveFile]] = []
    size = 0
    for group in chosen:
        batch.append(group)
        size += sum(file.size for file in group)
        if size >= COMMIT_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass
class Compaction:
    """Groups of files on their way into one file each."""

    store: Store
    keys: Sequence[str]
    layout: Layout
    alive: Callable[[], None]
    groups: Sequence[Sequence[LiveFile]]
    _made: dict[int, list[DataFile]] = field(default_factory=dict)

    def plan(self, snapshot: Snapshot) -> Change:
        """Write each group whose files are all still in the table; what another try wrote already is taken again."""
        live = {file.path for file in snapshot.files}
        times = dict(
            zip((f.path for f in snapshot.files), snapshot.actions["modification_time"].to_pylist(), strict=True)
        )
        adds: list[DataFile] = []
        removes: list[LiveFile] = []
        for place, group in enumerate(self.groups):
            if not all(file.path in live for file in group):
                self.store.discard(file.path for file in self._made.pop(place, []))
                continue
            if place not in self._made:
                ordered = sorted(group, key=lambda file: times[file.path])
                self._made[place] = self._written(ordered, snapshot, times[ordered[-1].path])
            adds += self._made[place]
            removes += group
        return Change(adds, removes, reusable=True, moves=True)

    def _written(self, group: Sequence[LiveFile], snapshot: Snapshot, newest_ms: int) -> list[DataFile]:
        """Write the rows of some files, the older ones first; the new file is as old as the newest of them."""
        with PartitionedWriter(self.store, snapshot.schema, snapshot.partition_by, self.keys, self.layout) as out:
            writer = out.writer(values_of(group[0], snapshot))
            for file in group:
                for rows in read(self.store, file, snapshot.schema):
                    self.alive()
                    writer.write(rows.select(writer.schema.names))
            return [replace(file, modified_ms=newest_ms) for file in out.finish()]


def _tidy_log(store: Store, snapshot: Snapshot, *, dry_run: bool) -> Row:
    behind = snapshot.version - _last_checkpoint(store)
    is_due = behind >= CHECKPOINT_AFTER
    if dry_run:
        return {"checkpoint": is_due}
    before = len(store.names("_delta_log"))
    if is_due:
        snapshot.delta.create_checkpoint()
        before += 1
    snapshot.delta.cleanup_metadata()
    return {"checkpoint": is_due, "log_entries": max(0, before - len(store.names("_delta_log")))}


def _last_checkpoint(store: Store) -> int:
    try:
        return int(json.loads(store.read("_delta_log/_last_checkpoint"))["version"])
    except FileNotFoundError:
        return 0


def _vacuum(store: Store, snapshot: Snapshot, upkeep: Upkeep) -> Row:
    """Delete what no version within the hours needs; the files of a full load that is not complete stay."""
    found = snapshot.delta.vacuum(upkeep.vacuum_hours, dry_run=True, full=True, enforce_retention_duration=False)
    versions = {path.split("/")[1] for path in store.names(FOLDER)}
    staged = {file.path for version in versions if version.isdecimal() for file in load(store, version).files}
    gone = [path for path in found if path not in staged]
    size = sum(store.size(path) or 0 for path in gone)
    if not upkeep.dry_run:
        store.delete(gone)
    return {"vacuumed": len(gone), "vacuumed_bytes": size}
