"""Values found again in columns, as a hash join would find them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_delta.lookup import Lookup

NUMBERS = st.one_of(st.integers(-4, 4), st.integers(-(2**63), 2**63 - 1))


@given(st.sets(NUMBERS), st.lists(st.none() | NUMBERS))
def test_integers_are_found_as_by_arrow(known: set[int], column: list[int | None]) -> None:
    """The fast way and Arrow's own give the same positions; NULL is in no set."""
    values, numbers = pa.array(sorted(known), pa.int64()), pa.array([*column, *known], pa.int64())

    found = Lookup(values).positions(numbers)

    assert found.equals(pc.index_in(numbers, value_set=values))


@pytest.mark.parametrize(
    "kind", [pa.int16(), pa.date32(), pa.timestamp("us", "UTC"), pa.string(), pa.binary(), pa.float64()]
)
def test_every_type_of_a_key(kind: pa.DataType) -> None:
    """Positions are those of the values, in a slice too, whatever the type."""
    base = pa.int32() if kind == pa.date32() else pa.int64() if pa.types.is_timestamp(kind) else kind
    column = pa.array([5, 1, None, 7, 3]).cast(pa.string() if kind == pa.binary() else base).cast(kind)

    lookup = Lookup(column.take(pa.array([3, 0])))

    assert lookup.positions(column).to_pylist() == [1, None, None, 0, None]
    assert lookup.positions(column.slice(1, 3)).to_pylist() == [None, None, 0]
