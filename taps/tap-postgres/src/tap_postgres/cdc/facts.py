"""What the server says about its log, the slot, the publication and the tables: values that other rooms judge. Pure.

Takes rows of the catalog; gives frozen facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tap_postgres.cdc import lsn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PARTITIONED, TABLE = "p", "r"


@dataclass(frozen=True)
class Attribute:
    """A column; `filled` says that rows which were there before it may hold a value in it.

    `written` is the transaction that made or altered it last.
    """

    number: int
    name: str
    type_oid: int
    typmod: int
    ndims: int
    type_name: str
    generated: bool
    filled: bool
    written: int = field(default=0, compare=False)


@dataclass(frozen=True)
class CapturedTable:
    """A table as change data capture sees it; `identity_columns` name a deleted row, unless the identity is full."""

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    identity: str
    filenode: int
    identity_columns: tuple[str, ...]
    immediate_keys: tuple[tuple[str, ...], ...]
    """What is unique at every moment, not only when a transaction commits."""
    leaves: tuple[int, ...]
    columns: tuple[Attribute, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> CapturedTable:
        """Read a row of captured.sql."""
        attributes = tuple(Attribute(**column) for column in row["columns"] or ())
        lists = {name: tuple(row[name]) for name in ("identity_columns", "leaves")}
        keys = tuple(tuple(names) for names in row["immediate_keys"] or ())
        return cls(**{**row, **lists, "immediate_keys": keys, "columns": attributes})

    def may_repeat(self, keys: Sequence[str]) -> bool:
        """Tell whether two rows may have the same key for a while, as those that swap theirs under a deferred check."""
        return bool(keys) and not any(set(names) <= set(keys) for names in self.immediate_keys)

    @property
    def full_name(self) -> str:
        """Schema and name, as a person writes them."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Slot:
    """A replication slot; positions are None where the server has none."""

    name: str
    plugin: str | None
    database: str | None
    active_pid: int | None
    confirmed: int | None
    is_lost: bool
    why_lost: str
    kept_bytes: int
    two_phase: bool = False
    """Whether prepared transactions come when they are prepared, and not again with their commit."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Slot:
        """Read a row of pg_replication_slots, of any version."""
        confirmed = row.get("confirmed_flush_lsn")
        reason = row.get("invalidation_reason") or ""
        return cls(
            name=row["slot_name"],
            plugin=row.get("plugin"),
            database=row.get("database"),
            active_pid=row.get("active_pid"),
            confirmed=lsn.from_text(confirmed) if confirmed else None,
            is_lost=row.get("wal_status") == "lost" or bool(reason),
            why_lost=reason or "the log behind it was removed",
            kept_bytes=int(row.get("kept_bytes") or 0),
            two_phase=bool(row.get("two_phase")),
        )


@dataclass(frozen=True)
class Published:
    """What a publication publishes of a table; None where it is everything.

    `membership` is a number that is another one after the table left the publication and came back.
    """

    columns: tuple[str, ...] | None
    row_filter: str | None
    membership: int = 0

    def as_shape(self) -> list[Any]:
        """Return what STATE keeps of it."""
        return [self.membership, self.row_filter]


@dataclass(frozen=True)
class Facts:
    """The server as a run, or `cdc check`, finds it."""

    version: int
    wal_level: str
    role: str
    database: str
    superuser: bool
    may_replicate: bool
    may_create: bool
    is_replica: bool
    slots: int
    slots_used: int
    senders: int
    max_kept: str | None
    tip: int
    money_digits: int
    slot: Slot | None
    publication: Mapping[str, Any] | None
    published: Mapping[tuple[str, str], Published]
    memberships: Mapping[str, int]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Facts:
        """Read the object of capture.sql."""
        given: dict[str, Any] = {name: row.get(name) for name in cls.__dataclass_fields__}
        published = {(t["schemaname"], t["tablename"]): _published(t, row) for t in row["published"] or ()}
        slot = Slot.from_row(row["slot"]) if row["slot"] else None
        tip = lsn.last_end(lsn.from_text(row["tip"]), row["page_bytes"], row["segment_bytes"])
        return cls(
            **given | {"tip": tip, "slot": slot, "published": published} | {"memberships": row["memberships"] or {}}
        )

    @property
    def by_root(self) -> bool:
        """Whether changes of partitions come under the name of the partitioned table."""
        return bool(self.publication and self.publication.get("pubviaroot"))

    def columns_of(self, table: CapturedTable) -> list[str]:
        """Return the columns whose values the publication publishes; generated ones only where it says so."""
        published = self.published.get((table.schema, table.name))
        names = published.columns if published else None
        with_generated = self.version >= 180000 and names is not None
        return [
            a.name for a in table.columns if (names is None or a.name in names) and (with_generated or not a.generated)
        ]

    def published_as(self, table: CapturedTable) -> Published:
        """Return how the table is published, as far as the publication names it."""
        named = self.published.get((table.schema, table.name)) or Published(None, None)
        publication = self.publication or {}
        return replace(named, membership=int(self.memberships.get(str(table.oid)) or publication.get("oid") or 0))

    def publishes(self, table: CapturedTable, leaves: Sequence[tuple[str, str]]) -> bool:
        """Whether every change of the table is published; of a partitioned one, those of all its partitions."""
        if (table.schema, table.name) in self.published:
            return True
        return table.kind == PARTITIONED and bool(leaves) and all(leaf in self.published for leaf in leaves)


def _published(table: Mapping[str, Any], row: Mapping[str, Any]) -> Published:
    names = table.get("attnames")
    return Published(tuple(names) if names is not None and row["version"] >= 150000 else None, table.get("rowfilter"))
