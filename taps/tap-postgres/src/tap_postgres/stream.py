"""One table as a stream: its schema and hints, and its rows read by ADBC.

Takes a discovered Table and the Settings; gives conformed Arrow batches with checkpoints. Refuses a replication key
that the table does not have or that has no order, and a bookmark of another type.
"""

from __future__ import annotations

import contextlib
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from singer_sdk.singerlib import Metadata, MetadataMapping, StreamMetadata

from singerkit import bookmarks
from singerkit.checks.survey import SHOWN, Survey
from singerkit.errors import CredentialsError, SettingsError
from singerkit.output import rows_of
from singerkit.stream import Checkpoint
from tap_postgres import query, reads
from tap_postgres.cdc.stream import LogBased
from tap_postgres.expected import counted
from tap_postgres.filters import condition
from tap_postgres.schema import VIEWS, stream_schema
from tap_postgres.snapshot.parts import is_resumable, parts_of
from tap_postgres.snapshot.readers import one_snapshot
from tap_postgres.types import rendering
from tap_postgres.values import Column, bookmarkable, conform

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from singer_sdk.singerlib import CatalogEntry

    from singerkit.output import Output
    from tap_postgres.connect import BulkReader
    from tap_postgres.discover import Table
    from tap_postgres.settings import Settings
    from tap_postgres.snapshot.readers import Readers
    from tap_postgres.tap import TapPostgres


class PostgresStream(LogBased):
    """A table, view, materialized view or foreign table."""

    _tap: TapPostgres
    _readers: Readers | None = None

    def __init__(self, tap: TapPostgres, table: Table, settings: Settings, bulk: BulkReader) -> None:
        self.table, self.settings, self._bulk = table, settings, bulk
        self.columns = [Column(column.name, rendering(column.type)) for column in table.columns]
        super().__init__(tap, schema=stream_schema(table, self.columns), name=table.stream)
        self.primary_keys = table.keys

    # -- catalog --------------------------------------------------------------------------------------------------

    @property
    def metadata(self) -> MetadataMapping:
        """The catalog's metadata, else our own: keys are automatic, any ordered column may be the replication key."""
        if self._metadata is None and not (self._tap_input_catalog and self._tap_input_catalog.get_stream(self.name)):
            self._metadata = self._discovered_metadata()
        return super().metadata

    def _discovered_metadata(self) -> MetadataMapping:
        kinds = Metadata.InclusionType
        mapping = MetadataMapping()
        xmin = [reads.XMIN] if self.table.kind in {"r", "p", "m"} else []
        mapping[()] = StreamMetadata(
            inclusion=kinds.AVAILABLE,
            selected=self._tap_input_catalog is None,
            selected_by_default=self.selected_by_default,
            table_key_properties=list(self.table.keys),
            valid_replication_keys=[column.name for column in self.columns if column.rendering.ordered] + xmin,
            schema_name=self.table.schema,
        )
        for column in self.columns:
            inclusion = kinds.AUTOMATIC if column.name in self.table.keys else kinds.AVAILABLE
            mapping["properties", column.name] = Metadata(inclusion=inclusion)
        return mapping

    @property
    def _singer_catalog_entry(self) -> CatalogEntry:
        entry = super()._singer_catalog_entry
        entry.database, entry.table = self.settings.database, self.table.name
        entry.is_view, entry.row_count = self.table.kind in VIEWS, self.table.rows
        return entry

    @property
    def is_sorted(self) -> bool:
        """Incremental rows come in the order of the replication key."""
        return True

    # -- rows -----------------------------------------------------------------------------------------------------

    def open_output(self) -> Output:
        """Return RECORD lines or files, as the setting `output` says."""
        fields = [pa.field(column.name, column.rendering.arrow) for column in self.selected_columns]
        return self.outlet.of_rows(pa.schema([*fields, *self.added_fields]))

    @property
    def selected_columns(self) -> list[Column]:
        """The columns of this run, in the table's order."""
        return [column for column in self.columns if self.mask["properties", column.name]]

    def can_resume(self, load: Mapping[str, Any]) -> bool:
        """Go on where a load by key ranges ended; of captured tables, those without a key begin again."""
        if self.is_captured and not (self.settings.resume_snapshots and self.primary_keys and "lsn" in load):
            return False
        return is_resumable(self.table, load)

    def read(self, version: int | None) -> Generator[pa.RecordBatch | Checkpoint, None, None]:
        """Yield the rows of this run; nothing is sent before all SELECTs are known to make sense."""
        columns = self.selected_columns
        if version is not None:
            yield from self.seen_at_moment(self._full(columns, version))
        elif self.replication_key == reads.XMIN:
            yield from self._by_xmin(columns)
        else:
            for step in list(self._incremental(columns)):
                yield from self._rows(step, columns)

    def cancel(self) -> None:
        """Ask the server to stop the queries at hand."""
        self._bulk.cancel()
        if self._readers is not None:
            self._readers.cancel()

    # -- looking before a sync ------------------------------------------------------------------------------------

    def probe(self) -> str:
        """Ask for one row; what is not granted is said as the SQL that grants it."""
        with self._granting():
            asked = query.first(self.table, self.selected_columns, where=self.scope.where)
            found = self._tap.lookout.has_rows(asked, self.name)
        if found is None:
            return "not proved: its first row did not come in time"
        return "" if found else "there are no rows yet"

    def sample(self, limit: int) -> Iterator[Mapping[str, Any]]:
        """Yield the first rows that the server finds."""
        columns = self.selected_columns
        for raw in self._raw(reads.Read(query.first(self.table, columns, limit, self.scope.where))):
            yield from rows_of(self.name, conform(raw, columns, self.settings.out_of_range, self.name))

    def survey(self) -> Survey:
        """Let the server count, also the keys that name more than one row where no unique index vouches for them."""
        column = next((column for column in self.columns if column.name == self.replication_key), None)
        timed = column is not None and pa.types.is_temporal(column.rendering.arrow)
        asked = query.count(self.table, column.name if column else None, timed=timed, where=self.scope.where)
        with self._granting():
            rows, empty, ahead = self._of_all_rows(asked)[0]
            twice = self.duplicates()
        return Survey(rows, twice, *((empty, ahead) if column else (None, None)))

    def duplicates(self) -> Sequence[str] | None:
        """Return keys that name more than one row, a few of them; None where there are no keys."""
        if not self.primary_keys:
            return None
        if set(self.table.keys) and set(self.table.keys) <= set(self.primary_keys):
            return ()  # a unique index over NOT NULL columns vouches for them
        asked = query.duplicates(self.table, self.primary_keys, SHOWN, self.scope.where)
        with self._granting():
            return [json.dumps(row[0], ensure_ascii=False) for row in self._of_all_rows(asked)]

    def _of_all_rows(self, sql: str) -> list[Any]:
        return self._tap.lookout.fetched_patiently(sql, self.name, self._tap.raise_if_stopped)

    def rows_to_sync(self) -> int | None:
        """Return the server's estimate for a whole table, and a count of what a bookmark or a filter leaves.

        Counting may cost as much as reading: it is done where rows are limited, and where a person looks on.
        """
        if self.is_captured:
            return None if "capture" in self.stream_state else self.table.rows
        columns, scope = self.selected_columns, self.scope
        if self.replication_key == reads.XMIN:
            return None
        if not self.replication_key and scope.where is None and self.table.rows is not None:
            return self.table.rows
        if self.settings.max_rows is None and not self._tap.account.is_watched:
            return None
        whole = [reads.Read(query.select(self.table, columns[:1], where=scope.where))]
        with self._granting():
            selects = self._incremental(columns) if self.replication_key else whole
            return counted(selects, self._tap.lookout, self.name)

    # -- SELECTs --------------------------------------------------------------------------------------------------

    @property
    def scope(self) -> reads.Scope:
        """The rows that are meant: those of the settings' filter, and for a captured table those of its publication."""
        names = [column.name for column in self.table.columns]
        chosen = condition(self.settings.row_filters, self.name, names)
        if self.moment_of_load is None:
            return reads.Scope(chosen)
        if chosen is not None:
            remedy = "give it to the publication: ALTER PUBLICATION ... SET TABLE ... WHERE (...)"
            raise SettingsError("row_filters do not hold for changes", stream=self.name, remedy=remedy)
        return reads.Scope(query.verbatim(self.moment_of_load.row_filter), only=self.table.kind == "r")

    def _full(self, columns: list[Column], version: int) -> Generator[pa.RecordBatch | Checkpoint, None, None]:
        """Yield the rows of all parts, side by side where there are several."""
        scope = self.scope
        parts = parts_of(self.table, self.stream_state.get("full_load", {}))
        queries = [
            query.select(self.table, columns, where=query.both(part.where, scope.where), only=scope.only)
            for part in parts.todo
        ]
        if len(queries) == 1:
            yield from self._rows(reads.Read(queries[0]), columns)
            return
        with self._one_snapshot() as self._readers, self._granting():
            for place, raw in self._readers.side_by_side(queries, self.name):
                if raw is not None:
                    yield conform(raw, columns, self.settings.out_of_range, self.name)
                elif after := parts.finished(parts.todo[place], version):
                    yield Checkpoint(self.after_of_moment(after), close=True)

    def _one_snapshot(self) -> AbstractContextManager[Readers]:
        """Return readers in the snapshot of this load: that of change data capture, or one of its own."""
        moment = self.moment_of_load
        return nullcontext(moment.readers) if moment else one_snapshot(self.settings, self._tap.route)

    def _incremental(self, columns: list[Column]) -> Iterator[reads.Read]:
        key = self._replication_column()
        return reads.incremental(self.table, columns, key, self._begin(key), self.scope)

    def _by_xmin(self, columns: list[Column]) -> Generator[pa.RecordBatch | Checkpoint, None, None]:
        """Yield what was written since the bookmark: the oldest transaction that was open when the last run began."""
        if self.table.kind in {"v", "f"}:
            remedy = "choose a column, or FULL_TABLE"
            raise SettingsError("only stored rows have xmin", stream=self.name, remedy=remedy)
        stored = self.stream_state.get(bookmarks.VALUE) if self.stream_state.get(bookmarks.KEY) == reads.XMIN else None
        where = {"stream": self.name, "key": reads.XMIN}
        start = None if stored is None else bookmarks.from_state(stored, pa.int64(), remedy=_STATE_REMEDY, **where)
        oldest = self._tap.lookout.fetched(_OLDEST_OPEN, self.name)[0][0]
        yield from self._rows(reads.by_xmin(self.table, columns, start, self.scope), columns)
        yield Checkpoint({bookmarks.KEY: reads.XMIN, bookmarks.VALUE: int(oldest)}, close=True)

    def _rows(self, step: reads.Read, columns: list[Column]) -> Generator[pa.RecordBatch | Checkpoint, None, None]:
        names = [column.name for column in columns]
        position = names.index(self.replication_key) if step.moves and self.replication_key else None
        for raw in self._raw(step):
            batch = conform(raw, columns, self.settings.out_of_range, self.name)
            yield batch
            if position is not None:
                newest = bookmarks.last_value(bookmarkable(batch.column(position), columns[position].rendering))
                if newest is not None:
                    yield Checkpoint({bookmarks.KEY: names[position], bookmarks.VALUE: bookmarks.to_state(newest)})

    def _raw(self, step: reads.Read) -> Generator[pa.RecordBatch, None, None]:
        with self._granting():
            yield from self._bulk.batches(step.sql, self.name)

    @contextlib.contextmanager
    def _granting(self) -> Iterator[None]:
        """Say of a refusal which SQL takes it away."""
        try:
            yield
        except CredentialsError as error:
            if "stream" not in error.where:
                raise
            raise CredentialsError(error.what, stream=self.name, remedy=self.table.grants(self._bulk.user)) from error

    def _replication_column(self) -> Column:
        key = self.replication_key
        column = next((column for column in self.columns if column.name == key), None)
        if column is None or not column.rendering.ordered:
            valid = ", ".join(column.name for column in self.columns if column.rendering.ordered)
            raise SettingsError(
                f"the replication key {key} is not a column with an order" if column else f"no replication key {key}",
                stream=self.name,
                remedy=f"choose one of: {valid or 'none, use FULL_TABLE'}",
            )
        return column

    def _begin(self, key: Column) -> reads.Begin:
        """Return where to begin: at the bookmark of this very key, and not before `start_date`."""
        state, kind = self.stream_state, key.rendering.arrow
        stored = state.get(bookmarks.VALUE) if state.get(bookmarks.KEY) == key.name else None
        dated = pa.types.is_temporal(kind)
        floor = self.settings.start_date if dated else None
        if pa.types.is_date(kind) and floor:
            floor = floor[:10]
        where = {"stream": self.name, "key": key.name}
        bookmark = None if stored is None else bookmarks.from_state(stored, kind, remedy=_STATE_REMEDY, **where)
        begin = (
            None if floor is None else bookmarks.from_state(floor, kind, remedy="set start_date as 2024-01-31", **where)
        )
        lookback = self.settings.lookback.get(self.name, self.settings.lookback.get("*"))
        return reads.Begin(bookmark, begin, lookback)


_OLDEST_OPEN = "SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())"
_STATE_REMEDY = "mend the state (`meltano state get`, `meltano state set`), or run once with --full-refresh"
