"""Bytes of pgoutput to messages. Pure, and total: any bytes give one message or a ProtocolError with the offset.

Takes one message of the COPY stream behind its envelope; gives a value of `messages`. Refuses what the protocol does
not know, what ends early, and bytes behind the end.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from singerkit.errors import UnavailableError
from tap_postgres.cdc import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[bytes, int], tuple[m.Decoded, int]]

_NULL, _TEXT, _STAYS = b"n"[0], b"t"[0], b"u"[0]
_NEW, _KEY, _OLD = b"N"[0], b"K"[0], b"O"[0]
_XID = 4  # bytes, behind the kind of every message inside of a stream

_U8, _U16, _U32, _U64 = (struct.Struct(f">{code}") for code in "BHIQ")
_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">BQQq")
_SIZE = struct.Struct(">xI")  # behind the kind of a value
_CELL = struct.Struct(">BI")
_MESSAGE = struct.Struct(">BQ")
_STREAM_COMMIT = struct.Struct(">IBQQq")
_PREPARED = struct.Struct(">QQqI")
_ROLLED_BACK = struct.Struct(">QQqqI")
_TYPED = struct.Struct(">Ii")


class ProtocolError(UnavailableError):
    """The server said something that is not pgoutput, or the connection lost bytes of it."""

    def __init__(self, what: str, offset: int) -> None:
        remedy = "run again; if it comes again, report it with the versions of server and tap"
        super().__init__(f"a replication message cannot be read: {what}", remedy=remedy, offset=offset)


def decode(data: bytes, start: int = 0, *, streamed: bool = False) -> m.Decoded:
    """Return the message that lies at `start`; inside of a stream its rows carry the number of their transaction."""
    try:
        kind = data[start]
        reader = _READERS[kind]
        message, end = reader(data, start + 1 + (_XID if streamed and kind in IN_TRANSACTION else 0))
    except KeyError:
        raise ProtocolError(f"the kind {chr(kind)!r} is not known", start) from None
    except (struct.error, IndexError) as error:
        raise ProtocolError("it ends early", len(data)) from error
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a name in {chr(kind)!r} is not UTF-8", start) from error
    if end != len(data):
        how = "early" if end > len(data) else "before its bytes do"
        raise ProtocolError(f"{chr(kind)!r} ends {how}", min(end, len(data)))
    return message


IN_TRANSACTION = frozenset(b"IUDTRYM")
"""The kinds that carry a transaction's number inside of a stream."""


def _begin(data: bytes, at: int) -> tuple[m.Decoded, int]:
    return m.Begin(*_BEGIN.unpack_from(data, at)), at + _BEGIN.size


def _commit(data: bytes, at: int) -> tuple[m.Decoded, int]:
    return m.Commit(*_COMMIT.unpack_from(data, at)[1:]), at + _COMMIT.size


def _origin(data: bytes, at: int) -> tuple[m.Decoded, int]:
    (lsn,) = _U64.unpack_from(data, at)
    name, end = _string(data, at + 8)
    return m.Origin(lsn, name), end


def _relation(data: bytes, at: int) -> tuple[m.Decoded, int]:
    (oid,) = _U32.unpack_from(data, at)
    schema, at = _string(data, at + 4)
    name, at = _string(data, at)
    identity, (count,) = chr(data[at]), _U16.unpack_from(data, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        is_key = bool(data[at] & 1)
        column, at = _string(data, at + 1)
        type_oid, typmod = _TYPED.unpack_from(data, at)
        columns.append(m.RelationColumn(column, type_oid, typmod, is_key))
        at += _TYPED.size
    return m.Relation(oid, schema or "pg_catalog", name, identity, tuple(columns)), at


def _type(data: bytes, at: int) -> tuple[m.Decoded, int]:
    (oid,) = _U32.unpack_from(data, at)
    schema, at = _string(data, at + 4)
    name, at = _string(data, at)
    return m.Type(oid, schema or "pg_catalog", name), at


def _insert(data: bytes, at: int) -> tuple[m.Decoded, int]:
    (relation,) = _U32.unpack_from(data, at)
    _expect(data, at + 4, _NEW)
    new, end = _row(data, at + 5)
    return m.Insert(relation, new), end


def _update(data: bytes, at: int) -> tuple[m.Decoded, int]:
    (relation,) = _U32.unpack_from(data, at)
    at += 4
    old, full = None, data[at] == _OLD
    if full or data[at] == _KEY:
        old, at = _row(data, at + 1)
    _expect(data, at, _NEW)
    new, end = _row(data, at + 1)
    return m.Update(relation, new, old, full), end


def _delete(data: bytes, at: int) -> tuple[m.Decoded, int]:
    (relation,) = _U32.unpack_from(data, at)
    full = data[at + 4] == _OLD
    if not full:
        _expect(data, at + 4, _KEY)
    old, end = _row(data, at + 5)
    return m.Delete(relation, old, full), end


def _truncate(data: bytes, at: int) -> tuple[m.Decoded, int]:
    count, options = struct.unpack_from(">IB", data, at)
    at += 5
    if len(data) - at < count * 4:  # before a count of billions is believed
        raise IndexError
    return m.Truncate(struct.unpack_from(f">{count}I", data, at), options), at + count * 4


def _message(data: bytes, at: int) -> tuple[m.Decoded, int]:
    flags, lsn = _MESSAGE.unpack_from(data, at)
    prefix, at = _string(data, at + _MESSAGE.size)
    (size,) = _U32.unpack_from(data, at)
    end = at + 4 + size
    return m.Message(bool(flags & 1), lsn, prefix, data[at + 4 : end]), end


def _stream_start(data: bytes, at: int) -> tuple[m.Decoded, int]:
    xid, first = struct.unpack_from(">IB", data, at)
    return m.StreamStart(xid, bool(first)), at + 5


def _stream_stop(data: bytes, at: int) -> tuple[m.Decoded, int]:  # noqa: ARG001  # a reader's signature
    return m.StreamStop(), at


def _stream_commit(data: bytes, at: int) -> tuple[m.Decoded, int]:
    xid, _, commit_lsn, end_lsn, commit_us = _STREAM_COMMIT.unpack_from(data, at)
    return m.StreamCommit(xid, commit_lsn, end_lsn, commit_us), at + _STREAM_COMMIT.size


def _stream_abort(data: bytes, at: int) -> tuple[m.Decoded, int]:
    """Read both forms: version 4 adds the position and the time where pieces are applied in parallel."""
    xid, subxid = struct.unpack_from(">II", data, at)
    timed = len(data) == at + 24
    return m.StreamAbort(xid, subxid), at + (24 if timed else 8)


def _begin_prepare(data: bytes, at: int) -> tuple[m.Decoded, int]:
    lsn, end_lsn, prepare_us, xid = _PREPARED.unpack_from(data, at)
    gid, end = _string(data, at + _PREPARED.size)
    return m.BeginPrepare(lsn, end_lsn, prepare_us, xid, gid), end


def _prepare(data: bytes, at: int) -> tuple[m.Decoded, int]:
    lsn, end_lsn, prepare_us, xid = _PREPARED.unpack_from(data, at + 1)
    gid, end = _string(data, at + 1 + _PREPARED.size)
    return m.Prepare(lsn, end_lsn, prepare_us, xid, gid), end


def _commit_prepared(data: bytes, at: int) -> tuple[m.Decoded, int]:
    lsn, end_lsn, commit_us, xid = _PREPARED.unpack_from(data, at + 1)
    gid, end = _string(data, at + 1 + _PREPARED.size)
    return m.CommitPrepared(lsn, end_lsn, commit_us, xid, gid), end


def _rollback_prepared(data: bytes, at: int) -> tuple[m.Decoded, int]:
    prepare_end, end_lsn, _, _, xid = _ROLLED_BACK.unpack_from(data, at + 1)
    gid, end = _string(data, at + 1 + _ROLLED_BACK.size)
    return m.RollbackPrepared(prepare_end, end_lsn, xid, gid), end


def _row(data: bytes, at: int) -> tuple[m.Row, int]:
    """Read a row: how many values there are, and each of them."""
    return _cells(data, at + 2, data[at] << 8 | data[at + 1])


def _cells(data: bytes, at: int, count: int) -> tuple[m.Row, int]:
    row: list[m.Value] = []
    add, size_at = row.append, _SIZE.unpack_from
    for _ in range(count):
        kind = data[at]
        if kind == _TEXT:
            begin = at + 5
            (size,) = size_at(data, at)
            at = begin + size
            add(data[begin:at])
        elif kind == _NULL:
            add(None)
            at += 1
        elif kind == _STAYS:
            add(m.UNCHANGED)
            at += 1
        else:
            raise ProtocolError(f"a value of the kind {chr(kind)!r} was not asked for", at)
    if at > len(data):
        raise IndexError
    return tuple(row), at


def read_cells(data: bytes, count: int) -> m.Row:
    """Return the values of a row, whose bytes are these and no others."""
    try:
        row, end = _cells(data, 0, count)
    except (struct.error, IndexError) as error:
        raise ProtocolError("a row ends early", len(data)) from error
    if end != len(data):
        raise ProtocolError("a row ends before its bytes do", end)
    return row


def write_cells(row: m.Row) -> bytes:
    """Return the bytes that `read_cells` reads."""
    return b"".join(
        _CELL.pack(_TEXT, len(value)) + value if isinstance(value, bytes) else b"n" if value is None else b"u"
        for value in row
    )


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise IndexError
    return data[at:end].decode(), end + 1


def _expect(data: bytes, at: int, kind: int) -> None:
    if data[at] != kind:
        raise ProtocolError(f"{chr(kind)!r} should be here", at)


_READERS: Mapping[int, Reader] = {
    kind[0]: reader
    for kind, reader in {
        b"B": _begin, b"C": _commit, b"O": _origin, b"R": _relation, b"Y": _type, b"I": _insert, b"U": _update,
        b"D": _delete, b"T": _truncate, b"M": _message, b"S": _stream_start, b"E": _stream_stop, b"c": _stream_commit,
        b"A": _stream_abort, b"b": _begin_prepare, b"P": _prepare, b"K": _commit_prepared, b"r": _rollback_prepared,
        b"p": _prepare,
    }.items()
}  # fmt: skip
