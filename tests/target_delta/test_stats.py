"""Statistics of data files: a wrong bound hides rows from every reader."""

from __future__ import annotations

import json
import math
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_delta.files import FileWriter, Layout
from target_delta.stats import instant_bounds, text_bounds
from target_delta.store import Store


def written(table: pa.Table, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the statistics of a file with these rows."""
    with tempfile.TemporaryDirectory() as folder, FileWriter(Store(folder, {}), table.schema, keys, Layout()) as writer:
        writer.write(table)
        content: dict[str, Any] = json.loads(writer.finish()[0].stats)
        return content


TEXTS = st.text(alphabet=st.sampled_from(["a", "ü", "\U0010ffff", "\x00", "z"]), max_size=40)


@given(TEXTS, TEXTS)
def test_text_lies_within_its_bounds(one: str, other: str) -> None:
    """Texts that are cut still hold every text between the two, by the bytes of UTF-8."""
    low, high = sorted([one, other], key=str.encode)

    least, greatest = text_bounds(low, high)

    assert least.encode() <= low.encode()
    assert high.encode() <= greatest.encode()


@given(st.datetimes(), st.timedeltas(timedelta(0), timedelta(days=1)), st.sampled_from([None, UTC]))
def test_instant_lies_within_its_milliseconds(at: datetime, more: timedelta, zone: Any) -> None:
    """Bounds in whole milliseconds go down and up, to the last year that has one."""
    low = at.replace(tzinfo=zone)
    high = low + more if at.year < 9999 else low

    least, greatest = (datetime.fromisoformat(text) for text in instant_bounds(low, high))

    assert least <= low
    assert high <= greatest or greatest > datetime.max.replace(tzinfo=zone) - timedelta(milliseconds=1)


CASES = {
    "nan": (pa.array([1.0, math.nan, 3.0]), None),
    "infinity": (pa.array([1.0, math.inf]), None),
    "double": (pa.array([1.5, None, -2.0]), (-2.0, 1.5)),
    "int": (pa.array([2**60 + 1, 5], pa.int64()), (5, 2**60 + 1)),
    "short decimal": (pa.array([Decimal("1.25"), Decimal("9.50")], pa.decimal128(10, 2)), (1.25, 9.5)),
    "long decimal": (pa.array([Decimal("12345678901234567.25")], pa.decimal128(38, 2)), None),
    "boolean": (pa.array([True, False]), None),
    "binary": (pa.array([b"a"]), None),
    "date": (pa.array([0, 365], pa.date32()), ("1970-01-01", "1971-01-01")),
    "all null": (pa.array([None, None], pa.int64()), None),
}


@pytest.mark.parametrize("name", CASES)
def test_bounds_of_a_type(name: str) -> None:
    """A bound is written where it is exact, and left out where a reader could be misled."""
    column, bounds = CASES[name]

    stats = written(pa.table({"c": column}))

    expected = None if bounds is None else {"c": bounds[0]}, None if bounds is None else {"c": bounds[1]}
    assert (stats["minValues"] or None, stats["maxValues"] or None) == expected
    assert stats["nullCount"] == {"c": column.null_count}
    assert stats["numRecords"] == len(column)


def test_nested_columns() -> None:
    """A struct has bounds inside; lists and maps have none; a dot in a name is part of the name."""
    kind = pa.struct([("a.b", pa.int64()), ("l", pa.list_(pa.int64()))])
    table = pa.table({"s": pa.array([{"a.b": 1, "l": [5]}], kind), "after": [7]})

    stats = written(table)

    assert stats["minValues"] == {"s": {"a.b": 1}, "after": 7}


def test_nan_inside_of_a_struct() -> None:
    """A struct with a NaN at any depth has no bounds: the greatest number of its file is none that Parquet knows."""
    inner = pa.struct([("lat", pa.float64())])
    table = pa.table({"s": pa.array([{"p": {"lat": math.nan}}, None, {"p": {"lat": 1.0}}], pa.struct([("p", inner)]))})

    stats = written(table)

    assert (stats["minValues"], stats["maxValues"]) == ({}, {})


def test_keys_have_bounds_behind_many_columns() -> None:
    """The first 32 columns have bounds, and the keys wherever they are: upserts pass files over by them."""
    table = pa.table({**{f"c{number}": [number] for number in range(40)}, "id": [9]})

    assert set(written(table, ("id",))["minValues"]) == {*(f"c{number}" for number in range(32)), "id"}


@settings(max_examples=20)
@given(st.lists(st.floats(width=64), min_size=1, max_size=20))
def test_every_double_is_within_the_bounds(values: list[float]) -> None:
    """No number of a file lies outside what its statistics say; with a NaN they say nothing."""
    stats = written(pa.table({"c": pa.array(values, pa.float64())}))

    if "c" in stats["minValues"]:
        assert all(stats["minValues"]["c"] <= value <= stats["maxValues"]["c"] for value in values)
