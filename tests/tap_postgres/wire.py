"""Writes pgoutput messages as a server does, for tests of what reads them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tap_postgres.cdc import messages as m

if TYPE_CHECKING:
    from collections.abc import Sequence


def text(name: str) -> bytes:
    return name.encode() + b"\0"


def row(values: m.Row) -> bytes:
    parts = [struct.pack(">H", len(values))]
    for value in values:
        if isinstance(value, bytes):
            parts.append(b"t" + struct.pack(">I", len(value)) + value)
        else:
            parts.append(b"n" if value is None else b"u")
    return b"".join(parts)


def begin(lsn: int, us: int = 0, xid: int = 1) -> bytes:
    return b"B" + struct.pack(">QqI", lsn, us, xid)


def commit(lsn: int, end: int, us: int = 0) -> bytes:
    return b"C" + struct.pack(">BQQq", 0, lsn, end, us)


def relation(
    oid: int, name: str, columns: Sequence[m.RelationColumn], *, identity: str = "d", schema: str = "public"
) -> bytes:
    described = b"".join(bytes([c.is_key]) + text(c.name) + struct.pack(">Ii", c.type_oid, c.typmod) for c in columns)
    return b"R" + _in(oid) + text(schema) + text(name) + identity.encode() + struct.pack(">H", len(columns)) + described


def insert(oid: int, values: m.Row, *, xid: int | None = None) -> bytes:
    return b"I" + _in(oid, xid) + b"N" + row(values)


def update(oid: int, new: m.Row, old: m.Row | None = None, *, full: bool = False) -> bytes:
    before = b"" if old is None else (b"O" if full else b"K") + row(old)
    return b"U" + _in(oid) + before + b"N" + row(new)


def delete(oid: int, old: m.Row, *, full: bool = False) -> bytes:
    return b"D" + _in(oid) + (b"O" if full else b"K") + row(old)


def truncate(*oids: int, options: int = 0) -> bytes:
    return b"T" + struct.pack(f">IB{len(oids)}I", len(oids), options, *oids)


def stream_start(xid: int, *, first: bool = True) -> bytes:
    return b"S" + struct.pack(">IB", xid, first)


STREAM_STOP = b"E"


def stream_commit(xid: int, lsn: int, end: int, us: int = 0) -> bytes:
    return b"c" + struct.pack(">IBQQq", xid, 0, lsn, end, us)


def stream_abort(xid: int, subxid: int, *, timed: bool = False) -> bytes:
    return b"A" + struct.pack(">II", xid, subxid) + (struct.pack(">Qq", 1, 2) if timed else b"")


def begin_prepare(lsn: int, end: int, us: int, xid: int, gid: str) -> bytes:
    return b"b" + struct.pack(">QQqI", lsn, end, us, xid) + text(gid)


def prepare(lsn: int, end: int, us: int, xid: int, gid: str, *, kind: bytes = b"P") -> bytes:
    return kind + b"\0" + struct.pack(">QQqI", lsn, end, us, xid) + text(gid)


def commit_prepared(lsn: int, end: int, us: int, xid: int, gid: str) -> bytes:
    return prepare(lsn, end, us, xid, gid, kind=b"K")


def rollback_prepared(prepare_end: int, end: int, xid: int, gid: str) -> bytes:
    return b"r\0" + struct.pack(">QQqqI", prepare_end, end, 0, 0, xid) + text(gid)


def _in(oid: int, xid: int | None = None) -> bytes:
    return (b"" if xid is None else struct.pack(">I", xid)) + struct.pack(">I", oid)


COLUMNS = (m.RelationColumn("id", 23, -1, is_key=True), m.RelationColumn("v", 25, -1, is_key=False))
