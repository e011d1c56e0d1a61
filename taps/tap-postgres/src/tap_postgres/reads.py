"""Which SELECTs make one run of a stream, and how far STATE may go after each. Pure.

Takes a table, its columns and where the last run ended; gives `Read`s in order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singerkit.bookmarks import to_state
from tap_postgres import query
from tap_postgres.partition import part_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psycopg import sql

    from tap_postgres.discover import Table
    from tap_postgres.values import Column


@dataclass(frozen=True)
class Read:
    """One SELECT. `moves` says that its rows are ordered by the replication key, `after` what STATE says at its end."""

    sql: str
    moves: bool = False
    after: Mapping[str, Any] = field(default_factory=dict)


def incremental(table: Table, columns: Sequence[Column], key: Column, start: Any | None) -> Iterator[Read]:
    """Yield the rows without a key, which have no place in the order and are read every time, then those from `start`.

    Two SELECTs, since one with OR would be read without the key's index.
    """
    column = table.column(key.name)
    nullable = column is not None and column.nullable
    if nullable:
        yield Read(query.select(table, columns, where=query.is_null(key.name)))
    if start is not None:
        where: sql.Composed | None = query.at_least(key.name, str(to_state(start)), key.rendering.cast)
    else:
        where = query.is_not_null(key.name) if nullable else None
    yield Read(query.select(table, columns, where=where, order_by=key.name), moves=True)


def full(table: Table, columns: Sequence[Column], version: int, load: Mapping[str, Any]) -> Iterator[Read]:
    """Yield one SELECT a key range; the end of each but the last is a place to resume."""
    for lower, upper in key_ranges(table, load):
        key = table.keys[0] if table.keys else ""
        begin = None if lower is None else query.at_least(key, str(lower), _EDGE)
        end = None if upper is None else query.below(key, str(upper), _EDGE)
        after = {} if upper is None else {"full_load": {"version": version, "key": key, "below": upper}}
        yield Read(query.select(table, columns, where=query.both(begin, end)), after=after)


def key_ranges(table: Table, load: Mapping[str, Any]) -> list[tuple[int | None, int | None]]:
    """Return the ranges of a full load, from where an earlier one ended; None is an open end.

    A table of one part, or without a single integer key, is one range. The first is open below and the last above, so
    that no row is missed whatever the statistics say.
    """
    first = load["below"] if is_resumable(table, load) else None
    edges = [edge for edge in _edges(table) if first is None or edge > first]
    ends = [first, *edges, None]
    return [*itertools.pairwise(ends)]


def is_resumable(table: Table, load: Mapping[str, Any]) -> bool:
    """Tell whether a full load of STATE went by the key that the table still has."""
    return table.span is not None and load.get("key") == table.keys[0] and isinstance(load.get("below"), int)


def _edges(table: Table) -> list[int]:
    """Return where one part ends and the next begins; empty where one part holds all."""
    size = part_rows(table)
    if table.span is None or not table.rows or table.rows <= size:
        return []
    lowest, highest = table.span
    parts = -(-table.rows // size)
    step = max(1, (highest - lowest + 1) // parts)
    return [lowest + step * number for number in range(1, parts)]


_EDGE = "int8"  # every integer key compares with it, and uses its index
