"""Rows to Arrow by a declared schema: absent is NULL, digits stay, and what does not fit is named."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.arrow.tables import arrow_schema, table
from singerkit.errors import SafetyStopError

SCHEMA = arrow_schema(
    {"properties": {"id": {"type": "integer"}, "price": {"type": "number"}, "name": {"type": "string"}}}
)
row = st.fixed_dictionaries(
    {},
    optional={
        "id": st.none() | st.integers(-(2**63), 2**63 - 1),
        "price": st.none() | st.integers(-1000, 1000) | st.decimals(allow_nan=False, allow_infinity=False, places=3),
        "name": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    },
)


@given(st.lists(row, max_size=5))
def test_every_value_is_in_its_column(rows: list[dict[str, Any]]) -> None:
    """A table holds what its rows hold, NULL where a row has no such field, whatever is missing in which row."""
    made = table(rows, SCHEMA).to_pylist()

    prices = [None if one.get("price") is None else float(one["price"]) for one in rows]
    assert made == [
        {"id": one.get("id"), "price": price, "name": one.get("name")} for one, price in zip(rows, prices, strict=True)
    ]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("price", ["1.5"]),
        ("price", [Decimal("1.5"), True]),
        ("price", [{"amount": 1}]),
        ("id", ["7"]),
        ("id", [1.5]),
        ("id", [2**63]),
    ],
)
def test_a_value_of_another_type(column: str, values: list[Any]) -> None:
    """A text is no number, a truth value is none, and a fraction is no integer: the column is named."""
    kind = SCHEMA.field(column).type

    with pytest.raises(SafetyStopError) as caught:
        table([{column: value} for value in values], SCHEMA)

    assert str(caught.value) == (
        f"a value does not fit its column (column={column}, type={kind}); correct the stream's schema"
    )


def test_digits_that_a_double_has_not() -> None:
    """A column that declares its digits is decimal, and keeps them all."""
    exact = {"properties": {"n": {"type": "number", "x-decimal": {"precision": 38, "scale": 20}}}}

    made = table([{"n": Decimal("0.12345678901234567890")}], arrow_schema(exact))

    assert made.schema.field("n").type == pa.decimal128(38, 20)
    assert made.to_pylist() == [{"n": Decimal("0.12345678901234567890")}]


def test_objects_and_lists_by_their_parts() -> None:
    """What the schema describes is a struct or a list, checked like a column; what it does not describe is JSON."""
    parts = {"type": ["object", "null"], "properties": {"n": {"type": "integer"}, "of": {"type": "number"}}}
    schema = arrow_schema(
        {"properties": {"many": {"type": "array", "items": parts}, "one": parts, "any": {"type": ["object", "null"]}}}
    )
    rows_: list[dict[str, Any]] = [
        {"many": [{"n": 1, "of": Decimal("0.5")}, None, {}], "one": {"n": 2}, "any": {"n": [1]}},
        {"many": [], "one": None},
    ]

    made = table(rows_, schema)

    assert made.to_pylist() == [
        {
            "many": [{"n": 1, "of": 0.5}, None, {"n": None, "of": None}],
            "one": {"n": 2, "of": None},
            "any": '{"n":[1]}',
        },
        {"many": [], "one": None, "any": None},
    ]
    wrongs: list[dict[str, Any]] = [{"one": {"n": 1.5}}, {"many": [{"n": "1"}]}, {"one": []}, {"many": {}}]
    for wrong in wrongs:
        with pytest.raises(SafetyStopError, match="a value does not fit its column"):
            table([wrong], schema)
