"""What change data capture asks of a server, requirement by requirement, with the SQL that mends what is missing. Pure.

Takes facts; gives a list that `cdc check` prints, and of which a run refuses what is not met.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_postgres.cdc.facts import PARTITIONED, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_postgres.cdc.facts import CapturedTable, Facts

MIB = 1 << 20


@dataclass(frozen=True)
class Asked:
    """What a run wants: the names of slot and publication, and the tables with their streams' keys."""

    slot: str
    publication: str
    tables: Sequence[tuple[CapturedTable, Sequence[str]]]
    leaves: Mapping[int, Sequence[tuple[str, str]]]
    """The partitions of the partitioned ones, by oid."""
    all_tables: bool = False
    lag_warning_mb: int = 1024
    heartbeat: bool = False


@dataclass(frozen=True)
class Requirement:
    """One requirement; `sql` mends it, where SQL can. `made_by_run` is what a run makes itself."""

    name: str
    met: bool
    why: str = ""
    sql: str = ""
    made_by_run: bool = False
    advice: bool = False
    """Whether a run goes on all the same."""

    @property
    def stops_a_run(self) -> bool:
        """Whether a run cannot do without it."""
        return not (self.met or self.made_by_run or self.advice)

    def line(self) -> str:
        """Return the requirement as a line for a person."""
        mark = "✓" if self.met else ("-" if self.made_by_run else "!" if self.advice else "✗")
        text = f"{mark} {self.name}" + (f": {self.why}" if self.why and not self.met else "")
        return text + (f"\n    {self.sql}" if self.sql and not self.met else "")


def requirements(facts: Facts, asked: Asked) -> Iterator[Requirement]:
    """Yield every requirement, in the order in which a person would mend them."""
    yield from _server(facts, asked)
    yield from (_unlogged(table) for table, _ in asked.tables if not can_be_published(table))
    yield from _publication(facts, asked)
    for table, keys in asked.tables:
        if can_be_published(table):
            yield from _table(table, keys, facts, asked)


def _server(facts: Facts, asked: Asked) -> Iterator[Requirement]:
    role = quoted(facts.role)
    yield Requirement(
        "wal_level is logical",
        facts.wal_level == "logical",
        f"it is {facts.wal_level}; an administrator changes it, and the server must be restarted",
        "ALTER SYSTEM SET wal_level = logical;  -- then restart the server",
    )
    yield Requirement(
        f"role {facts.role} has REPLICATION",
        facts.may_replicate,
        "an administrator grants it (on RDS: GRANT rds_replication TO the role)",
        f"ALTER ROLE {role} REPLICATION;",
    )
    if facts.is_replica:
        yield Requirement(
            "this replica may decode its log",
            facts.version >= 160000,
            "replicas do from PostgreSQL 16 on: read the changes from the primary",
        )
    if facts.is_replica and asked.heartbeat:
        why = "a replica writes nothing: unset heartbeat_s, or let something write on the primary"
        yield Requirement("a heartbeat can be written", met=False, why=why)
    slot = facts.slot
    if slot is None:
        yield Requirement(
            "a replication slot is free",
            facts.slots_used < facts.slots,
            f"all {facts.slots} are in use",
            "ALTER SYSTEM SET max_replication_slots = 20;  -- then restart, or drop a slot that nobody reads",
        )
        yield Requirement(f"slot {asked.slot} exists", met=False, why="the first run makes it", made_by_run=True)
        return
    ours = slot.plugin == "pgoutput" and slot.database == facts.database
    yield Requirement(
        f"slot {asked.slot} is a slot of this database for pgoutput",
        ours,
        f"it is of database {slot.database}, plugin {slot.plugin}: set replication_slot to another name",
    )
    # a run looks for itself whether what it needs is there, and does what on_lost says
    yield Requirement(
        f"slot {asked.slot} has its log", not slot.is_lost, f"{slot.why_lost}; see the setting on_lost", advice=True
    )
    kept = slot.kept_bytes / MIB
    yield Requirement(
        f"slot {asked.slot} keeps {kept:,.0f} MB of log",
        kept < asked.lag_warning_mb,
        "the server deletes none of it before it is confirmed: run more often, or confirm what is stored",
        advice=True,
    )


def _publication(facts: Facts, asked: Asked) -> Iterator[Requirement]:
    name = quoted(asked.publication)
    found = facts.publication
    tables = ", ".join(qualified(table) for table, _ in asked.tables if can_be_published(table))
    scope = "FOR ALL TABLES" if asked.all_tables else f"FOR TABLE {tables}" if tables else ""
    everything = "publish = 'insert, update, delete, truncate'"
    options = "publish_via_partition_root = true" if facts.version >= 130000 else everything
    yield Requirement(
        f"publication {asked.publication} exists",
        found is not None,
        "the owner of the tables, or a superuser, makes it",
        f"CREATE PUBLICATION {name} {scope} WITH ({options});",
    )
    if found is None:
        return
    lacking = [word for word in ("insert", "update", "delete", "truncate") if not found.get(f"pub{word}", True)]
    yield Requirement(
        f"publication {asked.publication} publishes every kind of change",
        not lacking,
        f"not published: {', '.join(lacking)}",
        f"ALTER PUBLICATION {name} SET ({everything});",
    )


def _table(table: CapturedTable, keys: Sequence[str], facts: Facts, asked: Asked) -> Iterator[Requirement]:
    name = table.full_name
    if facts.publication is not None:
        yield Requirement(
            f"{name} is in publication {asked.publication}",
            facts.publishes(table, asked.leaves.get(table.oid, ())),
            "its changes would not come",
            f"ALTER PUBLICATION {quoted(asked.publication)} ADD TABLE {qualified(table)};",
        )
    full = f"ALTER TABLE {qualified(table)} REPLICA IDENTITY FULL;"
    has_identity = table.identity == "f" or bool(table.identity_columns)
    yield Requirement(
        f"{name} has a replica identity",
        has_identity,
        "while it is published, UPDATE and DELETE of it fail for everybody",
        full,
    )
    if keys and has_identity and table.identity != "f":
        missing = [key for key in keys if key not in table.identity_columns]
        yield Requirement(
            f"{name}: the replica identity holds the key ({', '.join(keys)})",
            not missing,
            f"deleted rows would come without {', '.join(missing)}",
            f"ALTER TABLE {qualified(table)} REPLICA IDENTITY DEFAULT;  -- or {full}",
        )
    if not keys:
        yield Requirement(
            f"{name} has a key",
            met=False,
            why="its changes are appended, one row each: nothing tells which stored row they change",
            advice=True,
        )


def _unlogged(table: CapturedTable) -> Requirement:
    why = "views, foreign and unlogged tables have none: choose FULL_TABLE or INCREMENTAL"
    return Requirement(f"{table.full_name} is a table whose changes are logged", met=False, why=why)


def can_be_published(table: CapturedTable) -> bool:
    """Whether the server logs the changes of this relation."""
    return table.kind in {TABLE, PARTITIONED} and table.persistence == "p"


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(table: CapturedTable) -> str:
    """Return schema and name as SQL."""
    return f"{quoted(table.schema)}.{quoted(table.name)}"
