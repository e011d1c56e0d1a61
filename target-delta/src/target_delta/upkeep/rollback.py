"""Takes a run back: its rows and its bookmark leave the tables together: `target-delta rollback --run ID`.

Takes tables and the id of a run; gives what each table became. Refuses where later changes would go too, unless that is
asked for, and where files of the older version are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction

from singerkit.errors import SafetyStopError, SettingsError
from target_delta.history import RESTORED, UPKEEP, Entry, last_bookmark, standing
from target_delta.plan import Change
from target_delta.snapshot import FULL_LOAD_ID, PARTITIONS_ID, Snapshot
from target_delta.table import ONE_TRY
from target_delta.wall import store_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

COLUMNS = ("stream", "version", "restores", "rows", "rows_then", "commits", "later", "bookmark", "rolled_back")
NO_LOAD = -1
"""The number that no full load has: a log names none again that was named once."""


@dataclass(frozen=True)
class Return:
    """The way of one table back to the version before a run."""

    table: Found
    version: int
    """The version that comes back."""
    commits: int
    later: int
    """How many commits of other runs, or of other programs, go with it."""
    bookmark: Any
    """What the table knew then of its stream, or None."""

    def row(self, *, done: bool) -> Row:
        """Return what is said of it."""
        then = _at(self.table, self.version)
        return {
            "stream": self.table.stream,
            "version": self.table.snapshot.version,
            "restores": self.version,
            "rows": _rows(self.table.snapshot),
            "rows_then": _rows(then),
            "commits": self.commits,
            "later": self.later,
            "bookmark": self.bookmark,
            "rolled_back": done,
        }


def rollback(tables: Sequence[Found], run: str, *, with_later: bool, dry_run: bool) -> list[Row]:
    """Bring every table that a run wrote to back to how it was before, and return what became of each.

    1. Find for each table the version before the run's first commit, and what came after the run.
    2. Refuse where that is more than the run and upkeep, unless `with_later`; and where data files are gone.
    3. Commit the older version as the newest, with its bookmark: readers of the log see both, nothing is erased.
    """
    ways = [way for table in tables if (way := _way(table, table.snapshot, run))]  # 1
    if not ways:
        raise SettingsError(
            "no table knows the run, or it was rolled back before", remedy="see target-delta history", run=run
        )
    for way in ways:  # 2
        if not dry_run:
            _refuse(way, with_later=with_later)
    if not dry_run:
        for way in ways:  # 3
            with store_errors(way.table.stream, way.table.store.uri):
                _restore(way, run)
    return [way.row(done=not dry_run) for way in ways]


def _way(table: Found, snapshot: Snapshot, run: str) -> Return | None:
    commits = [*standing(table.store, snapshot.version)]
    own = [entry for entry in commits if entry.run == run]
    if not own:
        return None
    later = [entry for entry in commits if entry.version > own[-1].version and entry.run != run and _changes(entry)]
    version = _before(own[-1], commits)
    known = last_bookmark(table.store, version)
    return Return(table, version, len(own), len(later), None if known is None else known.bookmark)


def _before(first: Entry, commits: Sequence[Entry]) -> int:
    """Return the version before a commit, and before what the same run did to the columns for it."""
    began = int(first.facts.get("target-delta.started") or first.made_ms)
    version = first.version - 1
    for entry in commits:
        if entry.version == version > 0 and entry.run is None and not _changes(entry) and entry.made_ms >= began:
            version -= 1
    return version


def _changes(entry: Entry) -> bool:
    """Return whether a commit changed rows: compactions and changes of columns do not."""
    return entry.upkeep not in {"compact", "rollback"} and bool(entry.adds or entry.removes)


def _refuse(way: Return, *, with_later: bool) -> None:
    stream = way.table.stream
    if way.later and not with_later:
        raise SafetyStopError(
            "later changes would go with the run; no table was touched",
            remedy="add --with-later to take them back too (see target-delta history)", stream=stream, later=way.later,
        )  # fmt: skip
    lost = [file.path for file in _at(way.table, way.version).files if way.table.store.size(file.path) != file.size]
    if lost:
        raise SafetyStopError(
            "files of the version before the run are gone; no table was touched",
            remedy="load the stream again in full; vacuum_hours says how long such files stay",
            stream=stream, files=len(lost), file=lost[0],
        )  # fmt: skip


def _restore(way: Return, run: str) -> None:
    then = _at(way.table, way.version)

    def act(snapshot: Snapshot, how: CommitProperties) -> Change:
        now = _way(way.table, snapshot, run)
        if now is None or (now.version, now.later) != (way.version, way.later):
            raise SafetyStopError(
                "another program changed the table meanwhile; it was not rolled back", remedy="look, and try again",
                stream=way.table.stream,
            )  # fmt: skip
        said = {UPKEEP: "rollback", RESTORED: way.version}
        loads = []
        if snapshot.full_load is not None:  # a restore leaves the number, and a STATE may go on with the load
            loads.append(Transaction(FULL_LOAD_ID, NO_LOAD if then.full_load is None else then.full_load))
        if snapshot.partitions_changed:
            loads.append(Transaction(PARTITIONS_ID, then.partitions_changed))
        snapshot.delta.restore(
            way.version,
            commit_properties=CommitProperties(
                custom_metadata={**(how.custom_metadata or {}), **said},
                max_commit_retries=ONE_TRY,
                app_transactions=[*(how.app_transactions or []), *loads],
            ),
        )
        return Change(())

    way.table.committer().delegate(pa.schema([]), act, bookmark=way.bookmark)


def _at(table: Found, version: int) -> Snapshot:
    store = table.store
    return Snapshot(DeltaTable(store.uri, version=version, storage_options=store.options))


def _rows(snapshot: Snapshot) -> int:
    return sum(file.rows or 0 for file in snapshot.files)
