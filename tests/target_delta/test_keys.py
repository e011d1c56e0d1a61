"""Keys compared exactly, whatever their types."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_delta.keys import Ascending, KeySet, last_per_key

VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int": (pa.int64(), [1, 2, 2**53 + 1, 2**53, -1]),
    "int16": (pa.int16(), [1, -1, 0]),
    "text": (pa.string(), ["a", "A", "", " a", "ä", "a\x00"]),
    "binary": (pa.binary(), [b"", b"\x00", b"a"]),
    "bool": (pa.bool_(), [True, False]),
    "date": (pa.date32(), [date(2024, 1, 1), date(1, 1, 1)]),
    "instant": (pa.timestamp("us", "UTC"), [datetime(2024, 1, 1, 0, 0, 0, n, UTC) for n in (0, 1)]),
    "local": (pa.timestamp("us"), [datetime(2024, 1, 1, 0, 0, 0, n) for n in (0, 1)]),  # noqa: DTZ001  # local on purpose
    "decimal": (pa.decimal128(38, 2), [Decimal("1.00"), Decimal("1.01"), Decimal("9" * 36 + ".99")]),
    "double": (pa.float64(), [1.0, 1.0000000000000002, -1.5]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_every_type_is_found_exactly(kind: str) -> None:
    """A key is found where it is equal, and nowhere else, in every type that a key may have."""
    arrow, values = VALUES[kind]
    table = pa.table({"k": pa.array(values, arrow)})

    found = KeySet(table.slice(1), ["k"]).positions(table).to_pylist()

    assert found == [None, *range(len(values) - 1)]


def test_zero_has_no_sign() -> None:
    """-0.0 and 0.0 are one key."""
    table = pa.table({"k": [0.0, -0.0], "v": [1, 2]})

    assert last_per_key(table, ["k"]).to_pylist() == [{"k": -0.0, "v": 2}]


def test_columns_do_not_run_together() -> None:
    """('a', 'bc') is another key than ('ab', 'c')."""
    table = pa.table({"x": ["a", "ab"], "y": ["bc", "c"]})

    assert KeySet(table.slice(0, 1), ["x", "y"]).positions(table).to_pylist() == [0, None]
    assert last_per_key(table, ["x", "y"]).num_rows == 2


def test_chunks_of_a_table() -> None:
    """Keys are found across the chunks of a table."""
    chunks = pa.concat_tables([pa.table({"k": [1, 2], "v": [1, 2]}), pa.table({"k": [2, 3], "v": [3, 4]})])

    assert last_per_key(chunks, ["k"]).to_pydict() == {"k": [1, 2, 3], "v": [1, 3, 4]}


ROWS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "ab", ""]), st.integers()), max_size=40)
SCHEMA = pa.schema([("x", pa.int32()), ("y", pa.string()), ("v", pa.int64())])


def as_table(rows: list[tuple[int, str, int]]) -> pa.Table:
    wrapped = [{"x": x, "y": y, "v": v % 2**60} for x, y, v in rows]
    return pa.Table.from_pylist(wrapped, schema=SCHEMA)


@given(ROWS, st.sampled_from([["x"], ["y"], ["x", "y"]]))
def test_last_row_wins(rows: list[tuple[int, str, int]], keys: list[str]) -> None:
    """Of every key the last row stays, as in a dictionary."""
    table = as_table(rows)
    model = {tuple(row[key] for key in keys): row for row in table.to_pylist()}

    kept = last_per_key(table, keys).to_pylist()

    assert {tuple(row[key] for key in keys): row for row in kept} == model
    assert len(kept) == len(model)


@given(ROWS, ROWS)
def test_positions_point_at_equal_keys(wanted: list[tuple[int, str, int]], rows: list[tuple[int, str, int]]) -> None:
    """A position names the row of the set that has the same key; NULL says that there is none."""
    unique = last_per_key(as_table(wanted), ["x", "y"])
    where = {(row["x"], row["y"]): place for place, row in enumerate(unique.to_pylist())}

    found = KeySet(unique, ["x", "y"]).positions(as_table(rows)).to_pylist()

    assert found == [where.get((x, y)) for x, y, _ in rows]


@given(st.lists(ROWS, max_size=4), st.sampled_from([["x"], ["y", "x"]]))
def test_rising_keys_are_known_without_a_look(pieces: list[list[tuple[int, str, int]]], keys: list[str]) -> None:
    """Rows are ascending where every key is greater than the one before it, whatever pieces they come in."""
    ascending = Ascending(keys)
    for piece in pieces:
        ascending.add(as_table(piece))

    rows = [tuple(row[key] for key in keys) for piece in pieces for row in as_table(piece).to_pylist()]
    assert ascending.holds == all(before < after for before, after in pairwise(rows))


def test_product_of_values_beyond_64_bits() -> None:
    """Five key columns of 65,536 values each: a key that differs in the first column alone is another key."""
    values = pa.array(range(65_536))
    names = ["a", "b", "c", "d", "e"]
    table = pa.table([values] * 5, names=names)
    other = table.set_column(0, "a", pa.array([*range(1, 65_536), 0]))

    wanted = KeySet(table, names)

    assert wanted.positions(other).null_count == other.num_rows
    assert wanted.positions(table).to_pylist() == values.to_pylist()
