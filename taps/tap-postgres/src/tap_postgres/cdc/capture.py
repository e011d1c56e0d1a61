"""Change data capture of a run: what is missing is refused, what is new is read in a snapshot, then the log is read.

Takes the captured streams; gives their messages. Refuses a slot that has lost changes, unless it is told to read all
tables anew.

1. Look: server, slot, publication, tables; refuse what is not met.
2. Make the slot where there is none yet. Its snapshot is exported until the next command on its connection.
3. Read streams without a position, and those whose rows an ALTER TABLE changed, in that snapshot, or in the one of a
   temporary slot: the position that goes with it is where their changes begin.
4. Read the slot from the lowest position on; each table takes what committed after its own.
5. Tables that were parked meanwhile: once more from 3.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from singerkit.errors import SafetyStopError, SettingsError
from singerkit.report import short
from tap_postgres.cdc import lsn, requirements
from tap_postgres.cdc.catalog import Catalog
from tap_postgres.cdc.confirmation import Confirmation
from tap_postgres.cdc.position import of_load, parted, stored
from tap_postgres.cdc.reading import Around, Limits, Pass
from tap_postgres.cdc.rows import COLUMNS, OMITTED
from tap_postgres.cdc.socket import AnotherServerError, Replication
from tap_postgres.cdc.stream import Moment
from tap_postgres.cdc.table import Table
from tap_postgres.cdc.values import Reader
from tap_postgres.snapshot.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_postgres.cdc.facts import CapturedTable, Facts
    from tap_postgres.cdc.messages import Relation
    from tap_postgres.cdc.position import Identity, Position
    from tap_postgres.stream import PostgresStream
    from tap_postgres.tap import TapPostgres

_LOGGER = logging.getLogger("tap-postgres")
LAG_EVERY_S = 60.0


class Capture:
    """The captured streams of one run."""

    def __init__(self, tap: TapPostgres, streams: Sequence[PostgresStream]) -> None:
        self.tap, self.settings, self.streams = tap, tap.settings, streams
        self.catalog = Catalog(tap.settings, tap.route)
        self._confirmation = Confirmation(None, None, ())
        self._server: Identity | None = None
        self._beat_s = self._lag_s = float("-inf")
        self._ends_s = time.monotonic() + (tap.settings.max_run_s or float("inf"))

    def run(self) -> None:
        """Bring every stream up to the position at the start of the run, or follow the log."""
        with contextlib.closing(self.catalog):
            facts, known = self.look()  # 1
            self._warn_of_lag(facts)
            tables = self._tables(facts, known)
            names = [stream.name for stream in self.streams]
            for stream in self.streams:
                self.tap.report.note(stream.name, bookmark_before=short(stream.stream_state))
            found = stored(self.tap.state, names)
            source = self.settings.confirm_from if self.settings.follow else None
            self._confirmation = Confirmation(found, source, names)
            self._ensure_nothing_lost(facts, tables)
            while True:
                self._load(facts, [table for table in tables if self._must_load(table)])  # 2, 3
                self._follow(facts, tables)  # 4
                if not any(table.parked for table in tables):  # 5
                    break
                facts, known = self.look()
                tables = self._tables(facts, known)

    def look(self) -> tuple[Facts, list[CapturedTable]]:
        """Return the facts of server and tables; refuse to go on where a requirement is not met."""
        facts = self.catalog.facts()
        known = self.known()
        for requirement in requirements.requirements(facts, self.asked(known)):
            if requirement.stops_a_run:
                raise SettingsError(
                    f"change data capture needs that {requirement.name}: {requirement.why}",
                    remedy=f"{requirement.sql or 'see `tap-postgres cdc check`'}",
                )
        for stream in self.streams:
            if taken := [column.name for column in stream.selected_columns if column.name in {*COLUMNS, OMITTED}]:
                raise SettingsError(
                    f"a column has the name of what a captured row says of itself: {', '.join(taken)}",
                    stream=stream.name,
                    remedy="deselect or rename the column, or choose FULL_TABLE or INCREMENTAL",
                )
        return facts, known

    def known(self) -> list[CapturedTable]:
        """Return the tables of the streams as the server has them now."""
        names = [(stream.table.schema, stream.table.name) for stream in self.streams]
        found = self.catalog.tables(names)
        if missing := [name for name in names if name not in found]:
            raise SettingsError("a table is gone", table=".".join(missing[0]), remedy="refresh the catalog")
        return [found[name] for name in names]

    def asked(self, known: Sequence[CapturedTable]) -> requirements.Asked:
        """Return what this run asks of the server."""
        settings = self.settings
        leaves = {table.oid: self.catalog.names(table.leaves) for table in known if table.leaves}
        return requirements.Asked(
            slot=settings.replication_slot,
            publication=settings.publication,
            tables=[(t, stream.primary_keys) for t, stream in zip(known, self.streams, strict=True)],
            leaves=leaves,
            all_tables=settings.publication_tables == "all",
            lag_warning_mb=settings.lag_warning_mb,
            heartbeat=bool(settings.heartbeat_s),
        )

    def _tables(self, facts: Facts, known: Sequence[CapturedTable]) -> list[Table]:
        reader = Reader(self.catalog.render, money_digits=facts.money_digits)
        pairs = [*zip(self.streams, known, strict=True)]
        readings = self.catalog.all_readings([table.columns for table in known])
        for (stream, table), found in zip(pairs, readings, strict=True):
            published = facts.columns_of(table)
            here = [(reading.name, reading.rendering) for reading in found if reading.name in published]
            stream.restrict(published)
            if here != [(column.name, column.rendering) for column in stream.columns]:  # altered since its discovery
                stream.adopt([reading for reading in found if reading.name in published])
        return [Table(stream, table, facts.published_as(table), self.catalog, reader) for stream, table in pairs]

    # -- what was lost --------------------------------------------------------------------------------------------

    def _ensure_nothing_lost(self, facts: Facts, tables: Sequence[Table]) -> None:
        """Refuse to go on where changes are gone, or begin anew where the settings say so."""
        why = self._lost(facts, tables)
        if not why:
            return
        if self.settings.on_lost == "fail":
            raise SafetyStopError(
                f"changes are lost: {why}",
                slot=self.settings.replication_slot,
                remedy="set on_lost to resnapshot: a new slot is made and all captured tables are read again",
            )
        _LOGGER.warning("changes are lost, so all tables are read again: %s", why)
        for table in tables:
            table.stream.stream_state.clear()
        if facts.slot is not None:
            self.catalog.query("SELECT pg_catalog.pg_drop_replication_slot(%(slot)s)", {"slot": facts.slot.name})
        self._confirmation.position = 0

    def _lost(self, facts: Facts, tables: Sequence[Table]) -> str:
        """Return which changes are gone, or nothing; a first load whose changes are gone begins again."""
        if facts.slot is not None and facts.slot.is_lost:
            return facts.slot.why_lost
        found = {table.stream.name: position for table in tables if (position := table.position)}
        loads = {table.stream: begun for table in tables if (begun := _begun(table)) and not table.position}
        if not found and not loads:
            return ""
        with Replication(self.settings, self.tap.route, self.tap.raise_if_stopped) as replication:
            server = self._identify(replication)
            history = replication.history(server.timeline)
        for stream, begun in loads.items():
            if why := _gone("its first part", begun, facts, server, history):
                self.tap.logger.info("the first load begins again: %s, stream=%s", why, stream.name)
                del stream.stream_state["full_load"]
        reasons = (_gone(name, position, facts, server, history) for name, position in found.items())
        return next(filter(None, reasons), "")

    # -- snapshots ------------------------------------------------------------------------------------------------

    def _must_load(self, table: Table) -> bool:
        position = table.position
        if position is None:
            return True
        why = table.why_reload(position.shape)
        if why:
            _LOGGER.warning("the table is read again: %s, stream=%s", why, table.stream.name)
        return bool(why)

    def _load(self, facts: Facts, tables: Sequence[Table]) -> None:
        if not tables and facts.slot is not None:
            return
        exists = self.catalog.facts().slot is not None
        with Replication(self.settings, self.tap.route, self.tap.raise_if_stopped) as replication:
            server = self._identify(replication)
            name = self.settings.replication_slot
            name = f"{name[:40]}_{self.tap.run_id[-12:].lower().replace('-', '_')}" if exists else name
            if facts.is_replica:
                _LOGGER.info(
                    "a slot here waits for the primary: SELECT pg_log_standby_snapshot() there where it is idle"
                )
            created = replication.create_slot(name, temporary=exists)
            _LOGGER.info("reading tables as of position=%s, tables=%d", lsn.to_text(created.lsn), len(tables))
            with contextlib.closing(Readers(self.settings, self.tap.route, created.snapshot)) as readers:
                for table in tables:
                    self.tap.raise_if_stopped()
                    self._ensure_parts_fit(table)
                    shape, row_filter = table.shape(), table.published.row_filter
                    table.stream.load(Moment(readers, created.lsn, server, shape, table.look_after_load, row_filter))

    def _ensure_parts_fit(self, table: Table) -> None:
        """Begin a load again whose parts were read before a change that the log does not tell."""
        begun = _begun(table)
        if begun is not None and (why := table.why_reload(begun.shape)):
            self.tap.logger.info("the load begins again: %s, stream=%s", why, table.stream.name)
            del table.stream.stream_state["full_load"]

    # -- the log --------------------------------------------------------------------------------------------------

    def _follow(self, facts: Facts, tables: Sequence[Table]) -> None:
        settings, route = self.settings, self.tap.route
        own = {table.known.oid: table for table in tables}
        begin = min((position.begin for table in tables if (position := table.position)), default=0)
        server = self._confirmation.server = self._who_answers()
        slot = self.catalog.facts().slot
        # behind a later position the server never sends what was prepared before it
        from_confirmed = slot is not None and slot.two_phase

        def connect(position: int) -> Replication:
            opened = Replication(settings, route, self.tap.raise_if_stopped)
            try:
                self._identify(opened)
                opened.start(
                    settings.replication_slot,
                    settings.publication,
                    0 if from_confirmed else position,
                    streaming=settings.stream_transactions,
                )
            except BaseException:
                opened.close()
                raise
            return opened

        def find(relation: Relation) -> Table | None:
            for table in tables:  # dropped and made again: the changes of the new one are not those of the old
                if table.name == (relation.schema, relation.name):
                    table.park("the table was made anew")
                    return table
            return next((own[oid] for oid in self.catalog.ancestors(relation.oid) if oid in own), None)

        left_s = self._ends_s - time.monotonic()
        limits = Limits(
            target=None if settings.follow else facts.tip,
            max_run_s=left_s if settings.max_run_s else None,
            max_wal_bytes=settings.max_wal_mb << 20 if settings.max_wal_mb else None,
            first_word_s=settings.initial_waiting_s,
        )
        around = Around(
            connect, find, self.tap.raise_if_stopped, self._confirmation, self._now_and_then,
            lambda: self._write_state(facts),
        )  # fmt: skip
        try:
            with self.tap.route.explaining():
                Pass(own, begin, server, limits, around).run()
        finally:
            for table in tables:
                self.tap.report.add(table.stream.name, changes=table.operations)
                self.tap.report.note(table.stream.name, bookmark_after=short(table.stream.stream_state))

    def _write_state(self, facts: Facts) -> None:
        if facts.is_replica:  # it may have been promoted under this very connection
            self._who_answers()
        self.tap.state_writer.write_state(self.tap.state)

    def _who_answers(self) -> Identity:
        with Replication(self.settings, self.tap.route, self.tap.raise_if_stopped) as replication:
            return self._identify(replication)

    def _identify(self, replication: Replication) -> Identity:
        """Return which server this is; whether one that took over in the middle has all changes, a new run looks."""
        found = replication.identify()
        self._server = self._server or found
        if found != self._server:
            raise AnotherServerError(
                "another server answers than at the beginning of this run",
                remedy="run again: its log is looked at then",
            )
        return found

    def _now_and_then(self) -> None:
        """Beat, and look how much log the slot keeps."""
        now = time.monotonic()
        if self.settings.heartbeat_s and now - self._beat_s >= self.settings.heartbeat_s:
            self._beat_s = now
            self.catalog.beat()
        if now - self._lag_s >= LAG_EVERY_S:
            if self._lag_s > 0:
                self._warn_of_lag(self.catalog.facts())
            self._lag_s = now

    def _warn_of_lag(self, facts: Facts) -> None:
        kept = (facts.slot.kept_bytes if facts.slot else 0) / requirements.MIB
        if kept >= self.settings.lag_warning_mb:
            _LOGGER.warning(
                "the server keeps much log for this slot, slot=%s, megabytes=%.0f, lag_warning_mb=%d",
                self.settings.replication_slot, kept, self.settings.lag_warning_mb,
            )  # fmt: skip


def _begun(table: Table) -> Position | None:
    """Return where the changes of a first load begin that was cut short."""
    return of_load(table.stream.stream_state.get("full_load"))


def _gone(name: str, position: Position, facts: Facts, server: Identity, history: str) -> str:
    """Return why the changes of a stream behind its position cannot be had, or nothing."""
    if position.server.system != server.system:
        return f"the STATE of {name} was made with another server"
    if position.server.timeline not in {0, server.timeline}:
        ended = parted(history, position.server.timeline)
        if ended is None or position.lsn > ended:
            return f"{name} ends at {lsn.to_text(position.lsn)}, which the server that was promoted never had"
    if facts.slot is None:
        return "the slot does not exist any more"
    if facts.slot.confirmed is not None and position.begin < facts.slot.confirmed:
        return (
            f"the slot begins at {lsn.to_text(facts.slot.confirmed)}, and {name} ends at {lsn.to_text(position.begin)}"
        )
    if position.lsn > facts.tip:
        return f"{name} has come further than the server: it was set back"
    return ""


def captured(streams: Sequence[PostgresStream]) -> Iterator[PostgresStream]:
    """Yield the selected streams whose changes are captured."""
    return (stream for stream in streams if stream.selected and stream.is_captured)
