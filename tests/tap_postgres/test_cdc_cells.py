"""Many rows read at once are the rows read one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_postgres.cdc import cells
from tap_postgres.cdc import messages as m
from tap_postgres.cdc.pgoutput import ProtocolError, read_cells, write_cells

TEXTS = st.text(st.sampled_from("tnu\x01é"), max_size=5).map(str.encode)
LONG = st.integers(250, 600).map(lambda size: b"t" * size)
VALUES = st.one_of(TEXTS, LONG, st.none(), st.just(m.UNCHANGED))


def told(rows: list[bytes], width: int) -> list[m.Row]:
    """Return the rows of the columns."""
    found = cells.columns(rows, width)
    columns = [column.to_pylist() for column in found.columns]
    return [
        tuple(
            m.UNCHANGED if place in found.unchanged.get(number, ()) else column[number]
            for place, column in enumerate(columns)
        )
        for number in range(len(rows))
    ]


@given(st.data())
def test_rows_at_once_are_those_one_by_one(data: st.DataObject) -> None:
    """Whatever the cells hold, columns say what each row says by itself."""
    width = data.draw(st.integers(1, 4))
    drawn = data.draw(st.lists(st.lists(VALUES, min_size=width, max_size=width).map(tuple), min_size=1, max_size=6))
    rows = [write_cells(row) for row in drawn] * 5

    assert told(rows, width) == [read_cells(row, width) for row in rows]
    assert cells.at_once(rows, width) is not None


@pytest.mark.parametrize("size", [0, 255, 256, 65_535, 65_536, 70_000])
def test_values_of_any_size(size: int) -> None:
    """A value beyond 64 KB, whose size does not fit the quick way, is read all the same."""
    row = (b"1", b"x" * size, None)

    assert told([write_cells(row)] * 20, 3) == [row] * 20


WRONG = [
    pytest.param(b"t\0\0\0\x01ab", id="bytes behind a value"),
    pytest.param(b"t\0\0\0\x05ab", id="a value that ends early"),
    pytest.param(b"", id="nothing"),
    pytest.param(b"nn", id="a cell more"),
    pytest.param(b"x", id="another kind"),
    pytest.param(b"t\0\0\0\x05t\0\0\0\0t\0\0\0\0", id="a size over what looks like cells"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_row_that_is_wrong_is_refused_among_many(wrong: bytes) -> None:
    """One row that is not what its size says is an error, wherever it stands; none is read shifted."""
    for place in (0, 20, 40):
        rows = [write_cells((b"1",))] * 40
        rows.insert(place, wrong)
        with pytest.raises(ProtocolError):
            cells.columns(rows, 1)


def test_rows_that_even_out_are_refused() -> None:
    """A cell too many in one row and one too few in the next is an error, though their sum is right."""
    rows = [write_cells((b"a", b"b"))] * 20 + [write_cells((b"a", b"b", b"")), write_cells((b"a",))]

    with pytest.raises(ProtocolError):
        cells.columns(rows, 2)
