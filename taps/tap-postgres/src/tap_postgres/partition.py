"""The `x-partition` hint: how a loader could cut a table into parts of about 200 MB, by the server's statistics. Pure.

Takes a Table; gives the hint, or None for a table without keys. Refuses to guess: without statistics it is one part.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_postgres.discover import Table

PART_BYTES = 200_000_000
UNKNOWN_ROW_BYTES = 200  # before the first ANALYZE
MIN_DENSITY = 0.2
"""Rows over the span of the key: below it, parts of equal span would be of very unequal size."""
CREATED = ("created_at", "inserted_at", "createdat")
TIMES = frozenset({"timestamp", "timestamptz", "date"})


def partition_hint(table: Table) -> dict[str, Any] | None:
    """Return mode, keys, count and size.

    numerical: one dense integer key, `size` rows of its span a part. md5: any other key with statistics, `count` parts.
    datetime: no statistics yet, but a column that says when a row was made and never changes.
    """
    if not table.keys:
        return None
    size = part_rows(table)
    count = max(1, math.ceil((table.rows or 0) / size))
    hint: dict[str, Any] = {"mode": "md5", "keys": list(table.keys), "count": count, "size": size}
    if _density(table) >= MIN_DENSITY:
        return hint | {"mode": "numerical"}
    if table.rows is None and (created := _created(table)):
        return hint | {"mode": "datetime", "keys": [created], "format": "month"}
    return hint


def part_rows(table: Table) -> int:
    """Return how many rows make a part."""
    row_bytes = table.size_bytes / table.rows if table.rows and table.size_bytes else UNKNOWN_ROW_BYTES
    return max(1, int(PART_BYTES / row_bytes))


def _density(table: Table) -> float:
    return (table.rows or 0) / (table.span[1] - table.span[0] + 1) if table.span else 0.0


def _created(table: Table) -> str | None:
    """Return the column that says when a row was made, if it is never NULL."""
    for column in table.columns:
        if column.name.lower() in CREATED and column.type.name in TIMES and not column.nullable:
            return column.name
    return None
