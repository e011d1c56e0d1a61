"""Rows of a table that share a key, found in bounded memory.

Takes data files in the order in which they were written; gives which rows stay. Reads key columns alone.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from target_delta.keys import last_rows
from target_delta.unique import edges, keys_between
from target_delta.versions import by_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store

_PLACE = "\x00place"
"""A column of our own, beside those of the table: where a row stood."""


def in_order(store: Store, snapshot: Snapshot) -> list[LiveFile]:
    """Return the live files in the order in which they were written, each with the number of its rows."""
    times = snapshot.actions["modification_time"].to_pylist()
    ordered = sorted(zip(times, snapshot.files, strict=True), key=lambda pair: pair[0])
    return [file if file.rows is not None else replace(file, rows=_counted(store, file)) for _, file in ordered]


def kept(
    store: Store,
    files: Sequence[LiveFile],
    schema: pa.Schema,
    keys: Sequence[str],
    alive: Callable[[], None],
    *,
    newest: str | None = None,
) -> list[NDArray[np.bool_]]:
    """Return for every file which of its rows stay: the last of each key, or the one with the greatest `newest`.

    A row with NULL in a key equals no other, and stays.
    """
    starts = np.cumsum([0, *(file.rows or 0 for file in files)])
    keep = np.ones(starts[-1], dtype=bool)
    key, bounds = edges(store, files, schema, keys)
    columns = [*keys, newest] if newest and newest not in keys else keys
    for low, high in pairwise(bounds):
        alive()
        numbers, rows = keys_between(store, files, schema, columns, key, low, high)
        placed = rows.append_column(_PLACE, pa.array(np.arange(len(numbers))))
        ordered = by_version(placed, [newest] if newest else [])
        keep[numbers] = False
        keep[numbers[ordered[_PLACE].to_numpy()[last_rows(ordered, keys)]]] = True
    return [keep[start:end] for start, end in pairwise(starts)]


def _counted(store: Store, file: LiveFile) -> int:
    with store.open(file.path) as source, pq.ParquetFile(source) as parquet:
        return int(parquet.metadata.num_rows)
