"""Rows that leave columns out on purpose: their stored value stays (`_sdc_omitted`).

Takes the rows of a batch in their order, each with the names it omits; gives the last row of every key, and which of
its values only the table knows. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from singerkit.errors import SafetyStopError
from target_delta.keys import group_numbers, last_per_key
from target_delta.shape import TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Masks = Mapping[str, NDArray[np.bool_]]
    """For each column that is omitted anywhere, which rows omit it."""

OMITTED = "_sdc_omitted"
"""The property of a record that names the columns whose stored value stays."""
NAMES = pa.list_(pa.string())
COLUMN = "\x00omitted"  # beside the rows while they wait; no stream's column can have this name

_LIST = msgspec.json.Decoder(list[str] | None)


def names_of(column: pa.Array) -> pa.Array | None:
    """Return the names that each row omits, or None where no row omits any; lists of texts, or JSON texts of them."""
    if column.null_count == len(column):
        return None
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return column.cast(NAMES)
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    try:
        return pa.array([None if text is None else _LIST.decode(text) for text in texts], NAMES)
    except msgspec.MsgspecError as error:
        raise SafetyStopError(f"{OMITTED} is no array of column names", remedy="correct the tap") from error


def with_omitted(rows: pa.RecordBatch, omitted: pa.Array | None) -> pa.RecordBatch:
    """Return the rows with what they omit beside them, where they omit anything."""
    return rows if omitted is None else rows.append_column(COLUMN, omitted.cast(NAMES))


def without_omitted(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows alone, for a loader that keeps no stored value."""
    return rows.drop_columns([COLUMN]) if COLUMN in rows.schema.names else rows


def folded(table: pa.Table, keys: Sequence[str]) -> tuple[pa.Table, Masks]:
    """Return the last row of every key, with omitted values from the rows before it, and what is omitted still."""
    if COLUMN not in table.column_names:
        return last_per_key(table, keys), {}
    rows, masks = table.drop_columns([COLUMN]), masks_of(table)
    groups, count = group_numbers(rows, keys)
    last = _last(groups, count, np.arange(table.num_rows))
    order = np.argsort(last, kind="stable")
    result, still = rows.take(pa.array(last[order])), {}
    for name, mask in masks.items():
        given = _last(groups, count, np.where(mask, -1, np.arange(table.num_rows)))[order]
        still[name] = given < 0
        values = rows[name].take(pa.array(given, mask=still[name]))  # NULL until the table says more
        result = result.set_column(result.schema.get_field_index(name), result.schema.field(name), values)
    return result, {name: mask for name, mask in still.items() if mask.any()}


def filled(column: pa.ChunkedArray, positions: NDArray[np.int64], values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column with these values at these positions."""
    mask = np.zeros(len(column), dtype=bool)
    mask[positions] = True
    ordered = values.take(pa.array(np.argsort(positions, kind="stable"))).combine_chunks()
    places = np.cumsum(mask) - 1
    indices = np.where(mask, len(column) + places, np.arange(len(column)))
    return pa.chunked_array([*column.chunks, *_chunks(ordered)], column.type).take(pa.array(indices))


def _chunks(values: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return values.chunks if isinstance(values, pa.ChunkedArray) else [values]


def masks_of(table: pa.Table) -> dict[str, NDArray[np.bool_]]:
    """Return for each column that is omitted anywhere which rows omit it."""
    if COLUMN not in table.column_names:
        return {}
    omitted = table[COLUMN].combine_chunks()
    lists = omitted if isinstance(omitted, pa.Array) else pa.concat_arrays(omitted.chunks)
    names, rows = lists.flatten(), pc.list_parent_indices(lists)
    masks: dict[str, NDArray[np.bool_]] = {}
    for name in pc.unique(names).drop_null().to_pylist():
        if name in table.column_names:
            masks[name] = np.zeros(table.num_rows, dtype=bool)
            masks[name][rows.filter(pc.equal(names, name)).to_numpy()] = True
    return with_texts(masks, table.column_names)


def with_texts(masks: Mapping[str, NDArray[np.bool_]], columns: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return what is omitted with the columns for texts of values that do not fit: they stay with their column."""
    return {**masks, **{name + TEXT: mask for name, mask in masks.items() if name + TEXT in columns}}


def _last(groups: NDArray[np.int64], count: int, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the greatest candidate of every group."""
    last = np.full(count, -1, dtype=np.int64)
    np.maximum.at(last, groups, candidates)
    return last
