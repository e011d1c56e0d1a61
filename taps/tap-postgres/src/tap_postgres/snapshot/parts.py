"""The parts of a full load, and which of them are done. Pure.

Takes a table, and what STATE says of a load that was cut short; gives ranges. A table with one integer key is cut by
ranges of the key, any other large table by ranges of pages (CTID).

Ranges of the key mean the same in every snapshot, so a load goes on where it was cut short. Ranges of pages do not: a
row that is updated moves. They are read in one snapshot or all over again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_postgres import query
from tap_postgres.partition import PART_BYTES, part_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import sql

    from tap_postgres.discover import Table

PAGE_BYTES = 8192
_EDGE = "int8"  # every integer key compares with it, and uses its index
_STORED = frozenset({"r", "m"})  # what has pages of its own


@dataclass(frozen=True)
class Part:
    """A range of a table; the number is its place among all parts."""

    number: int
    where: sql.Composed | None = None


@dataclass
class Parts:
    """All parts of a load; `done` grows, in any order."""

    todo: Sequence[Part]
    key: str | None = None
    edges: Sequence[int] = ()
    done: list[int] = field(default_factory=list)

    def finished(self, part: Part, version: int) -> dict[str, Any]:
        """Note that a part is complete, and return what STATE says then; nothing where the load cannot be resumed."""
        self.done.append(part.number)
        if self.key is None:
            return {}
        load = {"version": version, "key": self.key, "edges": list(self.edges), "done": sorted(self.done)}
        return {"full_load": load}


def parts_of(table: Table, load: Mapping[str, Any]) -> Parts:
    """Return the parts of a load, less those that an earlier run completed."""
    if is_resumable(table, load):
        edges, done = load["edges"], list(load["done"])
    else:
        edges, done = key_edges(table), []
    if edges:
        key = table.keys[0]
        ranges = itertools.pairwise(
            [None, *edges, None]
        )  # open at both ends: no row is missed, whatever statistics say
        parts = [Part(number, _between(key, *ends)) for number, ends in enumerate(ranges)]
        return Parts([part for part in parts if part.number not in done], key, edges, done)
    return Parts(_by_pages(table))


def is_resumable(table: Table, load: Mapping[str, Any]) -> bool:
    """Tell whether a full load of STATE went by the key that the table still has."""
    edges, done = load.get("edges"), load.get("done")
    return (
        table.has_integer_key
        and load.get("key") == table.keys[0]
        and all(isinstance(found, list) and all(isinstance(n, int) for n in found) for found in (edges, done))
    )


def key_edges(table: Table) -> list[int]:
    """Return where one part ends and the next begins; empty where one part holds all."""
    size = part_rows(table)
    if table.span is None or not table.rows or table.rows <= size:
        return []
    lowest, highest = table.span
    parts = -(-table.rows // size)
    step = max(1, (highest - lowest + 1) // parts)
    return [lowest + step * number for number in range(1, parts)]


def _by_pages(table: Table) -> list[Part]:
    """Return ranges of pages; what was added since the statistics lies in the last one."""
    count = -(-table.size_bytes // PART_BYTES) if table.kind in _STORED else 1
    if count <= 1:
        return [Part(0)]
    pages = -(-table.size_bytes // PAGE_BYTES)
    ends = [None, *(pages * number // count for number in range(1, count)), None]
    return [Part(number, query.pages(*pair)) for number, pair in enumerate(itertools.pairwise(ends))]


def _between(key: str, lower: int | None, upper: int | None) -> sql.Composed | None:
    begin = None if lower is None else query.at_least(key, str(lower), _EDGE)
    end = None if upper is None else query.below(key, str(upper), _EDGE)
    return query.both(begin, end)
