"""A table beside what its source says now, partition by partition: `tap ... | target-delta verify --source`.

Takes a table and the same stream loaded beside it; gives counts and checksums that differ. Keeps no row in memory.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from target_delta.checksum import checksum
from target_delta.metadata import COLUMNS as STAMPS
from target_delta.metadata import DELETED_AT
from target_delta.names import table_address
from target_delta.partition import COLUMN
from target_delta.parts import parts
from target_delta.scan import read
from target_delta.store import Store
from target_delta.table import Table
from target_delta.upkeep.verify import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_delta.parts import Values
    from target_delta.snapshot import Snapshot
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

    Sums = dict[Values, tuple[int, int]]

_ROUND = 1 << 64  # where checksums begin again


def compare(table: Found, beside: str) -> Row:
    """Return what differs between the living rows of a table and those that its source sent.

    Columns that the source did not send are not compared, nor those that the loader adds.
    """
    finding = Finding("source")
    store, now = Store(table_address(beside, table.stream), {}), table.snapshot
    came = Table(store, table.stream).snapshot()
    ours_alone = {*STAMPS.names, *([COLUMN] if now.partitioning.is_derived else [])}
    columns = [name for name in now.schema.names if came and name in came.schema.names and name not in ours_alone]
    ours = _sums(table.store, now, now, columns)
    theirs = _sums(store, came, now, columns) if came else {}
    for values in sorted({*ours, *theirs}, key=str):
        (rows, number), (sent, other) = ours.get(values, (0, 0)), theirs.get(values, (0, 0))
        finding.looked_at += sent
        where = f" in {'/'.join(map(str, values))}" if values else ""
        if rows != sent:
            finding.problem(f"{rows} rows{where}, and {sent} in the source", abs(rows - sent))
        elif number != other:
            finding.problem(f"the {rows} rows{where} differ from those of the source")
    return finding.row(table.stream)


def _sums(store: Store, files_of: Snapshot, table: Snapshot, columns: Sequence[str]) -> Sums:
    """Return how many living rows each partition of the table has, or would have, and their checksum."""
    found: Sums = defaultdict(lambda: (0, 0))
    needed = dict.fromkeys([*columns, *table.partitioning.keys])
    fields = [table.schema.field(name) for name in needed]
    if DELETED_AT in files_of.schema.names and DELETED_AT not in needed:
        fields.append(files_of.schema.field(DELETED_AT))
    for file in files_of.files:
        for rows in read(store, file, pa.schema(fields)):
            living = rows.filter(pc.is_null(rows[DELETED_AT])) if DELETED_AT in rows.column_names else rows
            for values, places in parts(table.partitioning.place(living), table.partition_by):
                part = living.select(columns).take(places)
                count, number = found[values]
                found[values] = (count + len(places), (number + checksum(part)) % _ROUND)
    return {values: sums for values, sums in found.items() if sums[0]}
