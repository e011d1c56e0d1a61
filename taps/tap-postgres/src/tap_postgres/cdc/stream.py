"""What a stream does differently when its changes are captured: its first read, its columns, its place in STATE.

Mixed in before ArrowStream. Takes the moment of a snapshot; gives a full load of that moment, and a bookmark behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from singerkit.output import MappedRows
from singerkit.stream import ArrowStream, Checkpoint
from tap_postgres.cdc import position as positions
from tap_postgres.cdc.rows import COLUMNS, as_read
from tap_postgres.discover import TableColumn
from tap_postgres.outlet import Outlet
from tap_postgres.schema import stream_schema
from tap_postgres.values import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from singerkit.output import Output
    from tap_postgres.cdc.position import Identity
    from tap_postgres.cdc.values import Reading
    from tap_postgres.connect import BulkReader
    from tap_postgres.discover import Table
    from tap_postgres.settings import Settings
    from tap_postgres.snapshot.readers import Readers

METHOD = "LOG_BASED"


@dataclass(frozen=True)
class Moment:
    """A snapshot of the server: who reads in it, and the position that goes with it."""

    readers: Readers
    lsn: int
    server: Identity
    shape_before: Mapping[str, Any]
    """Of which table it was, when it began."""
    shape: Callable[[], Mapping[str, Any]]
    """Tells, when everything was read, of which table it is."""
    row_filter: str | None = None


class LogBased(ArrowStream):
    """A stream whose replication method may be LOG_BASED."""

    settings: Settings
    table: Table
    columns: list[Column]
    _bulk: BulkReader
    moment_of_load: Moment | None = None
    _first_lsn = 0
    _changes: Output

    @cached_property
    def outlet(self) -> Outlet:
        """Where the rows of this run go."""
        return Outlet(self.name, self._tap, self.settings)

    @property
    def replication_method(self) -> str:
        """The catalog's method, else the one that the settings name for tables."""
        unsaid = not self.forced_replication_method and not self.replication_key
        if unsaid and self.table.kind in {"r", "p"}:
            return self.settings.default_replication_method
        return super().replication_method

    @property
    def is_captured(self) -> bool:
        """Whether the changes of this stream are read from the log."""
        return self.replication_method == METHOD

    @property
    def selected_schema(self) -> dict[str, Any]:
        """The selected columns, and for a captured stream those that say what happened to a row."""
        schema = super().selected_schema
        if not self.is_captured:
            return schema
        added = {name: dict(words) for name, (_, words) in COLUMNS.items()}
        return schema | {"properties": schema["properties"] | added}

    def load(self, moment: Moment) -> None:
        """Read the whole table as it was at a moment; its bookmark then says that the changes since are to come."""
        self.moment_of_load, self._bulk = moment, moment.readers.first
        self.sync()

    def _is_full_load(self) -> bool:
        return True if self.is_captured else super()._is_full_load()

    def _full_load(self, counter: Any) -> None:
        if (moment := self.moment_of_load) is None:
            super()._full_load(counter)
            return
        load = self.stream_state.get("full_load") if self._resumed_version() is not None else None
        begun = positions.of_load(load)
        self._first_lsn = min(moment.lsn, begun.lsn) if begun else moment.lsn
        super()._full_load(counter)
        position = positions.Position(self._first_lsn, moment.server, moment.shape(), self._first_lsn)
        self.stream_state.update(position.as_bookmark())

    # -- changes ---------------------------------------------------------------------------------------------------

    def restrict(self, names: Sequence[str]) -> None:
        """Do without the columns that the log does not have: their values would grow old."""
        if missing := [column.name for column in self.columns if column.name not in names]:
            kept = [column for column in self.table.columns if column.name in names]
            self._keep(kept, [column for column in self.columns if column.name in names])
            self.logger.info("columns are not published, stream=%s, columns=%s", self.name, " ".join(missing))

    def adopt(self, readings: Iterable[Reading]) -> None:
        """Go on with other columns: the table was altered."""
        found = list(readings)
        comments = {column.name: column.comment for column in self.table.columns}
        columns = [
            TableColumn(reading.name, reading.type, nullable=True, comment=comments.get(reading.name))
            for reading in found
        ]
        self._keep(columns, [Column(reading.name, reading.rendering) for reading in found])

    def _keep(self, of_table: Sequence[TableColumn], columns: list[Column]) -> None:
        self.table, self.columns = replace(self.table, columns=tuple(of_table)), columns
        self._schema = stream_schema(self.table, self.columns)
        self._tap.mapper.register_raw_stream_schema(self.name, self.selected_schema, self.primary_keys)
        self._stream_maps = None  # singer-sdk keeps those of the schema before

    def announce(self) -> None:
        """Write the SCHEMA of the changes."""
        self._write_schema_message()
        output = self._output()
        self._changes = output if isinstance(output, MappedRows) else self.outlet.of_changes()

    def announce_version(self, version: int) -> None:
        """Write ACTIVATE_VERSION."""
        self._write_activate_version_message(version)

    def write_changes(self, batch: pa.RecordBatch) -> None:
        """Write rows of changes, which may say what they omit."""
        self._changes.write(batch)
        self._tap.report.add(self.name, read=batch.num_rows, written=batch.num_rows)

    # -- rows of a snapshot ----------------------------------------------------------------------------------------

    @property
    def added_fields(self) -> list[pa.Field]:
        """The fields that files of a captured stream have beside its columns."""
        return [pa.field(name, kind) for name, (kind, _) in COLUMNS.items()] if self.is_captured else []

    def seen_at_moment(
        self, items: Iterable[pa.RecordBatch | Checkpoint]
    ) -> Generator[pa.RecordBatch | Checkpoint, None, None]:
        """Yield what was read, rows with the position at which they were."""
        moment = self.moment_of_load
        for item in items:
            yield item if moment is None or isinstance(item, Checkpoint) else as_read(item, moment.lsn)

    def after_of_moment(self, after: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what STATE says after a part of a load: where its changes begin, and of which table it was."""
        load, moment = after.get("full_load"), self.moment_of_load
        if moment is None or not isinstance(load, dict):
            return after
        begun = positions.Position(self._first_lsn, moment.server, moment.shape_before, self._first_lsn)
        return {**after, "full_load": {**load, **begun.as_load()}}
