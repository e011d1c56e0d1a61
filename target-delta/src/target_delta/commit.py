"""One change of a table, committed once: planned from a snapshot, against that snapshot, and planned again on conflict.

Takes a plan; gives the version of the table that holds its change. Refuses a Remove that names no live file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
from deltalake import CommitProperties, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from singerkit.errors import SafetyStopError, StoreError
from target_delta.actions import add_action, remove_action
from target_delta.collisions import in_table
from target_delta.contract import Contract
from target_delta.faults import is_denied, said_by
from target_delta.history import BOOKMARK, COMMIT, ENDED, KEYS, ROWS, RUN, SOURCE, STARTED
from target_delta.plan import Change
from target_delta.snapshot import APP_ID, FULL_LOAD_ID
from target_delta.table import ONE_TRY
from target_delta.widening import is_rewrite, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from target_delta.snapshot import Snapshot
    from target_delta.table import Table

    Plan = Callable[[Snapshot], Change]
    Act = Callable[[Snapshot, CommitProperties], Change]

T = TypeVar("T")

MAX_TRIES = 40  # eight writers on one table need about ten
MAX_PAUSE_S = 2.0
TIDY_EVERY = 10  # commits, behind which log entries that are too old are looked for


class _LostRaceError(Exception):
    """Another writer committed first; what was planned is planned again from a newer snapshot."""


@dataclass(frozen=True)
class Landed:
    """A commit that is in the table and on the disk."""

    version: int
    change: Change


@dataclass
class Committer:
    """Commits the changes of one run to one table, each exactly once."""

    table: Table
    run: str
    alive: Callable[[], None] = field(default=lambda: None)
    """Called before anything is written; raises where the run was told to stop."""
    source: str | None = None
    """The tap's name of the stream, where it is known."""
    started_ms: int | None = None
    """When the run began, in milliseconds since 1970."""
    keys: Sequence[str] = ()
    """The columns by which the commits leave the table unique; none where they promise nothing."""
    contract: Contract = field(default_factory=Contract)
    """What the stream may change of its table."""
    _number: int = 0

    def commit(
        self,
        schema: pa.Schema,
        plan: Plan,
        *,
        full_load: int | None = None,
        bookmark: Any = None,
        said: Mapping[str, Any] = MappingProxyType({}),
        noted: Mapping[str, int] = MappingProxyType({}),
    ) -> Landed:
        """Commit what `plan` makes of the newest snapshot, whose table has at least the columns of `schema`.

        A full load is named by its version: the table takes exactly this schema and remembers the version, in the
        same commit. `said` is what else the log keeps of it, `noted` are numbers that the table keeps by their names.
        """
        facts = self._facts(bookmark) | dict(said)
        return self._retried(self._attempt, schema, plan, facts, noted, full_load=full_load)

    def end(self, bookmark: Any) -> None:
        """Say in a commit without files that the run ended well: what its tap sends later is no repeat."""
        self._retried(self._end, facts=self._facts(bookmark) | {ENDED: "good"})

    def _end(self, *, facts: Mapping[str, Any]) -> None:
        snapshot = self.table.snapshot()
        if snapshot is not None:
            self.table.synced(self._commit(snapshot, Change(()), snapshot.schema, {}, facts))

    def ready(self, schema: pa.Schema) -> Snapshot:
        """Return the newest snapshot of a table that has at least these columns; it is made or widened for it."""
        return self._retried(self._see, schema, replace=False)

    def _attempt(
        self,
        schema: pa.Schema,
        plan: Plan,
        facts: Mapping[str, Any],
        noted: Mapping[str, int],
        *,
        full_load: int | None,
    ) -> Landed:
        """Try once to bring the change into the newest version of the table.

        1. See the table as it is now, made or widened to the columns of the data.
        2. Plan: write the data files that no log names yet.
        3. Check that every Remove names a live file, and that new files have the partitions of the table.
        4. Force the files to the disk.
        5. Commit against that snapshot: Adds, Removes, transaction and bookmark at once.
        6. Force the log entry to the disk.
        """
        self.alive()
        snapshot = self._see(schema, replace=full_load is not None)  # 1
        change = plan(snapshot)  # 2
        try:
            check(change, snapshot)  # 3
            self.alive()
            self.table.store.sync(file.path for file in change.adds)  # 4
            loads = {} if full_load is None else {FULL_LOAD_ID: full_load}
            columns = snapshot.schema if full_load is None else schema
            version = self._commit(snapshot, change, columns, {**noted, **loads}, {**facts, ROWS: change.rows})  # 5
        except _LostRaceError:
            if not change.reusable:
                self.table.store.discard(file.path for file in change.adds)
            raise
        self.table.synced(version)  # 6
        return Landed(version, change)

    def delegate(self, schema: pa.Schema, act: Act, *, bookmark: Any = None) -> Landed:
        """Let delta-rs itself commit to a table that has at least these columns, with the same care for conflicts."""
        return self._retried(self._delegated, schema, act, facts=self._facts(bookmark))

    def _delegated(self, schema: pa.Schema, act: Act, *, facts: Mapping[str, Any]) -> Landed:
        self.alive()
        snapshot = self._see(schema, replace=False)
        change, version = Change(()), snapshot.version + 1
        try:
            change = act(snapshot, _properties([Transaction(APP_ID, snapshot.transaction + 1)], facts))
        except (DeltaError, OSError) as error:
            version = self._landed_anyway(snapshot, facts, error)
        self.table.synced(version)
        return Landed(version, change)

    def _facts(self, bookmark: Any) -> dict[str, Any]:
        """Return what the log keeps of a commit, by which it is also known again."""
        self._number += 1
        known = {SOURCE: self.source, STARTED: self.started_ms, KEYS: list(self.keys) or None, BOOKMARK: bookmark}
        return {RUN: self.run, COMMIT: self._number} | {name: fact for name, fact in known.items() if fact is not None}

    def _see(self, schema: pa.Schema, *, replace: bool) -> Snapshot:
        snapshot = self.table.snapshot()
        if snapshot is None:
            self.contract.new_table(self.table.stream)
            return self.table.create(schema)
        if replace:
            _refuse_foreign(snapshot, self.table.stream)
            ready = self.table.allow(schema, snapshot)
        else:
            incoming = in_table(schema, snapshot.schema, self.keys)
            ready = self._evolved(snapshot, self.contract.evolved(snapshot.schema, incoming))
        if ready is None:
            raise _LostRaceError
        return ready

    def _evolved(self, snapshot: Snapshot, schema: pa.Schema) -> Snapshot | None:
        """Return the table with these columns; None where another writer was first."""
        if schema.equals(snapshot.schema):
            return snapshot
        if is_rewrite(snapshot.schema, schema):
            return rewrite(self.table, snapshot, schema, self.keys, self.contract.limit_bytes, self.alive)
        return self.table.widen(schema)

    def _retried(self, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_LostRaceError),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=MAX_PAUSE_S),
            stop=tenacity.stop_after_attempt(MAX_TRIES),
        )
        try:
            done: T = tries(self._renewed, act, *arguments, **named)
        except tenacity.RetryError as error:
            raise StoreError(
                "other writers were faster in every try",
                remedy="let fewer programs write this table at the same time",
                stream=self.table.stream,
                tries=MAX_TRIES,
            ) from error
        return done

    def _renewed(self, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Act; credentials that a store refused count as a lost race where there are newer ones by now."""
        options = self.table.store.options
        try:
            return act(*arguments, **named)
        except (DeltaError, OSError) as error:
            if is_denied(error) and self.table.store.options != options:
                raise _LostRaceError from error
            raise

    def _commit(
        self, snapshot: Snapshot, change: Change, schema: pa.Schema, noted: Mapping[str, int], facts: Mapping[str, Any]
    ) -> int:
        transactions = [Transaction(name, number) for name, number in noted.items()]
        transaction = self.table.transaction(snapshot) + 1
        transactions.append(Transaction(APP_ID, transaction))
        adds = [add_action(file, new=not change.moves) for file in change.adds]
        removes = [] if change.replaces else [remove_action(file, new=not change.moves) for file in change.removes]
        try:
            snapshot.delta.create_write_transaction(
                [*adds, *removes],
                mode="overwrite" if change.replaces else "append",
                schema=Schema.from_arrow(schema),
                partition_by=list(snapshot.partition_by),
                commit_properties=_properties(transactions, facts),
                post_commithook_properties=_afterwards(snapshot.version + 1),
            )
        except (DeltaError, OSError) as error:
            return self._landed_anyway(snapshot, facts, error)
        self.table.committed(snapshot.version + 1, transaction)
        return snapshot.version + 1

    def _landed_anyway(self, snapshot: Snapshot, facts: Mapping[str, Any], error: DeltaError | OSError) -> int:
        """Return the version that holds this commit although an error was reported: a lost answer is no failure."""
        now = self.table.snapshot()
        if now is not None and now.version > snapshot.version:
            for entry in now.delta.history(now.version - snapshot.version):
                if entry.get(RUN) == facts[RUN] and entry.get(COMMIT) == facts[COMMIT]:
                    return int(entry["version"])
        if isinstance(error, CommitFailedError):
            raise _LostRaceError from error
        if isinstance(error, OSError):
            raise error
        raise StoreError(
            "the table refused a commit", stream=self.table.stream, path=self.table.store.uri, why=said_by(error)
        ) from error


def _properties(transactions: list[Transaction], facts: Mapping[str, Any]) -> CommitProperties:
    return CommitProperties(custom_metadata=dict(facts), max_commit_retries=ONE_TRY, app_transactions=transactions)


def _afterwards(version: int) -> PostCommitHookProperties:
    """Return what delta-rs does behind a commit: to look for old entries it lists the whole log."""
    return PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=version % TIDY_EVERY == 0)


def check(change: Change, snapshot: Snapshot) -> None:
    """Stop where a file that goes is not a live one, whose rows would stay, or one that comes fits no partition."""
    others = change.partitioning is not None and change.partitioning != snapshot.partitioning
    if others or any(set(file.partition) != set(snapshot.partition_by) for file in change.adds):
        raise SafetyStopError(
            "files were written for other partitions than the table has by now; nothing was committed",
            remedy="run again, in full where rows were staged",
        )
    live = {file.path for file in snapshot.files} if change.removes else set()
    if lost := [file.path for file in change.removes if file.path not in live or not file.is_removable]:
        raise SafetyStopError(
            "a file that should be replaced is not in the table; nothing was committed",
            remedy="run again; if it stays, report it",
            file=lost[0],
            files=len(lost),
        )


def _refuse_foreign(snapshot: Snapshot, stream: str) -> None:
    if snapshot.is_foreign:
        raise SafetyStopError(
            "a full load cannot replace a table with these features",
            remedy="drop the table, or set activate_version to ignore and load it by upsert",
            stream=stream,
            features=" ".join(snapshot.foreign_features) or "partition type",
        )
