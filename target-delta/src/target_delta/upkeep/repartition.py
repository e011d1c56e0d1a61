"""Gives a table other partitions, beside its readers and writers: `target-delta repartition STREAM`.

Takes a table and the partitions that it shall have; gives what was done. Refuses what no table could be made with, and
what nothing here can do in one commit.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from singerkit.errors import SafetyStopError, StoreError
from target_delta.history import KEYS, RUN, UPKEEP, unfinished
from target_delta.partition_choice import wanted
from target_delta.partitioning import Wanted
from target_delta.schema import StreamSchema, stream_schema
from target_delta.upkeep.rebuild import FOLDER, Rebuild
from target_delta.upkeep.sizes import bytes_of, described, proposed
from target_delta.upkeep.streamed import announce, overwrite
from target_delta.upkeep.swap import swap
from target_delta.wall import store_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_delta.files import Layout
    from target_delta.snapshot import Snapshot
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

COLUMNS = ("stream", "now", "partitions", "bytes", "largest", "median", "becomes", "why", "repartitioned")
TARGET_BYTES = 256 << 20  # of a partition: what an upsert into it may have to read
MOST_ROUNDS = 40  # in which writers may be faster
MOST_STREAMED = 5  # rounds, each of which writes all rows again
_NEVER = 1 << 62


def plan(table: Found, said: Mapping[str, Any], target_bytes: int = TARGET_BYTES) -> tuple[Row, Wanted | None]:
    """Return what the log says of the partitions, and those that the table should have; None where it has them."""
    now, sizes = table.snapshot.partitioning, bytes_of(table.snapshot.files)
    row = {"stream": table.stream, "now": str(now), **described(sizes), "becomes": None, "why": None}
    if said:
        chosen: Wanted | None = wanted(_as_schema(table), said)
    else:
        better = proposed(now, sizes, target_bytes, table.keys())
        chosen = Wanted(better[0], better[1]) if better else None
    if chosen is None or chosen.partitioning == now:
        return row | {"why": "the partitions are good as they are"}, None
    return row | {"becomes": str(chosen.partitioning), "why": chosen.reason}, chosen


def repartition(table: Found, chosen: Wanted | None, layout: Layout) -> None:
    """Give a table other partitions in one commit; readers see the one or the other, and writers go on meanwhile.

    With None it has them, and what a run left that was killed after its commit is forgotten.

    1. See the table, and refuse what cannot be done.
    2. Write what has no place in the new partitions yet, checked by counts and checksums; a killed run goes on.
    3. See the table again; where a writer was there, go on with what it brought.
    4. Commit: all old files go, the new ones come, with the columns and the properties that say so.
    5. Force the entry to the disk, and forget the way.
    """
    with store_errors(table.stream, table.store.uri):
        if chosen is None:
            table.store.delete_folder(FOLDER)
            return
        work = Rebuild(table.store, chosen.partitioning, table.keys(), layout)
        facts = {RUN: str(uuid.uuid4()), UPKEEP: "repartition", KEYS: list(table.keys())}
        if _beside(table, chosen, work, facts) if table.store.root else _streamed(table, chosen, work, facts):
            return
    raise StoreError(
        "other writers were faster in every round",
        remedy="run it again, on a disk it goes on; let them pause",
        stream=table.stream,
    )


def _beside(table: Found, chosen: Wanted, work: Rebuild, facts: Mapping[str, Any]) -> bool:
    ready = table.committer().table
    for _ in range(MOST_ROUNDS):
        snapshot = _seen(table, ready.snapshot())  # 1
        entries = work.catch_up(snapshot)  # 2
        newest = _seen(table, ready.snapshot())  # 3
        if newest.version != snapshot.version:
            continue
        files = [file for entry in entries for file in entry.files]
        if swap(table.store, newest, chosen, files, facts):  # 4
            ready.synced(newest.version + 1)  # 5
            work.forget()
            return True
    return False


def _streamed(table: Found, chosen: Wanted, work: Rebuild, facts: Mapping[str, Any]) -> bool:
    """Do steps 1, 2 and 4 by delta-rs: in an object store nothing else makes a log entry that overwrites none."""
    ready = table.committer().table
    for _ in range(MOST_STREAMED):
        if announce(_seen(table, ready.snapshot()), chosen, facts) and overwrite(
            table, _seen(table, ready.snapshot()), work, facts
        ):
            return True
    return False


def _seen(table: Found, snapshot: Snapshot | None) -> Snapshot:
    if snapshot is None:
        raise StoreError("the table is gone", stream=table.stream, path=table.store.uri)
    if snapshot.is_foreign:
        raise SafetyStopError(
            "the table has features that delta-rs alone respects",
            remedy="load the stream in full into a new path", stream=table.stream,
        )  # fmt: skip
    if unfinished(table.store, snapshot.version, before_ms=_NEVER):
        raise SafetyStopError(
            "the last run that appended to the table was cut short, and the next one looks in its files",
            remedy="let the pipeline run to its end first", stream=table.stream,
        )  # fmt: skip
    return snapshot


def _as_schema(table: Found) -> StreamSchema:
    """Return the table's columns as a tap would declare them, by which partitions are judged."""
    made = {*table.snapshot.partition_by} if table.snapshot.partitioning.is_derived else set()
    nodes = {field.name: _node(field.type) for field in table.snapshot.schema if field.name not in made}
    message = {"stream": table.stream, "schema": {"properties": nodes}, "key_properties": list(table.keys())}
    return stream_schema(message)


def _node(kind: pa.DataType) -> dict[str, Any]:
    checks = (
        (pa.types.is_boolean, {"type": "boolean"}),
        (pa.types.is_integer, {"type": "integer"}),
        (pa.types.is_floating, {"type": "number"}),
        (pa.types.is_decimal, {"type": "number"}),
        (pa.types.is_date, {"type": "string", "format": "date"}),
        (pa.types.is_timestamp, {"type": "string", "format": "date-time"}),
        (pa.types.is_nested, {"type": "object"}),
    )
    return next((dict(node) for check, node in checks if check(kind)), {"type": "string"})
