"""Batches as ADBC reads them to batches as the stream declares them; what does not fit is found, never passed on. Pure.

Takes a raw batch and the columns' renderings; gives a batch of exactly the declared Arrow types. Refuses infinity, far
years and NaN numerics unless `out_of_range` says what to write instead.

ADBC moves PostgreSQL's epoch (2000) to Arrow's (1970) by an addition that wraps around, so a value far away arrives as
nonsense. Wrapped or not, such a value lies outside the years 1 to 9999, and subtracting what was added restores it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tap_postgres.failures import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_postgres.types import Rendering

Policy = Literal["fail", "null", "clamp"]


@dataclass(frozen=True)
class _Calendar:
    """The days or microseconds since 1970 that Arrow's readers can name, and PostgreSQL's epoch in them."""

    lowest: int
    highest: int
    epoch_2000: int
    storage: pa.DataType


_DAYS = _Calendar(-719_162, 2_932_896, 10_957, pa.int32())
_DAY_US = 86_400_000_000
_MICROSECONDS = _Calendar(
    _DAYS.lowest * _DAY_US, (_DAYS.highest + 1) * _DAY_US - 1, _DAYS.epoch_2000 * _DAY_US, pa.int64()
)
_NOT_FINITE = pa.array(["NaN", "Infinity", "-Infinity"])


@dataclass(frozen=True)
class Column:
    """A column of a stream: its name, and how it is rendered."""

    name: str
    rendering: Rendering


def conform(batch: pa.RecordBatch, columns: Sequence[Column], policy: Policy, stream: str) -> pa.RecordBatch:
    """Return the batch with exactly the declared names and types."""
    arrays = [_conform_column(raw, column, policy, stream) for raw, column in zip(batch.columns, columns, strict=True)]
    schema = pa.schema([pa.field(column.name, column.rendering.arrow) for column in columns])
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.nulls(batch.num_rows, pa.struct([])).fill_null({}))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def bookmarkable(values: pa.Array, rendering: Rendering) -> pa.Array:
    """Return, in order, the values that may be a bookmark: NaN and the last day sort last and would hide newer rows."""
    if calendar := _calendar(values.type):
        return values.filter(pc.less(values.view(calendar.storage), calendar.highest))
    if rendering.cast == "numeric" and pa.types.is_string(values.type):
        return values.filter(pc.invert(pc.is_in(values, _NOT_FINITE)))
    return values


def _conform_column(raw: pa.Array, column: Column, policy: Policy, stream: str) -> pa.Array:
    outside = Outside(policy)
    array = outside.conform(_storage(raw), column.rendering.arrow)
    if outside.count and policy == "fail":
        raise DataError(
            f"column {column.name} holds {outside.count} values that are {outside.what}",
            remedy="set out_of_range to null or clamp, or deselect the column",
            stream=stream,
        )
    return array


class Outside:
    """Conforms one column and counts what it found out of range."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.count = 0
        self.what = ""

    def conform(self, array: pa.Array, kind: pa.DataType) -> pa.Array:
        """Return the array as `kind`, with values out of range replaced; the caller looks at `count`."""
        array = _storage(array)
        if pa.types.is_list(kind):
            return self._list(array, kind)
        if pa.types.is_decimal(kind):
            return self._decimals(array, kind)
        if calendar := _calendar(kind):
            return self._dates(array, kind, calendar)
        return array if array.type == kind else pc.cast(array, kind)

    def _list(self, array: pa.ListArray, kind: pa.ListType) -> pa.Array:
        values = self.conform(array.values, kind.value_type)
        offsets = pa.concat_arrays([array.offsets])  # a slice's own start would be refused beside a mask
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(offsets, values, type=kind, mask=mask)

    def _decimals(self, text: pa.Array, kind: pa.DataType) -> pa.Array:
        odd = pc.is_in(text, _NOT_FINITE)
        if count := pc.sum(odd).as_py():
            self.count, self.what = self.count + count, "NaN or infinite"
            text = pc.if_else(odd, None, text)
        return pc.cast(text, kind)

    def _dates(self, array: pa.Array, kind: pa.DataType, calendar: _Calendar) -> pa.Array:
        numbers = array.view(calendar.storage)
        ends = pc.min_max(numbers).as_py()
        if ends["min"] is None or (ends["min"] >= calendar.lowest and ends["max"] <= calendar.highest):
            return array if array.type == kind else pc.cast(array, kind)
        fits = pc.and_(pc.greater_equal(numbers, calendar.lowest), pc.less_equal(numbers, calendar.highest))
        self.count += pc.sum(pc.invert(fits)).as_py()
        self.what = "infinite, or before the year 1, or after the year 9999"
        return pc.if_else(fits, numbers, self._instead(numbers, calendar)).view(kind)

    def _instead(self, numbers: pa.Array, calendar: _Calendar) -> pa.Array:
        if self.policy != "clamp":
            return pa.nulls(len(numbers), calendar.storage)
        original = pc.subtract(numbers, pa.scalar(calendar.epoch_2000, calendar.storage))  # wraps, as ADBC's sum did
        ends = [pa.scalar(end, calendar.storage) for end in (calendar.lowest, calendar.highest)]
        return pc.if_else(pc.less(original, 0), *ends)


def _calendar(kind: pa.DataType) -> _Calendar | None:
    if pa.types.is_date32(kind):
        return _DAYS
    return _MICROSECONDS if pa.types.is_timestamp(kind) else None


def _storage(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array
