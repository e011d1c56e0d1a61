"""The hint that a loader gets on how to cut a table, and the key ranges by which a large one is read. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_postgres.discover import Table, TableColumn
from tap_postgres.partition import partition_hint
from tap_postgres.snapshot.parts import key_edges, parts_of
from tap_postgres.types import PgType

INT, TEXT, TIME = PgType("int8"), PgType("text"), PgType("timestamptz")
COLUMNS = (TableColumn("id", INT, nullable=False), TableColumn("created_at", TIME, nullable=False))
TABLE = Table("public", "t", "r", COLUMNS, ("id",), rows=10_000_000, size_bytes=1_000_000_000, span=(1, 10_000_000))

HINTS = [
    pytest.param({}, {"mode": "numerical", "keys": ["id"], "count": 5, "size": 2_000_000}, id="a dense integer key"),
    pytest.param(
        {"span": (1, 10**9)}, {"mode": "md5", "keys": ["id"], "count": 5, "size": 2_000_000}, id="a sparse integer key"
    ),
    pytest.param(
        {"span": None, "keys": ("id", "created_at")},
        {"mode": "md5", "keys": ["id", "created_at"], "count": 5, "size": 2_000_000},
        id="a composite key",
    ),
    pytest.param(
        {"span": None, "rows": None},
        {"mode": "datetime", "keys": ["created_at"], "format": "month", "count": 1, "size": 1_000_000},
        id="no statistics, a time of creation",
    ),
    pytest.param(
        {"span": None, "rows": None, "columns": COLUMNS[:1]},
        {"mode": "md5", "keys": ["id"], "count": 1, "size": 1_000_000},
        id="no statistics, nothing else",
    ),
    pytest.param(
        {"rows": 0, "span": None}, {"mode": "md5", "keys": ["id"], "count": 1, "size": 1_000_000}, id="an empty table"
    ),
    pytest.param({"keys": (), "span": None}, None, id="no key"),
]


@pytest.mark.parametrize(("changes", "hint"), HINTS)
def test_the_hint_follows_from_the_statistics(changes: dict[str, Any], hint: dict[str, Any] | None) -> None:
    """About 200 MB a part; one dense integer key is cut by its value, everything else by its md5."""
    assert partition_hint(replace(TABLE, **changes)) == hint


def test_a_mutable_time_is_no_partition() -> None:
    """A column that may be NULL or changes, such as updated_at, never decides where a row lies."""
    columns = (
        COLUMNS[0],
        TableColumn("updated_at", TIME, nullable=False),
        TableColumn("created_at", TIME, nullable=True),
    )

    hint = partition_hint(replace(TABLE, columns=columns, rows=None, span=None))

    assert hint is not None
    assert hint["mode"] == "md5"


EDGES = [2_000_001, 4_000_001, 6_000_001, 8_000_001]
LOAD = {"version": 7, "key": "id", "edges": [5, 9], "done": [0, 2]}

PARTS = [
    pytest.param({}, {}, EDGES, [0, 1, 2, 3, 4], id="five parts"),
    pytest.param({}, LOAD, [5, 9], [1], id="what a load has left"),
    pytest.param({}, LOAD | {"key": "other"}, EDGES, [0, 1, 2, 3, 4], id="another key"),
    pytest.param({}, LOAD | {"done": "all"}, EDGES, [0, 1, 2, 3, 4], id="no list"),
    pytest.param({"rows": 2_000_000, "size_bytes": 1000}, {}, [], [0], id="one part"),
    pytest.param({"rows": None, "size_bytes": 0, "span": None, "keys": ()}, {}, [], [0], id="no key"),
    pytest.param({"span": None, "kind": "v"}, {}, [], [0], id="a view has no pages"),
]


@pytest.mark.parametrize(("changes", "load", "edges", "numbers"), PARTS)
def test_a_large_table_is_read_in_parts(
    changes: dict[str, Any], load: dict[str, Any], edges: list[int], numbers: list[int]
) -> None:
    """One range a part; of a load that was cut short, the parts that are missing, with its own edges."""
    parts = parts_of(replace(TABLE, **changes), load)

    assert list(parts.edges) == edges
    assert [part.number for part in parts.todo] == numbers


def test_parts_that_end_are_remembered_in_any_order() -> None:
    """STATE names the parts that are complete, whichever came first."""
    parts = parts_of(TABLE, LOAD)

    state = parts.finished(parts.todo[0], 7)

    assert state == {"full_load": LOAD | {"done": [0, 1, 2]}}


def test_a_table_without_an_integer_key_is_read_by_pages() -> None:
    """Ranges of pages cover every page once, and nobody goes on with them in another snapshot."""
    table = replace(TABLE, keys=(), span=None, size_bytes=2 * 200_000_000)

    parts = parts_of(table, {})
    texts = [part.where.as_string(None) for part in parts.todo if part.where is not None]

    assert texts == ["t.ctid < '(24414,0)'::tid", "t.ctid >= '(24414,0)'::tid"]
    assert parts.finished(parts.todo[0], 7) == {}


@given(lowest=st.integers(-(2**40), 2**40), width=st.integers(0, 2**40), rows=st.integers(1, 200))
def test_key_ranges_cover_every_key_once(lowest: int, width: int, rows: int) -> None:
    """Whatever the span and the rows, edges rise, so that ranges between them neither overlap nor leave a gap."""
    table = replace(TABLE, rows=rows, size_bytes=rows * 200_000_000, span=(lowest, lowest + width))

    edges = key_edges(table)

    assert edges == sorted(set(edges))
    assert [part.number for part in parts_of(table, {}).todo] == [*range(len(edges) + 1)]
