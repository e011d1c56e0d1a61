"""The hint that a loader gets on how to cut a table, and the key ranges by which a large one is read. Pure."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_postgres import reads
from tap_postgres.discover import Table, TableColumn
from tap_postgres.partition import partition_hint
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


LOAD = {"version": 7, "key": "id", "below": 5_000_001}

RANGES = [
    pytest.param({}, {}, [None, 2_000_001, 4_000_001, 6_000_001, 8_000_001, None], id="five parts"),
    pytest.param({}, LOAD, [5_000_001, 6_000_001, 8_000_001, None], id="from where a load ended"),
    pytest.param({}, LOAD | {"below": 9_000_000}, [9_000_000, None], id="from inside the last part"),
    pytest.param({}, LOAD | {"key": "other"}, [None, 2_000_001, 4_000_001, 6_000_001, 8_000_001, None], id="other key"),
    pytest.param({"rows": 2_000_000, "size_bytes": 1000}, {}, [None, None], id="one part"),
    pytest.param({"span": None}, LOAD, [None, None], id="no integer key"),
    pytest.param({"rows": None, "span": None, "keys": ()}, {}, [None, None], id="no key"),
]


@pytest.mark.parametrize(("changes", "load", "ends"), RANGES)
def test_a_large_table_is_read_by_key_ranges(changes: dict[str, Any], load: dict[str, Any], ends: list[Any]) -> None:
    """One range a part, joined end to end; open at both ends, or from where an earlier load ended."""
    assert reads.key_ranges(replace(TABLE, **changes), load) == [*itertools.pairwise(ends)]


@given(lowest=st.integers(-(2**40), 2**40), width=st.integers(0, 2**40), rows=st.integers(1, 200))
def test_key_ranges_cover_every_key_once(lowest: int, width: int, rows: int) -> None:
    """Whatever the span and the rows, ranges neither overlap nor leave a gap."""
    table = replace(TABLE, rows=rows, size_bytes=rows * 200_000_000, span=(lowest, lowest + width))

    ranges = reads.key_ranges(table, {})

    ends = [end for _, end in ranges if end is not None]
    assert ends == sorted(set(ends))
    assert (ranges[0][0], ranges[-1][1]) == (None, None)
    assert [start for start, _ in ranges[1:]] == ends
