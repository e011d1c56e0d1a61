"""Messages to row changes, one committed transaction after the other. Pure but for the spool that is handed in.

Takes the messages of one slot in their order; gives changes, and after the last of each transaction its end. Refuses
what makes no sense in that order.

A plain transaction comes whole, after its commit, and is passed on row by row. One that is streamed while it is open,
or prepared for two-phase commit, is kept aside until it commits: until then nobody knows whether it will.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tap_postgres.cdc import messages as m
from tap_postgres.cdc.pgoutput import IN_TRANSACTION, ProtocolError, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_postgres.cdc.spool import Spool

_ROWS = frozenset(b"IUD")
_RELATION = ord("R")


class Transaction(NamedTuple):
    """What all rows of a transaction share."""

    xid: int
    commit_lsn: int
    commit_us: int


class RowChange(NamedTuple):
    """A row of a relation that came, changed or went: the message that says so lies at `start` and is not read yet."""

    relation: m.Relation
    data: bytes
    start: int
    transaction: Transaction

    @property
    def change(self) -> m.Decoded:
        """The message, read by itself; `Rows` reads many at once."""
        return decode(self.data, self.start)


class Truncated(NamedTuple):
    """Relations that were emptied by one statement."""

    relations: tuple[m.Relation, ...]
    transaction: Transaction


class Committed(NamedTuple):
    """The end of a transaction: everything that committed before `position` has been passed on."""

    transaction: Transaction
    position: int


Event = RowChange | Truncated | Committed


class Changes:
    """Follows the messages of one slot; `ignored` are the relations whose rows nobody wants, which are not decoded.

    A relation is announced again when something about it changed. It may be wanted then, or belong to another table:
    it is not ignored any more, and `announced` names it until the caller has looked.
    """

    def __init__(self, spool: Callable[[], Spool]) -> None:
        self.ignored: set[int] = set()
        self.announced: set[int] = set()
        self._new_spool = spool
        self._relations: dict[int, m.Relation] = {}
        self._open: Transaction | None = None
        self._pieces: dict[int, Spool] = {}
        self._aside: Callable[[bytes, int], None] | None = None
        """What keeps the messages that come now, where they belong to a transaction that is open or being prepared."""
        self._prepared: dict[str, tuple[Spool, int]] = {}

    @property
    def is_between(self) -> bool:
        """Whether no transaction is half passed on."""
        return self._open is None and self._aside is None

    def settled(self, position: int) -> int:
        """Return how far a run may say it has come: not past a prepared transaction that has yet to commit."""
        return min([position, *(lsn for _, lsn in self._prepared.values())])

    def feed(self, data: bytes, start: int = 0) -> Iterable[Event]:
        """Return what one message brings about."""
        kind = data[start] if len(data) > start else 0
        if self._aside is not None and kind in IN_TRANSACTION:
            self._aside(data, start)
            return ()
        if kind not in _ROWS:
            return self._other(decode(data, start), start)
        oid = int.from_bytes(data[start + 1 : start + 5])
        if oid in self.ignored:
            return ()
        if self._open is None:
            raise ProtocolError("a row outside of a transaction", start)
        return (RowChange(self._relations.get(oid) or self._relation(oid), data, start, self._open),)

    def close(self) -> None:
        """Free what waits."""
        for spool in (*self._pieces.values(), *(spool for spool, _ in self._prepared.values())):
            spool.close()
        self._pieces.clear()
        self._prepared.clear()

    def _other(self, message: m.Decoded, start: int) -> Iterator[Event]:
        match message:
            case m.Begin():
                self._open = Transaction(message.xid, message.commit_lsn, message.commit_us)
            case m.Commit():
                if self._open is None:
                    raise ProtocolError("a COMMIT outside of a transaction", start)
                transaction, self._open = self._open, None
                yield Committed(transaction, message.end_lsn)
            case m.Relation() | m.Truncate():
                yield from self._in_transaction(message, self._open)
            case m.StreamStart():
                spool = self._pieces.get(message.xid) or self._new_spool()
                self._pieces[message.xid] = spool
                self._aside = partial(self._keep_piece, spool)
            case m.StreamStop():
                self._aside = None
            case m.StreamAbort():
                self._abort(message)
            case m.StreamCommit():
                yield from self._replay(
                    self._pieces.pop(message.xid, None),
                    Transaction(message.xid, message.commit_lsn, message.commit_us),
                    message.end_lsn,
                )
            case _:
                yield from self._two_phase(message)

    def _two_phase(self, message: m.Decoded) -> Iterator[Event]:
        match message:
            case m.BeginPrepare():
                spool = self._pieces[message.xid] = self._new_spool()
                self._aside = partial(self._keep_prepared, spool)
            case m.Prepare():
                self._aside = None
                kept = self._pieces.pop(message.xid, None) or self._new_spool()  # none: it wrote nothing
                self._prepared[message.gid] = (kept, message.prepare_lsn)
            case m.CommitPrepared():
                transaction = Transaction(message.xid, message.commit_lsn, message.commit_us)
                yield from self._replay(self._take_prepared(message.gid), transaction, message.end_lsn)
            case m.RollbackPrepared():
                if (rolled_back := self._take_prepared(message.gid)) is not None:
                    rolled_back.close()
            case _:  # Origin, Type and Message say nothing about rows
                return

    def _take_prepared(self, gid: str) -> Spool | None:
        """Return the rows of a prepared transaction; None where it was prepared before this slot began."""
        return self._prepared.pop(gid, (None, 0))[0]

    def _keep_piece(self, spool: Spool, data: bytes, start: int) -> None:
        """Keep a message of an open transaction without the number that it carries, so that it reads as any other."""
        subxid = int.from_bytes(data[start + 1 : start + 5])
        spool.add(subxid, data[start : start + 1] + data[start + 5 :])

    def _keep_prepared(self, spool: Spool, data: bytes, start: int) -> None:
        """Keep a message of a transaction that is being prepared; a relation is announced once for all that follow."""
        if data[start] == _RELATION:
            self._announce(decode(data, start))
        else:
            spool.add(0, data[start:])

    def _abort(self, message: m.StreamAbort) -> None:
        if message.xid != message.subxid:
            if spool := self._pieces.get(message.xid):
                spool.drop(message.subxid)
        elif spool := self._pieces.pop(message.xid, None):
            spool.close()

    def _replay(self, spool: Spool | None, transaction: Transaction, position: int) -> Iterator[Event]:
        for data in spool.messages() if spool is not None else ():
            if data[0] not in _ROWS:
                yield from self._in_transaction(decode(data), transaction)
            elif (oid := int.from_bytes(data[1:5])) not in self.ignored:
                yield RowChange(self._relation(oid), data, 0, transaction)
        if spool is not None:
            spool.close()
        yield Committed(transaction, position)

    def _in_transaction(self, message: m.Decoded, transaction: Transaction | None) -> Iterator[Event]:
        match message:
            case m.Relation():
                self._announce(message)
            case m.Truncate():
                if transaction is None:
                    raise ProtocolError("TRUNCATE outside of a transaction", 0)
                wanted = [oid for oid in message.relations if oid not in self.ignored]
                if wanted:
                    yield Truncated(tuple(self._relation(oid) for oid in wanted), transaction)
            case _:
                return

    def _announce(self, message: m.Decoded) -> None:
        if isinstance(message, m.Relation):
            self.ignored.discard(message.oid)
            self.announced.add(message.oid)
            if self._relations.get(message.oid) != message:  # one that says the same stays the same object
                self._relations[message.oid] = message

    def _relation(self, oid: int) -> m.Relation:
        relation = self._relations.get(oid)
        if relation is None:
            raise ProtocolError(f"relation {oid} was not announced", 0)
        return relation
