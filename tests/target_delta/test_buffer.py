"""Rows in memory: in their order, at what they cost."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from target_delta.buffer import COLUMN_BYTES, SMALL, TOGETHER, Buffer

KINDS = pa.schema([("v", pa.int64())])


def batch(start: int, rows: int) -> pa.RecordBatch:
    return pa.record_batch({"v": range(start, start + rows)}, schema=KINDS)


@given(st.lists(st.sampled_from([1, 3, 40, SMALL]), max_size=200))
def test_order(sizes: list[int]) -> None:
    """Whatever the sizes of batches, the rows stay in the order in which they came, and are forgotten once taken."""
    buffer, start = Buffer(), 0
    for rows in sizes:
        buffer.add(batch(start, rows))
        start += rows

    assert buffer.rows == start
    taken = buffer.take()
    assert (taken["v"].to_pylist() if taken else []) == list(range(start))
    assert (buffer.rows, buffer.bytes, buffer.take()) == (0, 0, None)


def test_many_small_batches_cost_what_their_rows_do() -> None:
    """The cost beside the values is that of a few batches, not of all that came."""
    buffer = Buffer()
    for start in range(TOGETHER**2):
        buffer.add(batch(start, 1))

    assert buffer.bytes <= 8 * TOGETHER**2 + COLUMN_BYTES
    assert buffer.bytes > 8 * TOGETHER**2


def test_batches_that_differ() -> None:
    """A batch with a column more is joined to the others; they have NULL there."""
    buffer = Buffer()
    buffer.add(batch(1, 1))
    buffer.add(batch(2, 1).append_column("w", pa.array([5])))

    taken = buffer.take()

    assert taken is not None
    assert taken.to_pylist() == [{"v": 1, "w": None}, {"v": 2, "w": 5}]
