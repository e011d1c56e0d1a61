"""Rows as pgoutput writes them to columns of bytes, thousands of rows at once. Pure.

Takes the cells of many rows, each as they stand behind the count of a row, and how many there are in each; gives an
Arrow array a column, and which cells were left out. Refuses, with a ProtocolError, what one by one would be refused.

A cell is `t`, four bytes of size and a text, or one byte: `n` for NULL, `u` for a value that stays. No text holds a
zero byte, so the first three bytes of a cell below 64 KB, `t\\0\\0`, are found by one search over all rows; what
follows each is two bytes of size, the text, and then only cells of one byte. Arrow does this without an object a value.
Wherever that does not come out even, the rows are read one by one.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tap_postgres.cdc import messages as m
from tap_postgres.cdc.pgoutput import read_cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEAD = b"t\0\0"
_EDGE = b"t\0\0\0\0"
"""An empty text, put before each row: every row then begins with a text, at a place that is known."""
_MOST_BYTES = 1 << 30  # offsets of 32 bits
_FEW_ROWS = 16
"""Up to here reading one by one is quicker."""


class Cells(NamedTuple):
    """A column of texts (or NULL) for each place in a row, and the places that a row left out, by its number."""

    columns: Sequence[pa.Array]
    unchanged: Mapping[int, Sequence[int]]


def columns(rows: Sequence[bytes], width: int) -> Cells:
    """Return the cells of rows that have `width` of them each."""
    found = at_once(rows, width) if len(rows) > _FEW_ROWS and width else None
    return found or one_by_one(rows, width)


def one_by_one(rows: Sequence[bytes], width: int) -> Cells:
    """Return the cells of rows of any size."""
    read = [read_cells(row, width) for row in rows]
    unchanged = {
        number: [place for place, value in enumerate(row) if value is m.UNCHANGED]
        for number, row in enumerate(read)
        if m.UNCHANGED in row
    }
    texts = ([None if value is m.UNCHANGED else value for value in column] for column in zip(*read, strict=True))
    return Cells([pa.array(column, pa.binary()) for column in texts], unchanged)


def at_once(rows: Sequence[bytes], width: int) -> Cells | None:
    """Return the cells, or None where a value is too long for this way or something is wrong."""
    together = _EDGE + _EDGE.join(rows)
    if len(together) > _MOST_BYTES:
        return None
    pieces = pc.split_pattern(pa.array([together], pa.binary()), _HEAD).values[1:]  # before the first there is nothing
    begins, ends = _bounds(pieces)
    if pc.min(pc.subtract(ends, begins)).as_py() < 2:
        return None
    sizes = _sizes(pieces, begins)
    text_ends = pc.add(pc.add(begins, sizes), 2)
    if pc.min(pc.subtract(ends, text_ends)).as_py() < 0:
        return None
    kinds = _kinds(pieces, text_ends, ends)
    if kinds is None or len(kinds) != len(rows) * (width + 1):
        return None
    texts = _apart(pieces, pc.add(begins, 2), text_ends)
    numbers = _numbers(kinds, len(pieces))
    first = _count(len(rows), width + 1)
    if not _begin_where_they_should(rows, pc.take(numbers, first), begins):
        return None
    places = (pc.take(numbers, pc.add(first, pa.scalar(1 + place, pa.int32()))) for place in range(width))
    # every other one of `texts` is what lies between two of them
    found = [pc.take(texts, pc.shift_left(place, pa.scalar(1, pa.int32()))) for place in places]
    return Cells(found, _left_out(kinds, width))


def _bounds(pieces: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return where each piece begins and ends in the bytes of the array."""
    offsets = pa.Array.from_buffers(pa.int32(), len(pieces) + 1, [None, pieces.buffers()[1]], offset=pieces.offset)
    return offsets[:-1], offsets[1:]


def _between(pieces: pa.Array, begins: pa.Array, ends: pa.Array) -> pa.Array:
    """Return, for each piece, its bytes from one position to another."""
    return pc.take(_apart(pieces, begins, ends), _count(len(pieces), 2))


def _apart(pieces: pa.Array, begins: pa.Array, ends: pa.Array) -> pa.Array:
    """Return, for each piece, its bytes from one position to another, and after it those up to the next one's."""
    low, high = (begins, ends) if sys.byteorder == "little" else (ends, begins)
    wide = [pc.cast(each, pa.int64()) for each in (low, high)]
    pairs = pc.bit_wise_or(wide[0], pc.shift_left(wide[1], 32))  # begin, end, begin, end ... as offsets
    offsets = pairs.buffers()[1]
    return pa.Array.from_buffers(pa.binary(), 2 * len(pieces) - 1, [None, offsets, pieces.buffers()[2]])


def _sizes(pieces: pa.Array, begins: pa.Array) -> pa.Array:
    """Return the number that the first two bytes of each piece are."""
    heads = array("H")
    heads.frombytes(_data(_between(pieces, begins, pc.add(begins, 2))))
    if sys.byteorder == "little":
        heads.byteswap()
    return pc.cast(pa.Array.from_buffers(pa.uint16(), len(heads), [None, pa.py_buffer(heads)]), pa.int32())


def _kinds(pieces: pa.Array, text_ends: pa.Array, ends: pa.Array) -> pa.Array | None:
    """Return a byte for each cell, `t`, `n` or `u`; None where there is anything else."""
    short = _between(pieces, text_ends, ends)
    data = _data(short)
    if data.strip(b"nu"):
        return None
    plain = b"t" * len(pieces)
    data = _data(pc.binary_join_element_wise(pa.scalar(b"t"), short, pa.scalar(b""))) if data else plain
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])


def _numbers(kinds: pa.Array, texts: int) -> pa.Array:
    """Return for each cell which of the texts it is, or NULL."""
    every = _count(texts, 1)
    if texts == len(kinds):
        return every
    return pc.replace_with_mask(pa.nulls(len(kinds), pa.int32()), pc.equal(kinds, ord("t")), every)


def _begin_where_they_should(rows: Sequence[bytes], edges: pa.Array, begins: pa.Array) -> bool:
    """Tell whether the first cell of each row is the edge that was put before it."""
    if edges.null_count:
        return False
    heads = pc.multiply(pc.add(edges, 1), len(_HEAD))  # the search left them out
    there = pc.add(pc.take(begins, edges), heads)
    sizes = pc.cumulative_sum(pa.array([len(_HEAD), *(len(row) + len(_EDGE) for row in rows[:-1])], pa.int32()))
    return bool(pc.all(pc.equal(there, sizes)).as_py())


def _left_out(kinds: pa.Array, width: int) -> Mapping[int, Sequence[int]]:
    found: dict[int, list[int]] = {}
    for cell in pc.indices_nonzero(pc.equal(kinds, ord("u"))).to_pylist():
        row, place = divmod(cell, width + 1)
        found.setdefault(row, []).append(place - 1)
    return found


def _count(size: int, step: int) -> pa.Array:
    """Return 0, step, 2 * step and so on, so many of them."""
    steps = pc.cumulative_sum(pa.repeat(pa.scalar(step, pa.int32()), size))
    return pc.subtract(steps, pa.scalar(step, pa.int32()))


def _data(array_of_bytes: pa.Array) -> bytes:
    """Return the bytes of all values, one after the other."""
    _, offsets, data = array_of_bytes.buffers()
    ends = memoryview(offsets).cast("i")
    begin, end = ends[array_of_bytes.offset], ends[array_of_bytes.offset + len(array_of_bytes)]
    return bytes(memoryview(data)[begin:end]) if data is not None else b""
