"""The partition of a row: a text that follows from its columns, however wide they are."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_delta.canonical import canonical
from target_delta.md5 import remainders
from target_delta.partition import Format, Partitioning

INSTANT = pa.timestamp("us", "UTC")
DAYS = [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(2021, 1, 3), date(2024, 12, 30), date(9999, 12, 31)]


def values(column: pa.Array, **how: Any) -> list[str]:
    found: list[str] = Partitioning(keys=("k",), **how).values(pa.table({"k": column})).to_pylist()
    return found


@given(st.lists(st.binary(max_size=130)), st.integers(1, 2**31 - 1))
def test_md5_is_that_of_hashlib(texts: list[bytes], count: int) -> None:
    """A whole column is hashed as each text alone."""
    found = remainders(pa.array(texts, pa.binary()), count).tolist()

    assert found == [int(hashlib.md5(text).hexdigest(), 16) % count for text in texts]


def test_md5_of_part_of_a_column() -> None:
    """A slice is hashed as what it shows."""
    texts = pa.array([f"{number}".encode() for number in range(20_000)])

    assert remainders(texts.slice(100, 18_000), 97).tolist() == remainders(texts, 97).tolist()[100:18_100]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([-1, 2**62]), ["-1", str(2**62)]),
        (pa.array([Decimal("1.50"), Decimal("-0.00"), Decimal("7.00")]), ["1.5", "0", "7"]),
        (pa.array([0.1, -0.0, 1e20, 1e-7, math.nan, math.inf]), ["0.1", "0", "1" + "0" * 20, "0.0000001", None, None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array(["ü", "", None]), ["ü", None, None]),
        (pa.array([b"\x00\xff", b""]), ["00ff", None]),
        (pa.array([date(2024, 2, 10)]), ["2024-02-10"]),
        (pa.array([86_400_000_000, 10_000_500], pa.timestamp("us")), ["1970-01-02", "1970-01-01T00:00:10.0005"]),
        (pa.array([datetime(1, 1, 1, 0, 0, 20, tzinfo=UTC), None], INSTANT), ["0001-01-01T00:00:20", None]),
    ],
    ids=["integers", "decimals", "doubles", "booleans", "texts", "bytes", "days", "local times", "instants"],
)  # fmt: skip
def test_canonical_text(column: pa.Array, texts: list[str | None]) -> None:
    """Each value has one text; what has no value has none."""
    assert canonical(column).to_pylist() == texts


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (pa.array([-3, 0, 7, None], pa.int16()), pa.int64()),
        (pa.array([-3, 0, 1200]), pa.decimal128(38, 9)),
        (pa.array([-3, 0, 1200]), pa.float64()),
        (pa.array([-3, 0, 1200]), pa.string()),
        (pa.array([Decimal("1.50"), Decimal("-0.01")]), pa.decimal128(30, 8)),
        (pa.array([0.5, 0.1, -3.25], pa.float32()), pa.float64()),
        (pa.array(DAYS), pa.timestamp("us")),
        (pa.array(DAYS), INSTANT),
        (pa.array(["a", ""]), pa.large_string()),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["md5", "numerical", "datetime"])
def test_widening_changes_no_partition(narrow: pa.Array, wide: pa.DataType, mode: str) -> None:
    """One canonical text per value, whatever the type of its column has become."""
    how = {"mode": mode, "count": 1000, "size": 7, "format": "day"}

    assert values(narrow.cast(wide), **how) == values(narrow, **how)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(1, 2**62))
def test_integer_division(numbers: list[int], size: int) -> None:
    """A number is divided and rounded down."""
    assert values(pa.array(numbers, pa.int64()), mode="numerical", size=size) == [str(n // size) for n in numbers]


def test_what_is_no_integer() -> None:
    """Texts that are integers count; anything else is in the partition `null`."""
    texts = pa.array(["-1", "+250", "10" * 20, "1.0", " 7", "1_0", "٣", "x", "", None, "9" * 5000])

    assert values(texts, mode="numerical", size=100) == ["-1", "2", str(int("10" * 20) // 100), *["null"] * 8]
    assert values(pa.array([Decimal("500.00"), Decimal("0.50")]), mode="numerical", size=100) == ["5", "null"]


@pytest.mark.parametrize(
    ("to", "texts"),
    [
        ("hour", [f"{day}T00" for day in DAYS]),
        ("day", [str(day) for day in DAYS]),
        ("week", ["0001-w01", "1970-w01", "1970-w01", "2020-w53", "2025-w01", "9999-w52"]),
        ("month", ["0001-01", "1969-12", "1970-01", "2021-01", "2024-12", "9999-12"]),
        ("year", ["0001", "1969", "1970", "2021", "2024", "9999"]),
    ],
)
def test_truncated_times(to: Format, texts: list[str]) -> None:
    """A time is cut to its hour, day, ISO week, month or year, in UTC, also before 1970."""
    assert values(pa.array(DAYS), mode="datetime", format=to) == texts


def test_weeks_are_those_of_the_calendar() -> None:
    """Every day of some years lies in the week that Python's calendar names."""
    days = [date.fromordinal(number) for number in range(date(2015, 1, 1).toordinal(), date(2027, 1, 1).toordinal())]

    expected = [f"{day.isocalendar().year}-w{day.isocalendar().week:02}" for day in days]

    assert values(pa.array(days), mode="datetime", format="week") == expected


def test_what_is_no_time() -> None:
    """Texts are read as instants, integers as seconds since 1970; anything else is in the partition `null`."""
    texts = pa.array(["2024-01-01T00:30:00+02:00", "2024-02-29", "1700000000", "soon", "", None])

    assert values(texts, mode="datetime") == ["2023-12", "2024-02", "2023-11", "null", "null", "null"]
    assert values(pa.array([-1, 1700000000, 10**18]), mode="datetime") == ["1969-12", "2023-11", "null"]


def test_several_keys() -> None:
    """The texts are joined by |; where one is missing, the row is in the partition `null`."""
    rows = pa.table({"a": [1, 2, 3], "b": ["x", "", None]})

    found = Partitioning("md5", ("a", "b"), count=10**6).values(rows).to_pylist()

    assert found == [str(int(hashlib.md5(b"1|x").hexdigest(), 16) % 10**6), "null", "null"]


@pytest.mark.parametrize("rows", [pa.table({"a": pa.array([], pa.int64())}), pa.table({"b": [1, 2]})])
def test_no_rows_and_no_column(rows: pa.Table) -> None:
    """Rows without the column are in the partition `null`."""
    assert Partitioning("md5", ("a",), count=3).values(rows).to_pylist() == ["null"] * rows.num_rows
