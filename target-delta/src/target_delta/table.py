"""A Delta table: opened, created, given the columns it needs, and seen at one version.

Takes a store and Arrow schemas; gives snapshots. Refuses a table that is another stream's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, TableFeatures, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from singerkit.errors import SafetyStopError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_delta.store import Store

APP_ID = "target-delta"
FULL_LOAD_ID = "target-delta.full-load"
"""The transaction of this name holds the version of the last full load that was swapped in."""
ONE_TRY = 0  # delta-rs's own retry commits an insert beside a foreign one: a key doubles
_KEPT = "!$&'()+,/:;=@~"  # what delta-rs does not encode in a path, beside letters, digits and _.-
_OURS = {"timestampNtz"}  # the table features that our own reading and writing of files respects
_HARMLESS = {"appendOnly", "invariants", "v2Checkpoint", "vacuumProtocolCheck", "inCommitTimestamp", "domainMetadata"}


@dataclass(frozen=True)
class LiveFile:
    """A data file that the log names: `path` as on disk, the rest as the log has it."""

    path: str
    size: int
    rows: int | None
    partition: Mapping[str, str | None] = field(default_factory=dict)
    logged: str = ""

    @property
    def is_removable(self) -> bool:
        """Whether a Remove by delta-rs names this file as the log does; else nothing goes and rows double."""
        return quote(self.path, safe=_KEPT) == self.logged


class Snapshot:
    """A table at one version: what a change is planned from, and what it is committed against."""

    def __init__(self, delta: DeltaTable) -> None:
        self.delta = delta
        self.version = delta.version()
        self.schema = arrow_schema(delta)
        self.partition_by = tuple(delta.metadata().partition_columns)

    @property
    def transaction(self) -> int:
        """The newest transaction version of this loader in this snapshot; -1 before the first."""
        found = self.delta.transaction_version(APP_ID)
        return -1 if found is None else int(found)

    @property
    def full_load(self) -> int | None:
        """The version of the last full load that was swapped in, or None."""
        found = self.delta.transaction_version(FULL_LOAD_ID)
        return None if found is None else int(found)

    @cached_property
    def actions(self) -> pa.Table:
        """The add actions of the live files with their statistics, one row a file."""
        return pa.table(self.delta.get_add_actions(flatten=True))

    @cached_property
    def files(self) -> list[LiveFile]:
        """The live files, in the order of `actions`."""
        texts = {
            column: self.actions[f"partition.{column}"].cast(pa.string()).to_pylist() for column in self.partition_by
        }
        return [
            LiveFile(
                path=unquote(row["path"]),
                size=row["size_bytes"],
                rows=row["num_records"],
                partition={column: values[place] for column, values in texts.items()},
                logged=row["path"],
            )
            for place, row in enumerate(self.actions.select(["path", "size_bytes", "num_records"]).to_pylist())
        ]

    @cached_property
    def foreign_features(self) -> list[str]:
        """The features of the table that only delta-rs itself knows how to respect; none in a table made here."""
        protocol = self.delta.protocol()
        named = {*(protocol.writer_features or ()), *(protocol.reader_features or ())} - _OURS - _HARMLESS
        if self.delta.metadata().configuration.get("delta.enableChangeDataFeed") == "true":
            named.add("changeDataFeed")
        named |= {"columnMapping" for _ in [1] if _mode(self.delta, "delta.columnMapping.mode") not in {"", "none"}}
        named |= {
            "checkConstraints" for key in self.delta.metadata().configuration if key.startswith("delta.constraints")
        }
        return sorted(named)

    @cached_property
    def is_foreign(self) -> bool:
        """Whether this loader leaves the writing of data files in this table to delta-rs."""
        kinds = [self.schema.field(column).type for column in self.partition_by]
        return bool(self.foreign_features) or not all(map(is_partition_type, kinds)) or not self._is_removable

    @property
    def _is_removable(self) -> bool:
        return all(file.is_removable for file in self.files)


def is_partition_type(kind: pa.DataType) -> bool:
    """Return whether values of this type are written and read here as partition values without a change."""
    checks = (pa.types.is_string, pa.types.is_integer, pa.types.is_date32, pa.types.is_boolean)
    return any(check(kind) for check in checks)


def arrow_schema(delta: DeltaTable) -> pa.Schema:
    """Return the schema of a table as Arrow has it."""
    return pa.schema(delta.schema().to_arrow())


SnapshotOrNone = TypeVar("SnapshotOrNone", Snapshot, Snapshot | None)


class Table:
    """The Delta table of one stream."""

    def __init__(self, store: Store, stream: str) -> None:
        self.store = store
        self.stream = stream
        self._delta: DeltaTable | None = None

    def snapshot(self) -> Snapshot | None:
        """Return the newest version of the table, or None where there is no table."""
        try:
            if self._delta is None:
                self._delta = self._open()
            else:
                self._delta.update_incremental()
        except TableNotFoundError:
            self._delta = None
        return None if self._delta is None else Snapshot(self._delta)

    def create(self, schema: pa.Schema) -> Snapshot:
        """Make an empty table, unless another writer has just made it, and return its snapshot."""
        try:
            DeltaTable.create(
                self.store.uri, schema=Schema.from_arrow(schema), name=self.stream, storage_options=self.store.options
            )
        except DeltaError as error:
            if not DeltaTable.is_deltatable(self.store.uri, self.store.options):
                raise StoreError("the table cannot be made", stream=self.stream, why=first_line(error)) from error
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

    def _open(self) -> DeltaTable:
        try:
            delta = DeltaTable(self.store.uri, storage_options=self.store.options)
        except TableNotFoundError:
            raise
        except DeltaError as error:
            raise StoreError(
                "the table cannot be read", remedy="look at its _delta_log", path=self.store.uri, why=first_line(error)
            ) from error
        named = delta.metadata().name
        if named and named != self.stream and named.casefold() == self.stream.casefold():
            raise SafetyStopError(
                "the table belongs to another stream",
                remedy="give one of the two another name with stream_maps __alias__, or another path",
                stream=self.stream,
                table=named,
                path=self.store.uri,
            )
        return delta


def first_line(error: BaseException) -> str:
    """Return what an error of delta-rs says, without the backtrace below it."""
    return str(error).strip().split("\n", 1)[0]


def added_columns(before: pa.Schema, after: pa.Schema) -> Sequence[str]:
    """Return the names that the second schema has and the first has not."""
    return [name for name in after.names if name not in before.names]


def _mode(delta: DeltaTable, key: str) -> str:
    return str(delta.metadata().configuration.get(key) or "")


def _has_local_time(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    return any(_has_local_time(kind.field(place).type) for place in range(kind.num_fields))
