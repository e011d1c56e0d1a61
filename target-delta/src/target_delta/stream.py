"""One stream's life: schema, rows in memory, a batch in the table; or a full load, staged and swapped in.

Takes messages of the stream in their order; gives jobs to the worker and counts to the ledger. Refuses NULL in a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from target_delta.batches import delete, read_batches
from target_delta.buffer import Buffer
from target_delta.commit import Committer
from target_delta.errors import InvalidRecordError, MissingKeyError
from target_delta.files import Layout
from target_delta.full_load import Stager
from target_delta.ledger import full_load_of
from target_delta.loaders import Appender, Loader, Skipper, SoFar, Upserter
from target_delta.metadata import add_metadata, with_metadata
from target_delta.names import table_address
from target_delta.omitted import with_omitted
from target_delta.parse import RecordParser
from target_delta.partition_choice import wanted
from target_delta.resume import Resume
from target_delta.staging import Progress, clean, resume
from target_delta.stale import Stale
from target_delta.store import Store
from target_delta.table import Table
from target_delta.upkeep.maintain import Upkeep, after_run
from target_delta.versions import version_keys
from target_delta.wall import store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from target_delta.lines import Records
    from target_delta.plan import Change
    from target_delta.run import Run
    from target_delta.schema import StreamSchema
    from target_delta.settings import LoadMethod
    from target_delta.staging import Staging

_MS = 1000
SLICE_BYTES = 32 << 20  # of rows that may leave memory before their batch is complete


class Stream:
    """The rows of one stream on their way into its table."""

    def __init__(self, run: Run, schema: StreamSchema, source: str, *, method: LoadMethod | None = None) -> None:
        self.run = run
        self.name = schema.stream
        self.source = source
        """The name by which the tap's STATE knows the stream."""
        self.buffer = Buffer()
        self.settled_at: float | None = None
        """When the last batch was made safe, or None before the first."""
        self._store = Store(table_address(run.settings.path, self.name), run.settings.storage_options)
        partitions = wanted(schema, run.settings.partitioning_of(self.name))
        started_ms = int(run.started.timestamp() * _MS)
        table = Table(self._store, self.name, partitions)
        self._committer = Committer(table, run.id, run.worker.alive, source, started_ms)
        self._resume = None if method else Resume(self._store, self.name, started_ms=started_ms)
        """What is left out of an append; nothing of rows that are made here."""
        self._unmarked = 0
        """The rows that came after the newest STATE."""
        self._batch = _Batch()
        self._method = method or run.settings.method_of(self.name, keyed=bool(schema.keys))
        self.invalid: list[InvalidRecordError] = []
        """Records that do not fit; whoever handed them in takes them to the quarantine."""
        self._version: int | None = None
        self._repeated: int | None = None
        self._progress: Progress | None = None
        self._keep_schema(schema)
        self._loader: Loader = self._table_loader()
        self._overwrites = self._method in {"overwrite", "overwrite-stale"}
        if self._overwrites:
            self.begin(started_ms)

    @property
    def unfinished(self) -> bool:
        """Whether rows are staged that only the end of their full load brings into the table."""
        return isinstance(self._loader, Stager) and bool(self._loader.staging.files)

    def age_s(self, now: float) -> float:
        """Return for how long the oldest row of the batch has waited, also if it has left memory."""
        return 0.0 if self._batch.since is None else now - self._batch.since

    def take_schema(self, schema: StreamSchema) -> None:
        """Go on with another schema, after the rows of the old one; a schema that says the same costs nothing."""
        if schema == self.schema:
            return
        self.flush()
        self._keep_schema(schema)
        if isinstance(self._loader, Stager):
            old = self._loader
            self._loader = self._stager(old.staging, whole=False)
        else:
            self._loader = self._table_loader()

    def take_lines(self, records: Records) -> None:
        """Take RECORD lines."""
        parsed = self._parser.parse(records.lines, self._on_invalid, rows=records.rows)
        rows = parsed.rows
        if self.run.settings.add_record_metadata:
            rows = self._stamped(rows, parsed.extracted_at)
        if isinstance(self._loader, Upserter):  # elsewhere nothing is stored that could stay
            rows = with_omitted(rows, parsed.omitted)
        self._take(rows, size=len(records.lines))

    def take_files(self, message: Mapping[str, Any]) -> None:
        """Take the files of a BATCH message, after the rows that came before it."""
        options = self.run.settings.storage_options
        for batch in read_batches(message, self.schema, options, self._on_invalid):
            self._refuse_null_keys(batch)
            rows = self._stamped(batch, None) if self.run.settings.add_record_metadata else batch
            self._take(rows, size=batch.nbytes)
        self._batch.consumed.append(message)

    def take_rows(self, rows: pa.RecordBatch) -> None:
        """Take rows that are made here."""
        self._take(rows, size=rows.nbytes)

    def activate(self, version: int) -> None:
        """Begin the full load of this version, or complete it where it has begun."""
        self._overwrites = False  # the tap says itself when the load is complete
        if version in (self._version, self._repeated):
            self.complete()
        else:
            self.begin(version)

    def begin(self, version: int) -> None:
        """Stage what comes from now on; what came before is written first, another unfinished load is given up."""
        self.flush()
        abandoned = self._loader.staging if isinstance(self._loader, Stager) else None
        progress = full_load_of(dict(self.run.state), self.source)
        known = progress if progress and progress.get("version") == version else None
        self.run.worker.settle()
        with store_errors(self.name, self._store.uri):
            if abandoned is not None:
                abandoned.discard()
            if known is not None and self._swapped_in_before(version):
                self._repeat(version)
                return
            clean(self._store, datetime.now(UTC), keep=version)
            staging = resume(self._store, self.name, version, known)
        self._version, self._progress = version, known
        self._loader = self._stager(staging, whole=not staging.entries)
        self.run.ledger.hold(self.name, version, self.source)

    def finish(self) -> None:
        """The input has ended: write what is left; a load that ends with the input replaces the table."""
        if self._version is not None and (self._overwrites or self.run.settings.activate_version == "once"):
            self.complete()
        else:
            self.flush()

    def complete(self) -> None:
        """Put the full load in the place of the table's rows."""
        self.flush()
        stager, bookmark = self._loader, self.run.bookmark(self.source)
        if not isinstance(stager, Stager):
            self._repeated, self._loader = None, self._table_loader()
            return
        upto = self._batch.received
        self._submit(lambda: stager.complete(bookmark), lambda change: self._swapped(upto, change))
        self.run.ledger.swap(self.name)
        self._version = None
        self._loader = self._table_loader()

    def note_state(self) -> None:
        """Note where the newest STATE stands among the rows, and end a manifest that it goes on from in a full load."""
        self._unmarked = 0
        if self._batch.marks and (bookmark := self.run.bookmark(self.source)) != self._batch.marks[-1][0]:
            self._batch.marks.append((bookmark, self._batch.rows))
        progress = full_load_of(dict(self.run.state), self.source)
        if self._version is None or progress is None or progress.get("version") != self._version:
            return
        if progress != self._progress:
            self._progress = progress
            self._batch.progress.append(progress)
            self.flush()
            self.run.worker.settle()  # the STATE must not leave before the manifest that it goes on from

    def flush(self) -> None:
        """Make every row that came so far safe: in the table, or in a manifest of the full load."""
        batch, loader = self._batch, self._loader
        if not batch.rows and not batch.progress and not batch.consumed:
            return
        rows, bookmark = self.buffer.take(), self.run.bookmark(self.source)
        left = bool(self.run.ledger.left(self.source))
        self._batch = _Batch(received=batch.received)

        def job() -> Change:
            if rows is not None:
                loader.write(rows)
            return loader.settle(SoFar(bookmark, batch.progress, batch.marks, left=left))

        self._submit(job, lambda change: self._settled(batch, loader, change))

    def end(self) -> None:
        """Let the table remember that the run ended well, where rows were appended that could come again.

        A tap that crashed ends its output too, but not behind a STATE; one that never sends a STATE is believed.
        """
        appended = isinstance(self._loader, Appender) and self._resume is not None and self._resume.is_due
        if appended and (not self._unmarked or not self.run.state):
            with store_errors(self.name, self._store.uri):
                self._committer.end(self.run.bookmark(self.source))

    def look_after(self) -> None:
        """Keep the table fast, where this run wrote to it and the settings ask for it."""
        chosen = self.run.settings
        if chosen.compact_files and self.run.report.streams[self.name]["commits"]:
            upkeep = Upkeep(self._layout(), chosen.vacuum_hours, chosen.compact_files)
            after_run(self._committer.table, upkeep, self.run.worker.alive)

    def abandon(self) -> None:
        """Delete what no log and no manifest names; called once the worker has ended."""
        self.buffer.take()
        self._loader.abandon()

    @property
    def _on_invalid(self) -> Callable[[InvalidRecordError], None] | None:
        return self.invalid.append if self.run.settings.on_invalid_record == "quarantine" else None

    def _take(self, rows: pa.RecordBatch, *, size: int) -> None:
        run = self.run
        if not self._batch.rows:
            self._batch.marks.append((run.bookmark(self.source), 0))
            if self._resume is not None:
                self._resume.start(run.bookmark(self.source))
        self._unmarked += rows.num_rows
        self._batch.received = run.ledger.received(self.name, rows.num_rows)
        self._batch.rows += rows.num_rows
        if self._batch.since is None:
            self._batch.since = run.clock()
        self.buffer.add(rows)
        self._batch.bytes += rows.nbytes
        run.report.add(self.name, rows=rows.num_rows, received_bytes=size)
        if run.settings.complete(self._batch.rows, self._batch.bytes):
            self.flush()
        elif self._loader.streams and (
            self.buffer.rows >= run.settings.row_group_rows or self.buffer.bytes >= SLICE_BYTES
        ):
            self._write_ahead()

    def _write_ahead(self) -> None:
        rows, loader = self.buffer.take(), self._loader
        self._submit(lambda: loader.write(rows), lambda _: None)

    def _submit(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def walled() -> Any:
            with store_errors(self.name, self._store.uri):
                return job()

        self.run.worker.submit(walled, then)

    def _settled(self, batch: _Batch, loader: Loader, change: Change) -> None:
        if isinstance(loader, Stager):
            self.run.ledger.staged(self.name, batch.received)
        else:
            self.run.ledger.durable(self.name, batch.received)
        self.settled_at = self.run.clock()
        self._count(change)
        for message in batch.consumed:
            delete(message, self.run.settings.storage_options)

    def _swapped_in_before(self, version: int) -> bool:
        snapshot = self._committer.table.snapshot()
        return snapshot is not None and snapshot.full_load == version

    def _repeat(self, version: int) -> None:
        """Go on where a run ended between the swap of this load and the STATE that says so: its rows are all there.

        What the tap sends again is upserted by key; without keys it is left out.
        """
        self._repeated = version
        self._loader = self._table_loader() if self.schema.keys else Skipper()
        self._version = None

    def _swapped(self, upto: int, change: Change) -> None:
        self.run.ledger.durable(self.name, upto)
        self.run.ledger.free(self.name)
        self._count(change)

    def _count(self, change: Change) -> None:
        size = sum(file.size for file in change.adds)
        self.run.report.add(
            self.name,
            inserted=change.inserted, updated=change.updated, deleted=change.deleted,
            files=len(change.adds), bytes=size, commits=int(bool(change.adds or change.replaces)),
        )  # fmt: skip

    def _keep_schema(self, schema: StreamSchema) -> None:
        self.schema = schema
        self._committer.keys = () if self._method == "append-only" else schema.keys
        self._parser = RecordParser(schema)
        stamped = self.run.settings.add_record_metadata
        self._columns: pa.Schema = with_metadata(schema.arrow) if stamped else schema.arrow

    def _table_loader(self) -> Loader:
        keys = self.schema.keys
        if self._method != "upsert":
            return Appender(self._committer, self._columns, self._layout(), self._resume)
        self._refuse_no_keys()
        hard, versions = self.run.settings.hard_delete, version_keys(self.schema)
        return Upserter(self._committer, self._columns, keys, self._layout(), hard, versions)

    def _refuse_no_keys(self) -> None:
        if not self.schema.keys:
            raise SettingsError(
                f"load_method is {self._method} for a stream that has no keys",
                remedy="give it append-only by its name: load_method: {<stream>: append-only}",
                stream=self.name,
            )

    def _stager(self, staging: Staging, *, whole: bool) -> Stager:
        chosen, keys, stale = self.run.settings, self.schema.keys, None
        if self._method == "overwrite-stale":
            self._refuse_no_keys()
            alive = self.run.worker.alive
            stale = Stale(
                self._store, self.name, keys, self._layout(), alive,
                chosen.stale_threshold, chosen.hard_delete, self.run.started,
            )  # fmt: skip
        return Stager(self._committer, self._columns, keys, self._layout(), staging, whole, chosen.hard_delete, stale)

    def _layout(self) -> Layout:
        chosen = self.run.settings
        level = 1 if chosen.compression in {"zstd", "gzip"} else None
        return Layout(
            chosen.compression, level, chosen.file_size_mb << 20, chosen.row_group_rows, chosen.dictionary_share
        )

    def _stamped(self, rows: pa.RecordBatch, extracted_at: pa.Array | None) -> pa.RecordBatch:
        now = datetime.now(UTC)
        return add_metadata(rows, extracted_at, now=now, started=self.run.started, version=self._version)

    def _refuse_null_keys(self, rows: pa.RecordBatch) -> None:
        for key in self.schema.keys:
            if rows.column(key).null_count:
                raise MissingKeyError(self.name, 0, "a key property is NULL in a BATCH file", b"", column=key)


@dataclass
class _Batch:
    """What came since the last flush: counts, what STATE said of a full load, and BATCH messages read to the end."""

    received: int = 0
    rows: int = 0
    bytes: int = 0
    since: float | None = None
    marks: list[tuple[Any, int]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    consumed: list[Mapping[str, Any]] = field(default_factory=list)
