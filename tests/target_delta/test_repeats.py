"""Rows that come again, known by their values."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_delta.repeats import Repeats, digests, mark

SCHEMA = pa.schema([
    ("i", pa.int32()), ("f", pa.float64()), ("s", pa.string()), ("b", pa.bool_()), ("x", pa.binary()),
    ("d", pa.date32()), ("t", pa.timestamp("us", "UTC")), ("n", pa.decimal128(20, 3)),
    ("l", pa.list_(pa.int64())), ("o", pa.struct([("a", pa.string())])),
    ("_sdc_received_at", pa.timestamp("us", "UTC")),
])  # fmt: skip
ROW: dict[str, Any] = {
    "i": 1, "f": 1.5, "s": "ü", "b": True, "x": b"\x00", "d": date(2024, 1, 2), "t": datetime(2024, 1, 2, tzinfo=UTC),
    "n": Decimal("1.250"), "l": [1, None], "o": {"a": "b"}, "_sdc_received_at": datetime(2024, 1, 2, tzinfo=UTC),
}  # fmt: skip
OTHER: dict[str, Any] = {
    "i": 2, "f": float("nan"), "s": "", "b": False, "x": b"", "d": date(2024, 1, 3),
    "t": datetime(2024, 1, 3, tzinfo=UTC), "n": Decimal("1.251"), "l": [None, 1], "o": {"a": None},
}  # fmt: skip


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


@pytest.mark.parametrize("column", OTHER)
@pytest.mark.parametrize("value", ["other", None])
def test_any_column_tells_rows_apart(column: str, value: str | None) -> None:
    """A row with another value, or none, in any column is new."""
    changed = ROW | {column: OTHER[column] if value else None}

    assert Repeats([table(ROW)]).are_new(table(changed)).tolist() == [True]


def test_times_of_the_loader_tell_nothing() -> None:
    """The same row is the same whenever it was received."""
    assert Repeats([table(ROW)]).are_new(table(ROW | {"_sdc_received_at": None})).tolist() == [False]


def test_order_of_columns_counts() -> None:
    """Two columns that change their values make another row."""
    kinds = pa.schema([("a", pa.int64()), ("b", pa.int64())])
    one, other = (pa.Table.from_pylist([row], schema=kinds) for row in ({"a": 1, "b": 2}, {"a": 2, "b": 1}))

    assert digests(one) != digests(other)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 5)), st.lists(st.lists(st.integers(0, 5)), max_size=4))
def test_difference_of_multisets(known: list[int], batches: list[list[int]]) -> None:
    """Each known row leaves out one equal row, over all batches; the others stay in their order."""
    kinds = pa.schema([("v", pa.int64())])
    repeats, left = Repeats([pa.table({"v": known}, schema=kinds)]), Counter(known)

    for batch in batches:
        expected = []
        for value in batch:
            if left[value]:
                left[value] -= 1
            else:
                expected.append(value)
        rows = pa.table({"v": batch}, schema=kinds)
        assert rows.filter(pa.array(repeats.are_new(rows)))["v"].to_pylist() == expected
    assert repeats.rows == left.total()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, {}, True),
        ({"v": 1}, {"v": 1, "progress_markers": {"v": 2}}, True),
        ({"v": 1}, {"starting_replication_value": 0, "v": 1}, True),
        ({"v": 1}, {"v": 2}, False),
        ({"v": 1}, None, False),
    ],
)
def test_marks(one: Any, other: Any, *, same: bool) -> None:
    """A bookmark is known by what the next run starts with: not by what singer-sdk wipes between two runs."""
    assert (mark(one) == mark(other)) is same
