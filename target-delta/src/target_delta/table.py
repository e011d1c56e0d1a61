"""A Delta table: opened, created, given the columns it needs, and seen at one version.

Takes a store and Arrow schemas; gives snapshots. Refuses a table that is another stream's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, TableFeatures, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from singerkit.errors import SafetyStopError, StoreError
from target_delta.faults import is_denied, said_by
from target_delta.partitioning import PROPERTY, Wanted, agree
from target_delta.snapshot import Snapshot
from target_delta.warehouse import refuse_nested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_delta.partition import Partitioning
    from target_delta.store import Store

ONE_TRY = 0  # delta-rs's own retry commits an insert beside a foreign one: a key doubles


REMOTE = {"delta.checkpointInterval": "10"}
"""Properties of a new table in an object store: opening it asks for each entry behind the last checkpoint, twice."""

SnapshotOrNone = TypeVar("SnapshotOrNone", Snapshot, Snapshot | None)


class Table:
    """The Delta table of one stream; `wanted` is how it is partitioned if it is made here."""

    def __init__(self, store: Store, stream: str, wanted: Wanted | None = None) -> None:
        self.store = store
        self.stream = stream
        self.wanted = wanted or Wanted()
        self._delta: DeltaTable | None = None
        self._opened_with: dict[str, str] = {}
        self._committed = (-1, -1)
        """The version of our newest commit, and its transaction."""

    def snapshot(self) -> Snapshot | None:
        """Return the newest version of the table, or None where there is no table.

        Where the store refuses the credentials and there are newer ones by now, it is asked again with those.
        """
        options = self.store.options
        try:
            return self._newest(options)
        except OSError as error:
            if not is_denied(error) or self.store.options == options:
                raise
        return self._newest(self.store.options)

    def _newest(self, options: dict[str, str]) -> Snapshot | None:
        try:
            if self._delta is None or options != self._opened_with:
                self._delta, self._opened_with = self._open(options), options
            else:
                self._delta.update_incremental()
        except TableNotFoundError:
            self._delta = None
        return None if self._delta is None else Snapshot(self._delta)

    def transaction(self, snapshot: Snapshot) -> int:
        """Return the newest transaction of this loader; behind a commit of ours nothing is read for it."""
        version, transaction = self._committed
        return transaction if version == snapshot.version else snapshot.transaction

    def committed(self, version: int, transaction: int) -> None:
        """Note a commit of ours."""
        self._committed = version, transaction

    @property
    def partitioning(self) -> Partitioning:
        """How the table is partitioned, or how it will be where there is none yet."""
        seen = self.snapshot()
        return self.wanted.partitioning if seen is None else seen.partitioning

    def create(self, schema: pa.Schema) -> Snapshot:
        """Make an empty table, unless another writer has just made it, and return its snapshot."""
        refuse_nested(self.store, self.stream)
        chosen = self.wanted.partitioning
        try:
            DeltaTable.create(
                self.store.uri,
                schema=Schema.from_arrow(chosen.schema(schema)),
                partition_by=list(chosen.columns),
                name=self.stream,
                configuration=self.wanted.properties | ({} if self.store.root else REMOTE),
                raise_if_key_not_exists=False,  # a property of ours is not one that delta-rs knows
                storage_options=self.store.options,
            )
        except DeltaError as error:
            if not DeltaTable.is_deltatable(self.store.uri, self.store.options):
                raise StoreError(
                    "the table cannot be made",
                    remedy="see whether the path can be written, with the storage_options that are set",
                    stream=self.stream, path=self.store.uri, why=said_by(error),
                ) from error  # fmt: skip
        made = self.snapshot()
        if made is None:
            raise StoreError("the table vanished after it was made", stream=self.stream, path=self.store.uri)
        self.store.sync_root()
        return self._synced(made)

    def widen(self, schema: pa.Schema) -> Snapshot | None:
        """Give the table the columns of this schema in a commit of its own; None where another writer was first.

        An append whose files hold a new column would commit, and lose it: delta-rs leaves the table's schema alone.
        """
        try:
            write_deltalake(
                self.store.uri,
                schema.empty_table(),
                mode="append",
                schema_mode="merge",
                storage_options=self.store.options,
                commit_properties=CommitProperties(max_commit_retries=ONE_TRY),
            )
        except CommitFailedError:
            return None
        return self._synced(self.snapshot())

    def allow(self, schema: pa.Schema, snapshot: Snapshot) -> Snapshot | None:
        """Enable what an overwrite with this schema needs; None where another writer was first.

        An overwrite that brings the first timestamp without a zone leaves a table that no reader opens.
        """
        protocol = snapshot.delta.protocol()
        if "timestampNtz" in (protocol.writer_features or ()) or not any(_has_local_time(f.type) for f in schema):
            return snapshot
        try:
            snapshot.delta.alter.add_feature(
                TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True
            )
        except CommitFailedError:
            return None
        return self._synced(self.snapshot())

    def synced(self, version: int) -> None:
        """Force a version of the log to the disk, with the checkpoint that it may have brought."""
        checkpoint = [f"_delta_log/{version:020}.checkpoint.parquet", "_delta_log/_last_checkpoint"]
        self.store.sync([f"_delta_log/{version:020}.json", *filter(self.store.is_on_disk, checkpoint)])

    def _synced(self, snapshot: SnapshotOrNone) -> SnapshotOrNone:
        if snapshot is not None:
            self.synced(snapshot.version)
        return snapshot

    def _refuse_empty_entry(self, delta: DeltaTable) -> None:
        """Stop behind a log entry that a power cut left without content: to delta-rs it is a commit of nothing."""
        entry = f"_delta_log/{delta.version():020}.json"
        if self.store.root and self.store.size(entry) == 0:
            raise StoreError(
                "the newest entry of the table's log is empty: what was committed there is lost",
                remedy="remove the entry, and let the source send again what came since the one before",
                stream=self.stream, path=self.store.uri, entry=entry,
            )  # fmt: skip

    def _open(self, options: dict[str, str]) -> DeltaTable:
        try:
            delta = DeltaTable(self.store.uri, storage_options=options)
        except TableNotFoundError:
            raise
        except DeltaError as error:
            raise StoreError(
                "the table cannot be read", remedy="look at its _delta_log", path=self.store.uri, why=said_by(error)
            ) from error
        self._refuse_empty_entry(delta)
        named, made_here = delta.metadata().name, PROPERTY in delta.metadata().configuration
        alike = named and self.stream and (made_here or named.casefold() == self.stream.casefold())
        if alike and named != self.stream:
            raise SafetyStopError(
                "the table belongs to another stream",
                remedy="give one of the two another path with table_path, or another name with stream_maps __alias__",
                stream=self.stream,
                table=named,
                path=self.store.uri,
            )
        agree(self.wanted, Snapshot(delta).partitioning, self.stream)
        return delta


def added_columns(before: pa.Schema, after: pa.Schema) -> Sequence[str]:
    """Return the names that the second schema has and the first has not."""
    return [name for name in after.names if name not in before.names]


def _has_local_time(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    return any(_has_local_time(kind.field(place).type) for place in range(kind.num_fields))
