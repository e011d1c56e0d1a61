"""What a publication says, message by message, as pgoutput's protocol (versions 1 to 4) names it. Pure.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html; positions are integers, times are
microseconds since 2000, values are the text of their type as bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class _Unchanged(Enum):
    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return self.name


UNCHANGED: Final = _Unchanged.UNCHANGED
"""A value that is stored apart (TOAST), did not change, and is therefore not in the log."""

Value = bytes | None | _Unchanged
Row = tuple[Value, ...]


class Begin(NamedTuple):
    """A transaction that has committed begins; `commit_lsn` is the position of its commit."""

    commit_lsn: int
    commit_us: int
    xid: int


class Commit(NamedTuple):
    """A transaction ends; what comes next lies at `end_lsn` or behind it."""

    commit_lsn: int
    end_lsn: int
    commit_us: int


class Origin(NamedTuple):
    """The transaction came from another server."""

    lsn: int
    name: str


class RelationColumn(NamedTuple):
    """A column of a relation as it was when the rows after it were written."""

    name: str
    type_oid: int
    typmod: int
    is_key: bool


class Relation(NamedTuple):
    """The shape of a table: it comes before its first row, and again after every change.

    `identity` is the replica identity: d(efault), n(othing), f(ull) or i(ndex).
    """

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


class Type(NamedTuple):
    """The name of a type that is not built in."""

    oid: int
    schema: str
    name: str


class Insert(NamedTuple):
    """A new row."""

    relation: int
    new: Row


class Update(NamedTuple):
    """A changed row; `old` is its identity where that changed, the whole old row where `full`, else None."""

    relation: int
    new: Row
    old: Row | None
    full: bool


class Delete(NamedTuple):
    """A row that is gone: the whole of it where `full`, else only its identity, the rest NULL."""

    relation: int
    old: Row
    full: bool


class Truncate(NamedTuple):
    """Tables that were emptied."""

    relations: tuple[int, ...]
    options: int


class Message(NamedTuple):
    """What pg_logical_emit_message wrote."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


class StreamStart(NamedTuple):
    """What follows, up to StreamStop, belongs to a transaction that has not ended yet."""

    xid: int
    first: bool


class StreamStop(NamedTuple):
    """The end of a piece of an unfinished transaction."""


class StreamCommit(NamedTuple):
    """A transaction that came in pieces has committed."""

    xid: int
    commit_lsn: int
    end_lsn: int
    commit_us: int


class StreamAbort(NamedTuple):
    """A transaction that came in pieces, or a part of it (`subxid` is another number then), was rolled back."""

    xid: int
    subxid: int


class BeginPrepare(NamedTuple):
    """A transaction that was prepared for two-phase commit begins."""

    prepare_lsn: int
    end_lsn: int
    prepare_us: int
    xid: int
    gid: str


class Prepare(NamedTuple):
    """The end of a prepared transaction, whether it came whole or in pieces."""

    prepare_lsn: int
    end_lsn: int
    prepare_us: int
    xid: int
    gid: str


class CommitPrepared(NamedTuple):
    """A prepared transaction has committed."""

    commit_lsn: int
    end_lsn: int
    commit_us: int
    xid: int
    gid: str


class RollbackPrepared(NamedTuple):
    """A prepared transaction was rolled back."""

    prepare_end_lsn: int
    end_lsn: int
    xid: int
    gid: str


Decoded = (
    Begin | Commit | Origin | Relation | Type | Insert | Update | Delete | Truncate | Message | StreamStart | StreamStop
    | StreamCommit | StreamAbort | BeginPrepare | Prepare | CommitPrepared | RollbackPrepared
)  # fmt: skip
