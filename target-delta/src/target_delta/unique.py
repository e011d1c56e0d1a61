"""The files of a full load, unique by key: cheap where their keys cannot meet, by one pass over the keys otherwise.

Takes data files in the order in which their rows came; gives files in which the last row of every key is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.keys import last_rows
from target_delta.parts import PartitionedWriter
from target_delta.scan import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from target_delta.files import DataFile, Layout
    from target_delta.snapshot import LiveFile
    from target_delta.store import Store

    Files = Sequence[DataFile] | Sequence[LiveFile] | Sequence[DataFile | LiveFile]

SLICE_BYTES = 128 << 20  # of memory for the keys that are looked at together
FIXED_BYTES, TEXT_BYTES = 32, 128  # that a key column of a fixed size, or of texts, costs a row while it is sorted out
SAMPLE_ROWS = 100_000


@dataclass(frozen=True)
class Kept:
    """The files of the load, and the paths of those that were written again without repeated keys."""

    files: Sequence[DataFile]
    replaced: Sequence[str] = ()


def drop_repeated(
    store: Store,
    files: Sequence[DataFile],
    schema: pa.Schema,
    keys: Sequence[str],
    layout: Layout,
    alive: Callable[[], None],
    *,
    unless: str | None = None,
) -> Kept:
    """Return the files such that every key is in them once, its last row; files without a repeat stay as they are.

    A last row that has a value in the column `unless` is left out as well.
    """
    if not files or not (keys or unless):
        return Kept(files)
    keep = _kept_rows(store, files, schema, keys, alive)
    if unless:
        keep = [mask & ~_filled(store, file, schema, unless) for file, mask in zip(files, keep, strict=True)]
    result: list[DataFile] = []
    replaced: list[str] = []
    for file, mask in zip(files, keep, strict=True):
        if mask.all():
            result.append(file)
            continue
        replaced.append(file.path)
        result += _without(store, file, mask, schema, keys, layout)
    return Kept(result, replaced)


def _kept_rows(
    store: Store, files: Sequence[DataFile], schema: pa.Schema, keys: Sequence[str], alive: Callable[[], None]
) -> list[NDArray[np.bool_]]:
    """Return for every file which of its rows stay."""
    starts = np.cumsum([0, *(file.rows for file in files)])
    keep = np.ones(starts[-1], dtype=bool)  # what no slice holds, NULL or NaN, repeats nothing
    key, bounds = edges(store, files, schema, keys) if keys else ("", [])
    for low, high in pairwise(bounds):
        alive()
        rows, table = keys_between(store, files, schema, keys, key, low, high)
        keep[rows] = False
        keep[rows[last_rows(table, keys)]] = True
    return [keep[start:end] for start, end in pairwise(starts)]


def _row_bytes(schema: pa.Schema, keys: Sequence[str]) -> int:
    fixed = [pa.types.is_primitive(schema.field(key).type) for key in keys]
    return sum(FIXED_BYTES if one else TEXT_BYTES for one in fixed)


def _filled(store: Store, file: DataFile, schema: pa.Schema, column: str) -> NDArray[np.bool_]:
    pieces = [rows[column].is_valid().to_numpy() for rows in read(store, file, schema, [column])]
    return np.concatenate([np.zeros(0, dtype=bool), *pieces])


def keys_between(
    store: Store, files: Files, schema: pa.Schema, keys: Sequence[str], key: str, low: Any, high: Any
) -> tuple[NDArray[np.int64], pa.Table]:
    """Return the key columns of all rows whose value of one key lies in a range, and the numbers of those rows."""
    numbers: list[NDArray[np.int64]] = []
    tables: list[pa.Table] = []
    start = 0
    for file in files:
        for table in read(store, file, schema, keys):
            found, part = _within(table, key, low, high)
            numbers.append(start + found)
            tables.append(part)
            start += table.num_rows
    if not tables:
        return np.array([], dtype=np.int64), pa.schema([schema.field(name) for name in keys]).empty_table()
    return np.concatenate(numbers), pa.concat_tables(tables)


def _within(table: pa.Table, key: str, low: Any, high: Any) -> tuple[NDArray[np.int64], pa.Table]:
    if low is None and high is None:
        return np.arange(table.num_rows), table
    mask = pc.is_valid(table[key])
    if low is not None:
        mask = pc.and_(mask, pc.greater_equal(table[key], low))
    if high is not None:
        mask = pc.and_(mask, pc.less(table[key], high))
    return np.flatnonzero(mask.to_numpy()), table.filter(mask)


def edges(store: Store, files: Files, schema: pa.Schema, keys: Sequence[str]) -> tuple[str, list[Any]]:
    """Return a key column, and values of it that part the rows into slices whose keys fit the memory for them."""
    slices = -(-sum(file.rows or 0 for file in files) * _row_bytes(schema, keys) // SLICE_BYTES)
    if slices <= 1:
        return keys[0], [None, None]
    sample = pa.concat_tables(_sample(store, files, schema, keys))
    key = max(keys, key=lambda name: len(pc.unique(sample[name])))
    ordered = sample[key].take(pc.sort_indices(sample[key]))
    inner = [ordered[place * len(ordered) // slices] for place in range(1, slices)]
    distinct = [edge for place, edge in enumerate(inner) if place == 0 or edge != inner[place - 1]]
    return key, [None, *distinct, None]


def _sample(store: Store, files: Files, schema: pa.Schema, keys: Sequence[str]) -> Iterator[pa.Table]:
    step = max(1, sum(file.rows or 0 for file in files) // SAMPLE_ROWS)
    for file in files:
        for table in read(store, file, schema, keys):
            yield table.take(pa.array(np.arange(0, table.num_rows, step)))


def _without(
    store: Store, file: DataFile, mask: NDArray[np.bool_], schema: pa.Schema, keys: Sequence[str], layout: Layout
) -> list[DataFile]:
    start = 0
    with PartitionedWriter(store, schema, tuple(file.partition), keys, layout) as writer:
        for table in read(store, file, schema):
            writer.write(table.filter(pa.array(mask[start : start + table.num_rows])))
            start += table.num_rows
        return writer.finish()
