"""What a Delta log says about a data file, so that readers and upserts can pass it over.

Takes the schema and the footer of a Parquet file; gives the JSON of an add action. Leaves out what it cannot vouch for.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

INDEXED_COLUMNS = 32  # delta.dataSkippingNumIndexedCols: beyond it the log grows faster than readers gain
PREFIX = 32  # characters of a text that are kept as its bound, as Spark does
_LAST_CHARACTER = "\U0010ffff"
_EXACT_DIGITS = 15  # more digits of a decimal may pass through a double in some reader
_MILLISECOND = 1000

Bounds = tuple[Any, Any]


def file_statistics(schema: pa.Schema, footer: Any, *, keys: Collection[str], nan: Collection[str]) -> str:
    """Return the statistics of a file: rows, and bounds and NULL counts of the first columns and of the keys.

    `nan` names the columns that hold a NaN at any depth: greater than any number to Delta, and unknown to Parquet.
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, Any] = {}
    for index, (path, kind) in enumerate(_leaves(schema)):
        if (index >= INDEXED_COLUMNS and path[0] not in keys) or kind is None:
            continue
        chunks = [footer.row_group(group).column(index).statistics for group in range(footer.num_row_groups)]
        if any(chunk is None or not chunk.has_null_count for chunk in chunks):
            continue
        _put(nulls, path, sum(chunk.null_count for chunk in chunks))
        bounds = None if path[0] in nan else _bounds(kind, [chunk for chunk in chunks if chunk.num_values])
        if bounds is not None:
            _put(low, path, bounds[0])
            _put(high, path, bounds[1])
    content = {"numRecords": footer.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, default=_decimal)


def text_bounds(low: str, high: str) -> Bounds:
    """Return bounds of texts that are short and still hold every text between the two."""
    cut = high[:PREFIX]
    if len(high) > PREFIX:
        rest = high[PREFIX:]
        cut += rest[: len(rest) - len(rest.lstrip(_LAST_CHARACTER))] + _LAST_CHARACTER
    return low[:PREFIX], cut


def instant_bounds(low: datetime, high: datetime) -> Bounds:
    """Return bounds of timestamps in whole milliseconds, as the protocol writes them: the lower down, the upper up."""
    return _instant(low, up=False), _instant(high, up=True)


def _leaves(schema: pa.Schema) -> Iterator[tuple[tuple[str, ...], pa.DataType | None]]:
    """Yield the columns of the Parquet file in its order; None is the type of what has no bounds in a Delta log."""
    for field in schema:
        yield from _below((field.name,), field.type)


def _below(path: tuple[str, ...], kind: pa.DataType) -> Iterator[tuple[tuple[str, ...], pa.DataType | None]]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _below((*path, field.name), field.type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from ((path, None) for _ in _below(path, kind.value_type))
    elif pa.types.is_map(kind):
        yield from ((path, None) for _ in _below(path, kind.key_type))
        yield from ((path, None) for _ in _below(path, kind.item_type))
    else:
        yield path, kind


def _bounds(kind: pa.DataType, chunks: list[Any]) -> Bounds | None:
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_boolean(kind):
        return None
    if any(not chunk.has_min_max for chunk in chunks if chunk.num_values) or not chunks:
        return None
    try:
        low, high = min(chunk.min for chunk in chunks), max(chunk.max for chunk in chunks)
    except (OverflowError, ValueError):  # a date outside of Python's calendar
        return None
    return _written(low, high)


def _written(low: Any, high: Any) -> Bounds | None:
    match low:
        case str():
            return text_bounds(low, high)
        case datetime():
            return instant_bounds(low, high)
        case date():
            return low.isoformat(), high.isoformat()
    return (low, high) if _is_exact(low) and _is_exact(high) else None


def _is_exact(value: Any) -> bool:
    """Return whether a number means the same in every reader's JSON."""
    match value:
        case float():
            return math.isfinite(value)
        case Decimal():
            return len(value.as_tuple().digits) <= _EXACT_DIGITS
    return isinstance(value, int)


def _instant(value: datetime, *, up: bool) -> str:
    spare = value.microsecond % _MILLISECOND
    if spare:
        value -= timedelta(microseconds=spare)
        if up and value <= value.max.replace(tzinfo=value.tzinfo) - timedelta(milliseconds=1):
            value += timedelta(milliseconds=1)
    text = value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return text if value.tzinfo is None else f"{text}Z" if value.utcoffset() == timedelta(0) else _instant_utc(value)


def _instant_utc(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _decimal(value: Decimal) -> float:
    return float(value)  # exact enough: see _EXACT_DIGITS
