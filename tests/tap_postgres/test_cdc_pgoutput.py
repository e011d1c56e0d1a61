"""Bytes to messages: every message that the protocol knows, and an error with a place for everything else."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_postgres.cdc import messages as m
from tap_postgres.cdc.pgoutput import ProtocolError, decode
from tests.tap_postgres import wire

OIDS = st.integers(0, 2**32 - 1)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUES = st.one_of(st.binary(max_size=20), st.none(), st.just(m.UNCHANGED))
ROWS = st.lists(VALUES, max_size=6).map(tuple)

MESSAGES = [
    pytest.param(wire.begin(5, -6, 7), m.Begin(5, -6, 7), id="begin"),
    pytest.param(wire.commit(5, 6, 7), m.Commit(5, 6, 7), id="commit"),
    pytest.param(b"O" + struct.pack(">Q", 9) + b"other\0", m.Origin(9, "other"), id="origin"),
    pytest.param(
        wire.relation(1, "t", wire.COLUMNS, identity="f"),
        m.Relation(1, "public", "t", "f", wire.COLUMNS),
        id="relation",
    ),
    pytest.param(wire.relation(1, "t", (), schema=""), m.Relation(1, "pg_catalog", "t", "d", ()), id="its own schema"),
    pytest.param(b"Y" + struct.pack(">I", 3) + b"s\0mood\0", m.Type(3, "s", "mood"), id="type"),
    pytest.param(wire.insert(1, (b"1", None)), m.Insert(1, (b"1", None)), id="insert"),
    pytest.param(wire.update(1, (b"1", m.UNCHANGED)), m.Update(1, (b"1", m.UNCHANGED), None, full=False), id="update"),
    pytest.param(
        wire.update(1, (b"2", b""), (b"1", None)), m.Update(1, (b"2", b""), (b"1", None), full=False), id="key update"
    ),
    pytest.param(
        wire.update(1, (b"1",), (b"0",), full=True), m.Update(1, (b"1",), (b"0",), full=True), id="full update"
    ),
    pytest.param(wire.delete(1, (b"1", None)), m.Delete(1, (b"1", None), full=False), id="delete by key"),
    pytest.param(wire.delete(1, (b"1",), full=True), m.Delete(1, (b"1",), full=True), id="delete of a whole row"),
    pytest.param(wire.truncate(1, 2, options=3), m.Truncate((1, 2), 3), id="truncate"),
    pytest.param(
        b"M\1" + struct.pack(">Q", 8) + b"p\0" + struct.pack(">I", 2) + b"hi", m.Message(True, 8, "p", b"hi"),
        id="message",
    ),
    pytest.param(wire.stream_start(4, first=False), m.StreamStart(4, first=False), id="stream start"),
    pytest.param(wire.STREAM_STOP, m.StreamStop(), id="stream stop"),
    pytest.param(wire.stream_commit(4, 5, 6, 7), m.StreamCommit(4, 5, 6, 7), id="stream commit"),
    pytest.param(wire.stream_abort(4, 5), m.StreamAbort(4, 5), id="stream abort"),
    pytest.param(wire.stream_abort(4, 5, timed=True), m.StreamAbort(4, 5), id="stream abort of version 4"),
    pytest.param(wire.begin_prepare(1, 2, 3, 4, "g"), m.BeginPrepare(1, 2, 3, 4, "g"), id="begin prepare"),
    pytest.param(wire.prepare(1, 2, 3, 4, "g"), m.Prepare(1, 2, 3, 4, "g"), id="prepare"),
    pytest.param(wire.prepare(1, 2, 3, 4, "g", kind=b"p"), m.Prepare(1, 2, 3, 4, "g"), id="stream prepare"),
    pytest.param(wire.commit_prepared(1, 2, 3, 4, "g"), m.CommitPrepared(1, 2, 3, 4, "g"), id="commit prepared"),
    pytest.param(wire.rollback_prepared(1, 2, 4, "g"), m.RollbackPrepared(1, 2, 4, "g"), id="rollback prepared"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), MESSAGES)
def test_a_message_is_read(data: bytes, message: m.Decoded) -> None:
    """Every message of versions 1 to 4 is read as the protocol defines it, also behind an envelope."""
    assert decode(data) == message
    assert decode(b"envelope" + data, 8) == message


@pytest.mark.parametrize(("data", "message"), MESSAGES)
def test_a_message_that_is_cut_is_refused(data: bytes, message: m.Decoded) -> None:
    """A message that ends early, or goes on behind its end, is an error that names the place."""
    for cut in (*(data[:size] for size in range(len(data))), data + b"\0"):
        if cut == wire.stream_abort(4, 5):  # what version 4 adds to it is known by its length alone
            continue
        with pytest.raises(ProtocolError, match=r"offset=\d+"):
            decode(cut)


@given(st.binary(max_size=80), st.sampled_from([b"", *b"BCORYIUDTMSEcAbPKrp"]), st.booleans())
def test_any_bytes_give_a_message_or_one_error(data: bytes, kind: int | bytes, streamed: bool) -> None:
    """Decoding is total: whatever comes, it is a message or a ProtocolError, and nothing else."""
    head = bytes([kind]) if isinstance(kind, int) else kind
    with contextlib.suppress(ProtocolError):
        assert decode(head + data, streamed=streamed) is not None


@given(OIDS, ROWS, ROWS, st.booleans())
def test_rows_come_back_as_they_were_written(oid: int, new: m.Row, old: m.Row, full: bool) -> None:
    """Values, NULL and what was left out are told apart, whatever bytes a value has."""
    assert decode(wire.insert(oid, new)) == m.Insert(oid, new)
    assert decode(wire.update(oid, new, old, full=full)) == m.Update(oid, new, old, full)
    assert decode(wire.delete(oid, old, full=full)) == m.Delete(oid, old, full)
    assert decode(wire.insert(oid, new, xid=7), streamed=True) == m.Insert(oid, new)


@given(OIDS, NAMES, st.lists(st.builds(m.RelationColumn, NAMES, OIDS, st.integers(-1, 2**31 - 1), st.booleans())))
def test_relations_come_back_as_they_were_written(oid: int, name: str, columns: list[m.RelationColumn]) -> None:
    """A relation keeps names in any script, types and modifiers."""
    assert decode(wire.relation(oid, name, columns)) == m.Relation(oid, "public", name, "d", tuple(columns))
