"""One pass over a slot: from a position to another, all captured tables at once.

Takes the messages of the slot; gives RECORD lines, and a STATE only where a transaction ends and all its rows are told.
What the server may forget is decided elsewhere (`Confirmation`): nothing here is confirmed because it was read.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from singerkit.errors import UnavailableError
from tap_postgres.cdc import lsn
from tap_postgres.cdc.changes import Changes, RowChange, Truncated
from tap_postgres.cdc.socket import HEADER, AnotherServerError, Keepalive, Replication, silent
from tap_postgres.cdc.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_postgres.cdc.changes import Event, Transaction
    from tap_postgres.cdc.messages import Relation
    from tap_postgres.cdc.position import Identity
    from tap_postgres.cdc.table import Table

_LOGGER = logging.getLogger("tap-postgres")

FLUSH_ROWS = 20_000  # of all tables together
FLUSH_BYTES = 32 << 20
MESSAGES = 5_000  # after which everything else gets its turn
FLUSH_S = 1.0  # rows of a quiet source do not wait longer
STATE_S = 5.0  # each STATE makes a loader think of committing
TELL_S = 10.0
WAIT_S = 0.25
RECONNECT_S = 60.0
"""How long a lost connection is tried again without any progress."""
_ENDS = frozenset(b"CcK")  # messages that end a transaction


@dataclass(frozen=True)
class Limits:
    """Where a pass ends: at the first commit or keep-alive at which one of these holds. None is no limit.

    Without a target it ends as well where a table has to be read anew: nobody else would do it.
    """

    target: int | None
    max_run_s: float | None = None
    max_wal_bytes: int | None = None
    first_word_s: float = 300.0


@dataclass(frozen=True)
class Around:
    """What a pass is told from outside: how to connect, whose a new relation is, when to stop, what is confirmed."""

    connect: Callable[[int], Replication]
    find: Callable[[Relation], Table | None]
    look: Callable[[], None]
    confirmed: Callable[[], int]
    beat: Callable[[], None]
    write_state: Callable[[], None]


class Pass:
    """Reads the slot for `tables`, by their oid, from `begin` on."""

    def __init__(
        self, tables: Mapping[int, Table], begin: int, server: Identity, limits: Limits, around: Around
    ) -> None:
        self.limits, self.around = limits, around
        self._own, self._tables = tables, dict(tables)
        self.position = self._begin = self._connect_at = begin
        self._server = server
        self._all = [*tables.values()]
        for table in self._all:
            table.begin()
        self._waiting_rows = self._waiting_bytes = 0
        self._started_s = self._flushed_s = self._heard_s = time.monotonic()
        self._cut_s: float | None = None
        """When the connection was lost, unless something has moved since."""
        self._state_s = self._told_s = self._asked_s = float("-inf")
        self._changes = Changes(Spool)
        self._open: Transaction | None = None
        self._taken = 0
        """How many events of the transaction that is half passed on were taken."""
        self._skip: tuple[int, int] | None = None
        """After a cut: the transaction that comes again, and how many of its events were taken before."""
        self._stated = (begin, begin)
        self._spoken = False

    def run(self) -> None:
        """Read until a limit is reached; a connection that is lost is opened again where it was cut."""
        try:
            while not self._read_until_cut():
                self._begin_again()
            self._flush()
            self._write_state()  # which asks what is prepared, so before that is freed
        finally:
            self._changes.close()

    def _begin_again(self) -> None:
        """Forget what the lost connection had not completed; the server sends it again, and some that was."""
        self._connect_at = self._changes.settled(self.position)
        for table in self._all:
            table.since = max(table.since, self.position)
        ignored = self._changes.ignored
        self._changes.close()
        self._changes = Changes(Spool)
        self._changes.ignored = ignored
        if self._open is not None:
            commit_lsn = self._open.commit_lsn
            before = self._skip[1] if self._skip and self._skip[0] == commit_lsn else 0
            self._skip = (commit_lsn, max(self._taken, before))
        self._open, self._taken = None, 0

    def _read_until_cut(self) -> bool:
        """Return True at a limit, False where the connection was lost and may be tried again."""
        try:
            with self.around.connect(self._connect_at) as replication:
                self._tell(replication, ask=True)
                while not self._is_over():
                    self.around.look()
                    self._receive(replication)
                    self._now_and_then(replication)
                self._tell(replication)
        except AnotherServerError:
            raise
        except UnavailableError as error:
            now = time.monotonic()
            self._cut_s = now if self._cut_s is None else self._cut_s
            if now - self._cut_s > RECONNECT_S or (not self._spoken and self._is_silent(now)):
                raise
            _LOGGER.warning("the replication connection was lost and is opened again: %s", error)
            self._heard_s = now if self._spoken else self._heard_s
            self._pause()
            return False
        return True

    def _pause(self) -> None:
        """Wait a second, and hear a stop meanwhile."""
        until = time.monotonic() + 1
        while time.monotonic() < until:
            self.around.look()
            time.sleep(0.1)

    def _receive(self, replication: Replication) -> None:
        """Take messages until the server is silent, or something else is due."""
        for number, message in enumerate(replication.messages(WAIT_S)):
            if isinstance(message, Keepalive):
                if self._open is None and self._changes.is_between:
                    self._reach(message.position)
                break
            for event in self._changes.feed(message, HEADER):
                self._take(event)
            if number >= MESSAGES:
                break
            if message[HEADER] in _ENDS and self._is_over():
                break
        else:
            return
        self._heard_s, self._spoken = time.monotonic(), True

    def _take(self, event: Event) -> None:
        if isinstance(event, RowChange):
            self._take_row(event)
        elif isinstance(event, Truncated):
            self._turn_to(event.transaction)
            self._empty(event)
        else:
            self._open, self._taken, self._skip = None, 0, None
            self._reach(event.position)

    def _take_row(self, event: RowChange) -> None:
        """Take a row; what many rows have in common is looked at once, and not by a call for each."""
        relation, data, _, transaction = event
        if transaction is not self._open:
            self._turn_to(transaction)
        table = self._tables.get(relation.oid)
        if table is None or relation.oid in self._changes.announced:
            table = self._table(relation)
            if table is None:
                return
        if transaction.commit_lsn >= table.since and (self._skip is None or self._is_new(transaction, table)):
            table.take(event)
        self._taken += 1  # after that: what is needed to take it may not have come
        self._waiting_rows += 1
        self._waiting_bytes += len(data)
        if self._waiting_rows >= FLUSH_ROWS or self._waiting_bytes >= FLUSH_BYTES:
            self._flush()  # a transaction may have more rows than there is memory
            self.around.look()

    def _turn_to(self, transaction: Transaction) -> None:
        if transaction is not self._open:
            self._open, self._taken = transaction, 0

    def _is_new(self, transaction: Transaction, table: Table) -> bool:
        """Tell whether a change is neither in the snapshot, nor was sent by an earlier run or before a cut."""
        commit_lsn = transaction.commit_lsn
        taken_before = self._skip is not None and self._skip[0] == commit_lsn and self._taken < self._skip[1]
        return commit_lsn >= table.since and not taken_before

    def _empty(self, event: Truncated) -> None:
        found = [table for relation in event.relations if (table := self._table(relation))]
        for table in {id(table): table for table in found}.values():
            if self._is_new(event.transaction, table):
                table.empty({relation.oid for relation in event.relations})
            self._taken += 1

    def _table(self, relation: Relation) -> Table | None:
        """Return whose rows these are: partitions come and go. What is nobody's is passed over."""
        oid, announced = relation.oid, self._changes.announced
        if oid in announced:
            announced.discard(oid)
            if oid not in self._own:
                self._tables.pop(oid, None)
        table = self._tables.get(oid)
        if table is None:
            table = self.around.find(relation)
            if table is None:
                self._changes.ignored.add(oid)
            else:
                self._tables[oid] = table
        return table

    def _reach(self, position: int) -> None:
        if position > self.position:
            self.position, self._cut_s = position, None

    def _is_silent(self, now: float) -> bool:
        """Tell whether a server that is asked every second has said nothing for too long."""
        return now - self._heard_s > self.limits.first_word_s

    def _is_over(self) -> bool:
        now, limits = time.monotonic(), self.limits
        if self._is_silent(now):
            raise silent(limits.first_word_s)
        if self._open is not None or not self._changes.is_between:
            return False
        return (
            (self.position >= limits.target if limits.target is not None else any(table.parked for table in self._all))
            or (limits.max_run_s is not None and now - self._started_s >= limits.max_run_s)
            or (limits.max_wal_bytes is not None and self.position - self._begin >= limits.max_wal_bytes)
        )

    def _now_and_then(self, replication: Replication) -> None:
        now = time.monotonic()
        if now - self._flushed_s >= FLUSH_S:
            self._flush()
        if now - self._state_s >= STATE_S and self._open is None:
            self._flush()
            self._write_state()
        self.around.beat()
        if replication.wants_answer or now - self._told_s >= TELL_S:
            self._tell(replication)
        elif now - self._heard_s >= WAIT_S and now - self._asked_s >= 1:
            self._tell(replication, ask=True)

    def _tell(self, replication: Replication, *, ask: bool = False) -> None:
        self._told_s = time.monotonic()
        if ask:
            self._asked_s = self._told_s
        replication.tell(self.around.confirmed(), ask=ask)

    def _flush(self) -> None:
        self._flushed_s = time.monotonic()
        self._waiting_rows = self._waiting_bytes = 0
        for table in self._all:
            table.flush()
        self._heard_s += time.monotonic() - self._flushed_s  # nobody listened meanwhile

    def _write_state(self) -> None:
        """Let STATE say how far all tables are; called where no transaction is half told."""
        stated = self.position, self._changes.settled(self.position)
        self._state_s = time.monotonic()
        if stated == self._stated:
            return
        self._stated = stated
        for table in self._all:
            table.move(*stated, self._server)
        self.around.write_state()
        _LOGGER.info("read the log, position=%s", lsn.to_text(self.position))
