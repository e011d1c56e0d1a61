"""Arrow data takes the table's types without a changed value, or is refused by column."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.schema import conform, evolve

UTC_US = pa.timestamp("us", "UTC")


def batch(array: pa.Array) -> pa.RecordBatch:
    """Return a batch of one column `c`."""
    return pa.RecordBatch.from_arrays([array], ["c"])


@pytest.mark.parametrize(
    ("array", "to", "values"),
    [
        (pa.array([1, None], pa.int16()), pa.int64(), [1, None]),
        (pa.array([1], pa.uint8()), pa.int16(), [1]),
        (pa.array([1], pa.uint64()), pa.int64(), [1]),
        (pa.array([1], pa.int64()), pa.int32(), [1]),
        (pa.array([2**53]), pa.float64(), [2.0**53]),
        (pa.array([1.5], pa.float32()), pa.float64(), [1.5]),
        (pa.array([12345]), pa.decimal128(7, 2), [Decimal("12345.00")]),
        (pa.array([-(2**63)]), pa.decimal128(38, 19), [Decimal(-(2**63))]),
        (pa.array([Decimal("1.5")]), pa.decimal128(38, 9), [Decimal("1.5")]),
        (pa.array([Decimal("1.5")], pa.decimal256(40, 1)), pa.decimal128(40 - 2, 1), None),
        (pa.array([1], pa.timestamp("s", "UTC")), UTC_US, [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]),
        (pa.array([1000], pa.timestamp("ns", "Europe/Berlin")), UTC_US, [datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]),
        (pa.array([1], pa.timestamp("ms")), pa.timestamp("us"), [datetime.fromisoformat("1970-01-01T00:00:00.001")]),
        (pa.array([86_400_000], pa.date64()), pa.date32(), [date(1970, 1, 2)]),
        (pa.array(["a", None], pa.large_string()), pa.string(), ["a", None]),
        (pa.array(["a"], pa.string_view()), pa.string(), ["a"]),
        (pa.array(["a", "a"]).dictionary_encode(), pa.string(), ["a", "a"]),
        (pa.array([1, 1]).dictionary_encode(), pa.int64(), [1, 1]),
        (pa.array([b"a"], pa.large_binary()), pa.binary(), [b"a"]),
        (pa.array([b"ab"], pa.binary(2)), pa.binary(), [b"ab"]),
        (pa.array([b"0123456789abcdef"], pa.uuid()), pa.binary(), [b"0123456789abcdef"]),
        (pa.nulls(2), pa.int64(), [None, None]),
        (pa.array([[1, None], None, []], pa.list_(pa.int16())), pa.list_(pa.int64()), [[1, None], None, []]),
        (pa.array([[1], None], pa.large_list(pa.int64())), pa.list_(pa.int64()), [[1], None]),
        (pa.array([[1, 2], None], pa.list_(pa.int32(), 2)), pa.list_(pa.int64()), [[1, 2], None]),
        (pa.array([{"a": 1}, None], pa.struct([("a", pa.int16())])), pa.struct([("b", pa.string()), ("a", pa.int64())]),
         [{"b": None, "a": 1}, None]),
        (pa.array([[{"a": 1}, None]], pa.list_(pa.struct([("a", pa.int16())]))),
         pa.list_(pa.struct([("a", pa.int64())])), [[{"a": 1}, None]]),
    ],
    ids=str,
)  # fmt: skip
def test_cast_that_keeps_every_value(array: pa.Array, to: pa.DataType, values: list[Any] | None) -> None:
    """What cannot change a value is cast, at any depth."""
    if values is None:
        with pytest.raises(SafetyStopError):
            conform(batch(array), pa.schema([("c", to)]))
        return

    assert conform(batch(array), pa.schema([("c", to)])).to_pylist() == [{"c": value} for value in values]


@pytest.mark.parametrize(
    ("array", "to"),
    [
        (pa.array([70_000]), pa.int16()),
        (pa.array([2**63], pa.uint64()), pa.int64()),
        (pa.array([2**53 + 1]), pa.float64()),
        (pa.array([1.0]), pa.int64()),
        (pa.array([1.5]), pa.float32()),
        (pa.array([1.5]), pa.decimal128(9, 2)),
        (pa.array([100]), pa.decimal128(3, 1)),
        (pa.array([Decimal("1.55")]), pa.decimal128(9, 1)),
        (pa.array([Decimal("1.50")]), pa.float64()),
        (pa.array([1], pa.timestamp("ns", "UTC")), UTC_US),
        (pa.array([2**62], pa.timestamp("s", "UTC")), UTC_US),
        (pa.array([1], pa.timestamp("us")), UTC_US),
        (pa.array([1], UTC_US), pa.timestamp("us")),
        (pa.array([1], pa.timestamp("us")), pa.date32()),
        (pa.array([1], pa.date32()), pa.timestamp("us")),
        (pa.array([1]), pa.string()),
        (pa.array(["1"]), pa.int64()),
        (pa.array([True]), pa.int64()),
        (pa.array(["a"]), pa.binary()),
        (pa.array([b"\xff"]), pa.string()),
        (pa.array([[70_000]]), pa.list_(pa.int16())),
        (pa.array([1]), pa.list_(pa.int64())),
        (pa.array([{"a": 1}]), pa.string()),
    ],
    ids=str,
)
def test_cast_that_would_change_a_value(array: pa.Array, to: pa.DataType) -> None:
    """What would change a value, or could not be told from another, is refused by column and types."""
    with pytest.raises(SafetyStopError, match=r"cannot take the incoming values unchanged \(column=c"):
        conform(batch(array), pa.schema([("c", to)]))


def test_columns_by_name() -> None:
    """Columns go by name: absent ones are NULL, others are left out, the order is the table's."""
    rows = pa.RecordBatch.from_pydict({"b": [1], "x": [2], "a": ["t"]})

    conformed = conform(rows, pa.schema([("a", pa.string()), ("b", pa.int64()), ("c", pa.date32())]))

    assert conformed.to_pylist() == [{"a": "t", "b": 1, "c": None}]


def test_values_under_a_null() -> None:
    """What lies hidden under a NULL struct or in a sliced list is not looked at and not brought to light."""
    hidden = pa.StructArray.from_arrays([pa.array([1, 2**40])], ["a"], mask=pa.array([False, True]))
    sliced = pa.array([[2**40], [1], None, [2]]).slice(1)
    to = pa.schema([("s", pa.struct([("a", pa.int32())])), ("l", pa.list_(pa.int32()))])

    rows = pa.RecordBatch.from_arrays([hidden, sliced.slice(0, 2)], ["s", "l"])

    assert conform(rows, to).to_pylist() == [{"s": {"a": 1}, "l": [1]}, {"s": None, "l": None}]


integers = st.sampled_from([pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64()])
targets = st.sampled_from(
    [pa.int16(), pa.int64(), pa.float64(), pa.decimal128(5, 2), pa.decimal128(38, 0), pa.decimal128(38, 30)]
)


@given(st.lists(st.integers(-(2**63), 2**64 - 1) | st.integers(-300, 300) | st.none(), max_size=5), integers, targets)
def test_integers_of_any_width(values: list[int | None], kind: pa.DataType, to: pa.DataType) -> None:
    """An integer arrives as the same number in any type that holds it, and is refused by any other."""
    try:
        array = pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError):
        return

    try:
        got = conform(batch(array), pa.schema([("c", to)])).column("c").to_pylist()
    except SafetyStopError:
        return

    assert got == values


A = pa.field("a", pa.int64())


@pytest.mark.parametrize(
    ("table", "incoming", "after"),
    [
        ([A], [A], [A]),
        ([A], [("b", pa.string())], [A, ("b", pa.string())]),
        ([A], [("a", pa.int16())], [A]),
        ([("a", pa.decimal128(38, 2))], [("a", pa.decimal128(12, 1))], [("a", pa.decimal128(38, 2))]),
        ([("a", pa.float64())], [A], [("a", pa.float64())]),
        ([("a", UTC_US)], [("a", pa.timestamp("ns", "Europe/Rome"))], [("a", UTC_US)]),
        ([("a", pa.string())], [("a", pa.large_string())], [("a", pa.string())]),
        ([("a", pa.struct([("x", pa.int64())]))], [("a", pa.struct([("y", pa.string())]))],
         [("a", pa.struct([("x", pa.int64()), ("y", pa.string())]))]),
        ([("a", pa.list_(pa.struct([("x", pa.int64())])))], [("a", pa.list_(pa.struct([("y", pa.string())])))],
         [("a", pa.list_(pa.struct([("x", pa.int64()), ("y", pa.string())])))]),
    ],
)  # fmt: skip
def test_schema_that_a_table_needs(table: list[Any], incoming: list[Any], after: list[Any]) -> None:
    """New columns come at the end, nullable, at any depth; what is as narrow or narrower changes nothing."""
    assert evolve(pa.schema(table), pa.schema(incoming)) == pa.schema(after)


@pytest.mark.parametrize(
    ("table", "incoming", "message"),
    [
        ([("a", pa.int16())], [A], r"column=a, column_type=int16, incoming_type=int64"),
        ([A], [("a", pa.float64())], "incoming_type=double"),
        ([A], [("a", pa.string())], "incoming_type=string"),
        ([("a", pa.decimal128(12, 2))], [("a", pa.decimal128(12, 3))], r"incoming_type=decimal128\(12, 3\)"),
        ([("a", pa.timestamp("us"))], [("a", UTC_US)], "column_type=timestamp"),
        ([("a", pa.date32())], [("a", UTC_US)], "column_type=date32"),
        ([("a", pa.struct([("x", pa.int64())]))], [("a", pa.struct([("x", pa.string())]))], "column=a.x"),
        ([("a", pa.list_(pa.int64()))], [("a", pa.list_(pa.string()))], r"column=a\[\]"),
        ([("a", pa.string())], [("A", pa.string())], r"by case only \(table_column=a, column=A\)"),
    ],
)
def test_schema_that_would_change_values(table: list[Any], incoming: list[Any], message: str) -> None:
    """A type that the table's column cannot take is refused, with both types and what to do."""
    with pytest.raises(SafetyStopError, match=message):
        evolve(pa.schema(table), pa.schema(incoming))
