"""One stream's life: schema, rows that wait, a batch in the table; or a full load, staged and swapped in.

Takes messages of the stream in their order; gives jobs to the worker and counts to the ledger.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from target_delta.batch import Batch
from target_delta.commit import Committer
from target_delta.files import layout
from target_delta.full_load import Stager
from target_delta.intake import Intake
from target_delta.ledger import full_load_of
from target_delta.loaders import Appender, Loader, Skipper, Upserter
from target_delta.loading import Loading
from target_delta.omitted import without_omitted
from target_delta.partition_choice import wanted
from target_delta.remembering import past_of
from target_delta.resume import Resume, sorted_by
from target_delta.staging import Progress, clean, resume
from target_delta.table import Table
from target_delta.upkeep.maintain import Upkeep, after_run
from target_delta.wall import store_errors
from target_delta.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from target_delta.lines import Records
    from target_delta.run import Run
    from target_delta.schema import StreamSchema
    from target_delta.settings import LoadMethod
    from target_delta.staging import Staging

_LOGGER = logging.getLogger("target-delta")
_MS = 1000


class Stream:
    """The rows of one stream on their way into its table."""

    def __init__(self, run: Run, schema: StreamSchema, source: str, *, method: LoadMethod | None = None) -> None:
        self.run = run
        self.name = schema.stream
        self.source = source
        """The name by which the tap's STATE knows the stream."""
        self.is_taps = method is None
        """Whether a tap sends it; else its rows are made here."""
        self._store = run.store_of(self.name)
        run.prove_store(self.name)
        started_ms = int(run.started.timestamp() * _MS)
        table = Table(self._store, self.name, wanted(schema, run.settings.partitioning_of(self.name)))
        self._committer = Committer(table, run.id, run.worker.alive, source, started_ms)
        if self.is_taps:
            self._committer.contract = run.settings.contract_of(self.name)
        by = sorted_by(schema)
        self._resume = None if method else Resume(self._store, self.name, started_ms=started_ms, sorted_by=by)
        """What is left out of an append; nothing of rows that are made here."""
        chosen = method or run.settings.method_of(self.name, keyed=bool(schema.keys))
        self._loading = Loading(run, self._committer, chosen, self._resume)
        self.intake = Intake(run, schema, self._committer.contract)
        self._writing = Writing(run, self.name, source, self._store.uri)
        self._batch = Batch()
        self._unmarked = 0
        """The rows that came after the newest STATE."""
        self._version: int | None = None
        self._before = 0
        """The rows that had come before the full load of this version."""
        self._done: int | None = None
        """The version of the newest full load that is in the table."""
        self._repeated: int | None = None
        self._progress: Progress | None = None
        self._keep_schema(schema)
        self._loader: Loader = self._into_table()
        self._overwrites = self._loading.overwrites
        self._writing.follow()
        if self._overwrites and not self.intake.is_closed:
            self.begin(started_ms)

    @property
    def unfinished(self) -> bool:
        """Whether rows are staged that only the end of their full load brings into the table."""
        return isinstance(self._loader, Stager) and bool(self._loader.staging.files)

    @property
    def _is_once(self) -> bool:
        return self.run.settings.activate_version == "once"

    @property
    def settled_at(self) -> float | None:
        """When the last batch was made safe, or None before the first."""
        return self._writing.settled_at

    def age_s(self, now: float) -> float:
        """Return for how long the oldest row of the batch has waited, also if it has left memory."""
        return 0.0 if self._batch.since is None else now - self._batch.since

    def take_schema(self, schema: StreamSchema) -> None:
        """Go on with another schema, after the rows of the old one; a schema that says the same costs nothing."""
        if schema == self.schema:
            return
        self.flush()
        self._keep_schema(schema)
        self._load_anew()

    def take_lines(self, records: Records) -> None:
        """Take RECORD lines; a few of them wait for more, since reading them costs as much as reading a thousand."""
        self._begin(records.rows)
        batch, chosen = self._batch, self.run.settings
        batch.put(records)
        asides = self.intake.sets_aside or self.intake.contract.misfits  # there before the next STATE, or a new column
        if asides or batch.is_due or chosen.complete(batch.rows, batch.bytes):
            self.read()
        self._keep_room()

    def read(self) -> None:
        """Read the lines that wait."""
        if (records := self._batch.lines()) is not None:
            rows = self.intake.of_lines(records, self._version)
            self._part(records.rows)
            self._add(rows, size=len(records.lines))

    def take_files(self, message: Mapping[str, Any]) -> None:
        """Take the files of a BATCH message, after the rows that came before it."""
        for rows in self.intake.of_files(message, self._version):
            self.take_rows(rows)
        self._batch.consumed.append(message)

    def take_rows(self, rows: pa.RecordBatch) -> None:
        """Take rows that were read."""
        self.read()
        self._begin(rows.num_rows)
        self._part(rows.num_rows)
        self._add(rows, size=rows.nbytes)
        self._keep_room()

    def activate(self, version: int) -> None:
        """Begin the full load of this version, or complete it where it has begun.

        Some taps say it before the rows of each parent: the number of a load that is complete changes nothing, and with
        `once` neither does that of the one which goes on. Some say it behind all rows alone: these are the load where
        rows of the run replace the table in any case.
        """
        overwrites, self._overwrites = self._overwrites, False  # the tap says itself when the load is complete
        if self.intake.is_closed or version == self._done or (version == self._version and self._is_once):
            return
        if version in (self._version, self._repeated):
            self.complete()
            return
        if overwrites and self._batch.received:
            self.complete()
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
        self._version, self._progress, self._before = version, known, self._batch.received
        self._loader = self._aside(staging, whole=not staging.entries)
        self.run.ledger.hold(self.name, version, self.source)

    def finish(self) -> None:
        """The input has ended: write what is left; a load that ends with the input replaces the table."""
        behind = self._batch.received == self._before > 0  # the message came behind its rows
        if self._version is not None and (self._overwrites or (self._is_once and not behind)):
            self.complete()
        else:
            self.flush()

    def complete(self) -> None:
        """Put the full load in the place of the table's rows."""
        self.flush()
        if isinstance(self._loader, Stager):
            self._writing.swap(self._loader, self._batch.received)
            if self._resume is not None:
                self._writing.do(self._resume.forget)
            self._done, self._version = self._version, None
        else:
            self._done, self._repeated = self._repeated, None
        self._loader = self._into_table()

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

    def make_room(self) -> None:
        """Hold no row in memory: a batch that is worth a commit is committed, a smaller one waits on the disk."""
        run = self.run
        self.read()
        if self._batch.bytes >= run.memory.worth or not run.overflow.usable:
            self.flush()
            return
        try:
            run.report.add(self.name, spilled_bytes=self._batch.spill(run.overflow))
        except OSError as error:
            _LOGGER.warning("no room on the disk for rows that wait; they are committed early, why=%s", error.strerror)
            self.flush()

    def flush(self) -> None:
        """Make every row that came so far safe: in the table, or in a manifest of the full load."""
        self.read()
        batch = self._batch
        if batch.is_empty:
            return
        self._batch = Batch(received=batch.received)
        self.run.memory.note(self, 0)
        self._writing.settle(self._loader, batch)

    def end(self) -> None:
        """Let the table remember that the run ended well, where rows were appended that could come again.

        A tap that crashed ends its output too, but not behind a STATE; one that never sends a STATE is believed.
        """
        appended = isinstance(self._loader, Appender) and self._resume is not None and self._resume.is_due
        if appended and (not self._unmarked or not self.run.state):
            with store_errors(self.name, self._store.uri):
                self._committer.end(self.run.bookmark(self.source))

    def look_after(self) -> None:
        """Keep the table and its history fast, where this run wrote to them and the settings ask for it."""
        chosen, past = self.run.settings, self._writing.past
        upkeep = Upkeep(layout(chosen), chosen.vacuum_hours, chosen.compact_files)
        for table in [self._committer.table, *([past.committer.table] if past else [])]:
            if chosen.compact_files and self.run.report.streams[table.stream]["commits"]:
                after_run(table, upkeep, self.run.worker.interrupt)

    def abandon(self) -> None:
        """Delete what no log and no manifest names; called once the worker has ended."""
        self._batch = Batch()
        self._loader.abandon()

    def _begin(self, rows: int) -> None:
        """Count rows that come, in the batch that they belong to."""
        run, batch = self.run, self._batch
        if batch.since is None:
            batch.begin(run.bookmark(self.source), run.clock())
            if self._resume is not None:
                self._resume.start(run.bookmark(self.source))
        self._unmarked += rows
        batch.received = run.ledger.received(self.name, rows)

    def _part(self, newest: int) -> None:
        """End the batch before the newest rows where these have columns that it has not."""
        if self.intake.columns is self._columns:
            return
        batch = self._batch
        if batch.rows:
            self._batch = Batch(received=batch.received)
            self._batch.begin(self.run.bookmark(self.source), self.run.clock())
            batch.received -= newest
            self.run.memory.note(self, 0)
            self._writing.settle(self._loader, batch)
        self._load_anew()

    def _add(self, rows: pa.RecordBatch, *, size: int) -> None:
        run, batch = self.run, self._batch
        if not isinstance(self._loader, Upserter):
            rows = without_omitted(rows)  # nothing is stored that could stay
        batch.add(rows)
        run.report.add(self.name, rows=rows.num_rows, received_bytes=size)
        if run.settings.complete(batch.rows, batch.bytes):
            self.flush()
        elif self._loader.streams and (
            batch.buffer.rows >= run.settings.row_group_rows or batch.buffer.bytes >= run.memory.slice
        ):
            self._writing.ahead(self._loader, batch)

    def _keep_room(self) -> None:
        self.run.memory.note(self, self._batch.held)
        self.run.memory.keep()

    def _swapped_in_before(self, version: int) -> bool:
        snapshot = self._committer.table.snapshot()
        return snapshot is not None and snapshot.full_load == version

    def _repeat(self, version: int) -> None:
        """Go on where a run ended between the swap of this load and the STATE that says so: its rows are all there.

        What the tap sends again is upserted by key; without keys it is left out.
        """
        self._repeated = version
        self._loader = self._into_table() if self.schema.keys else Skipper()
        self._version = None

    def _keep_schema(self, schema: StreamSchema) -> None:
        self.schema = schema
        self._committer.keys = () if self._loading.method == "append-only" else schema.keys
        if self.is_taps:
            self._writing.past = past_of(self.run, schema, self._committer, self._loading.method)
        self.intake.keep(schema, self._seen())

    def _seen(self) -> pa.Schema | None:
        """Return the columns that the table has by now, where they decide what becomes of single rows."""
        if not self._committer.contract.looks:
            return None
        self.run.worker.settle()
        with store_errors(self.name, self._store.uri):
            seen = self._committer.table.snapshot()
        return None if seen is None else seen.schema

    def _load_anew(self) -> None:
        """Go on with other columns: into the table, or into the full load that has begun."""
        if isinstance(self._loader, Stager):
            self.run.worker.settle()
            self._loader = self._aside(self._loader.staging, whole=False)
        elif not isinstance(self._loader, Skipper):
            self._loader = self._into_table()

    def _into_table(self) -> Loader:
        self._columns = self.intake.columns
        if self.intake.is_closed:
            return Skipper()
        return self._loading.into_table(self.schema, self._columns, self._writing.past)

    def _aside(self, staging: Staging, *, whole: bool) -> Stager:
        self._columns = self.intake.columns
        with store_errors(self.name, self._store.uri):
            return self._loading.aside(self.schema, self._columns, staging, whole=whole)
