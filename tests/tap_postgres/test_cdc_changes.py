"""Messages to row changes: one committed transaction after the other, and nothing of one that did not commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_postgres.cdc import messages as m
from tap_postgres.cdc.changes import Changes, Committed, RowChange, Transaction, Truncated
from tap_postgres.cdc.pgoutput import ProtocolError
from tap_postgres.cdc.spool import Spool
from tests.tap_postgres import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_postgres.cdc.changes import Event

T = m.Relation(1, "public", "t", "d", wire.COLUMNS)
RELATION = wire.relation(1, "t", wire.COLUMNS)


def row(number: int) -> m.Row:
    return (str(number).encode(), b"v")


def fed(messages: Iterable[bytes], changes: Changes | None = None) -> list[Event]:
    changes = changes or Changes(lambda: Spool(memory_bytes=64))
    return [event for message in messages for event in changes.feed(message)]


def shown(events: Iterable[Event]) -> list[object]:
    """Return rows as their first value, ends as their position."""
    found: list[object] = []
    for event in events:
        match event:
            case RowChange(change=m.Insert(new=new)):
                found.append(new[0])
            case Committed():
                found.append(event.position)
            case _:
                found.append(event)
    return found


def test_a_transaction_is_its_rows_and_its_end() -> None:
    """Each row carries its relation and its transaction; the end says where the next one begins."""
    changes = Changes(Spool)
    events = fed(
        [wire.begin(100, 5, 7), RELATION, wire.insert(1, row(1)), wire.truncate(1), wire.commit(100, 110)], changes
    )

    transaction = Transaction(7, 100, 5)
    change, *others = events
    assert isinstance(change, RowChange)
    assert (change.relation, change.change, change.transaction) == (T, m.Insert(1, row(1)), transaction)
    assert others == [Truncated((T,), transaction), Committed(transaction, 110)]
    assert changes.is_between


def test_a_relation_that_says_the_same_is_the_same() -> None:
    """A repeated relation is the same object, so that nobody looks at its columns again; a changed one is not."""
    changed = wire.relation(1, "t", wire.COLUMNS[:1])
    insert = wire.insert(1, row(1))

    events = fed(
        [wire.begin(1), RELATION, insert, RELATION, insert, changed, wire.insert(1, (b"1",)), wire.commit(1, 2)]
    )

    first, again, other, _ = events
    assert isinstance(first, RowChange)
    assert isinstance(again, RowChange)
    assert isinstance(other, RowChange)
    assert first.relation is again.relation
    assert len(other.relation.columns) == 1


def test_rows_that_nobody_wants_are_passed_over() -> None:
    """A relation that is ignored costs no decoding, and its rows do not come."""
    changes = Changes(Spool)
    changes.ignored.add(2)

    events = fed([wire.begin(1), b"I" + (2).to_bytes(4) + b"not even a row", wire.commit(1, 2)], changes)

    assert shown(events) == [2]


def test_a_relation_that_is_announced_again_is_looked_at_again() -> None:
    """Something about it has changed: whoever passed over its rows, or gave them to a table, asks again."""
    changes = Changes(Spool)
    changes.ignored.add(1)

    events = fed([wire.begin(1), RELATION, wire.insert(1, row(1)), wire.commit(1, 2)], changes)

    assert shown(events) == [b"1", 2]
    assert (changes.ignored, changes.announced) == (set(), {1})


def test_a_relation_that_a_prepared_transaction_announced_is_known() -> None:
    """The server announces it once, for what comes before the transaction commits as well."""
    changes = Changes(Spool)
    fed([wire.begin_prepare(10, 11, 0, 7, "g"), RELATION, wire.prepare(10, 11, 0, 7, "g")], changes)

    events = fed([wire.begin(20), wire.insert(1, row(2)), wire.commit(20, 21)], changes)
    changes.close()

    assert shown(events) == [b"2", 21]


def test_streamed_transactions_come_at_their_commit() -> None:
    """Pieces of open transactions are kept apart, and come whole when they commit; rolled back ones never do."""
    events = fed(
        [
            wire.stream_start(7), _in(RELATION, 7), wire.insert(1, row(1), xid=7), wire.STREAM_STOP,
            wire.stream_start(8), wire.insert(1, row(2), xid=8), wire.STREAM_STOP,
            wire.begin(50), RELATION, wire.insert(1, row(3)), wire.commit(50, 51),
            wire.stream_start(7, first=False), wire.insert(1, row(4), xid=9), wire.insert(1, row(5), xid=10),
            wire.STREAM_STOP,
            wire.stream_abort(7, 9), wire.stream_abort(8, 8, timed=True),
            wire.stream_commit(7, 60, 61),
        ]
    )  # fmt: skip

    assert shown(events) == [b"3", 51, b"1", b"5", 61]
    assert isinstance(events[2], RowChange)
    assert events[2].transaction == Transaction(7, 60, 0)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "in pieces"])
def test_prepared_transactions_come_at_their_commit(streamed: bool) -> None:
    """What is prepared waits for COMMIT PREPARED, and until then no position behind it may be called complete."""
    changes = Changes(Spool)
    plain = [wire.begin_prepare(10, 11, 0, 7, "g"), RELATION, wire.insert(1, row(1)), wire.prepare(10, 11, 0, 7, "g")]
    pieces = [
        wire.stream_start(7), _in(RELATION, 7), wire.insert(1, row(1), xid=7), wire.STREAM_STOP,
        wire.prepare(10, 11, 0, 7, "g", kind=b"p"),
    ]  # fmt: skip
    prepared = fed(pieces if streamed else plain, changes)
    held = changes.settled(99)
    again = [RELATION] if streamed else []  # a transaction in pieces announces for itself alone
    between = fed([wire.begin(20), *again, wire.insert(1, row(2)), wire.commit(20, 21)], changes)
    committed = fed([wire.commit_prepared(30, 31, 0, 7, "g")], changes)

    assert (prepared, held) == ([], 10)
    assert shown(between) == [b"2", 21]
    assert shown(committed) == [b"1", 31]
    assert changes.settled(99) == 99


def test_a_prepared_transaction_that_is_rolled_back_never_comes() -> None:
    """ROLLBACK PREPARED drops what was kept."""
    changes = Changes(Spool)
    fed(
        [wire.begin_prepare(10, 11, 0, 7, "g"), RELATION, wire.insert(1, row(1)), wire.prepare(10, 11, 0, 7, "g")],
        changes,
    )

    assert fed([wire.rollback_prepared(11, 12, 7, "g")], changes) == []
    assert changes.settled(99) == 99


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([wire.insert(1, row(1))], "outside of a transaction"),
        ([wire.commit(1, 2)], "outside of a transaction"),
        ([RELATION, wire.truncate(1)], "outside of a transaction"),
        ([wire.begin(1), wire.insert(9, row(1))], "relation 9 was not announced"),
    ],
)
def test_what_makes_no_sense_is_refused(messages: list[bytes], why: str) -> None:
    """A row without its transaction or its relation is an error, never a guess."""
    with pytest.raises(ProtocolError, match=why):
        fed(messages)


@given(st.data())
def test_interleaved_pieces_are_the_transactions_that_committed(data: st.DataObject) -> None:
    """However transactions are cut into pieces and interleaved, each committed one comes whole and in its order."""
    lengths = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    left = {xid: list(range(size)) for xid, size in enumerate(lengths, 100)}
    kept: dict[int, list[bytes]] = {xid: [] for xid in left}
    messages, started, expected = [RELATION], set(), []
    while left:
        xid = data.draw(st.sampled_from(sorted(left)))
        if left[xid]:
            piece = [left[xid].pop(0) for _ in range(data.draw(st.integers(1, len(left[xid]))))]
            messages += [wire.stream_start(xid, first=xid not in started)]
            messages += [wire.insert(1, row(xid * 10 + number), xid=xid) for number in piece]
            messages += [wire.STREAM_STOP]
            started.add(xid)
            kept[xid] += [str(xid * 10 + number).encode() for number in piece]
        else:
            del left[xid]
            if data.draw(st.booleans()):
                messages.append(wire.stream_commit(xid, 1, xid))
                expected += [*kept[xid], xid]
            else:
                messages.append(wire.stream_abort(xid, xid))

    assert shown(fed(messages)) == expected


def test_a_large_transaction_waits_on_the_disk() -> None:
    """A spool gives back what it was given, in order, also when it has outgrown its memory."""
    spool = Spool(memory_bytes=100)
    for number in range(50):
        spool.add(number % 3, b"%d" % number)
    spool.drop(1)

    kept = [*spool.messages()]
    spool.close()

    assert kept == [b"%d" % number for number in range(50) if number % 3 != 1]


def _in(message: bytes, xid: int) -> bytes:
    """Return a message as it comes inside of a stream."""
    return message[:1] + xid.to_bytes(4) + message[1:]
