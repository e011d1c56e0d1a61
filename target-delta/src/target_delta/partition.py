"""Which partition a row belongs to: a text that follows from some of its columns and nothing else.

Takes columns; gives one text a row, `null` where the columns say nothing. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.arrays import whole
from target_delta.canonical import canonical, each
from target_delta.md5 import remainders
from target_delta.temporal import instant, instants

if TYPE_CHECKING:
    from collections.abc import Sequence


Mode = Literal["none", "md5", "numerical", "datetime", "column"]
Format = Literal["hour", "day", "week", "month", "year"]

COLUMN = "_sdc_partition"
NULL = "null"
"""The partition of rows whose columns are NULL, empty, or nothing that the mode can read."""
FORMATS: Sequence[Format] = ("hour", "day", "week", "month", "year")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_MOST_DIGITS = 4000  # Python reads no longer number
_FIRST_S = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST_S = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday, and weeks begin on Monday
_WEEK_DAYS = 7
_UNITS = {"hour": ("h", 13), "day": ("D", 10), "month": ("M", 7), "year": ("Y", 4)}
"""NumPy's unit, and how many characters of its ISO 8601 name it."""


@dataclass(frozen=True)
class Partitioning:
    """How a table is cut into partitions.

    md5: the texts of `keys`, joined by `|`, hashed, modulo `count`. numerical: one key, divided by `size`.
    datetime: one key, truncated to `format`. column: the columns `keys` themselves, as Hive does.
    """

    mode: Mode = "none"
    keys: tuple[str, ...] = ()
    count: int | None = None
    size: int | None = None
    format: Format | None = None

    def __str__(self) -> str:
        """Return it in the words of the settings."""
        sizes = [f"{name}={value}" for name in ("count", "size", "format") if (value := getattr(self, name))]
        return " ".join([self.mode, *self.keys, *sizes])

    @property
    def columns(self) -> tuple[str, ...]:
        """The partition columns of the table."""
        return {"none": (), "column": self.keys}.get(self.mode, (COLUMN,))

    @property
    def is_derived(self) -> bool:
        """Whether the partition column is made here."""
        return self.columns == (COLUMN,) and self.mode != "column"

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema with the partition column that is made here."""
        return (
            schema.append(pa.field(COLUMN, pa.string())) if self.is_derived and COLUMN not in schema.names else schema
        )

    def place(self, rows: pa.Table) -> pa.Table:
        """Return the rows with the partition of each, where it is made here."""
        if not self.is_derived:
            return rows
        values = self.values(rows)
        if COLUMN in rows.column_names:
            return rows.set_column(rows.schema.get_field_index(COLUMN), rows.schema.field(COLUMN), values)
        return rows.append_column(pa.field(COLUMN, pa.string()), values)

    def values(self, rows: pa.Table) -> pa.StringArray:
        """Return the partition of each row; a key that the rows do not have is NULL."""
        columns = [whole(rows[key]) if key in rows.column_names else pa.nulls(rows.num_rows) for key in self.keys]
        if any(pa.types.is_null(column.type) for column in columns):
            return pa.repeat(pa.scalar(NULL), rows.num_rows)
        match self.mode:
            case "md5":
                texts = _hashed(columns, self.count or 1)
            case "numerical":
                texts = _divided(columns[0], self.size or 1)
            case _:
                texts = _truncated(columns[0], self.format or "month")
        return texts.fill_null(NULL)


def _hashed(columns: Sequence[pa.Array], count: int) -> pa.StringArray:
    joined = pc.binary_join_element_wise(*map(canonical, columns), "|")  # NULL where one of them is
    numbers = remainders(joined.fill_null("").cast(pa.binary()), count)
    return pa.array(numbers, mask=joined.is_null().to_numpy(zero_copy_only=False)).cast(pa.string())


def _divided(column: pa.Array, size: int) -> pa.StringArray:
    if not pa.types.is_integer(column.type):
        return each(canonical(column), lambda text: _divided_text(text, size))
    numbers = column.cast(pa.int64())
    floors = numbers.fill_null(0).to_numpy(zero_copy_only=False) // size
    return pa.array(floors, mask=numbers.is_null().to_numpy(zero_copy_only=False)).cast(pa.string())


def _divided_text(text: str, size: int) -> str | None:
    """Return the partition of a number of up to 4,000 digits, or of a text that is one."""
    return str(int(text) // size) if _INTEGER.fullmatch(text) and len(text) <= _MOST_DIGITS else None


def _truncated(column: pa.Array, to: Format) -> pa.StringArray:
    seconds = _seconds(column)
    known = seconds.is_valid().to_numpy(zero_copy_only=False)
    times = seconds.fill_null(0).to_numpy(zero_copy_only=False).astype("datetime64[s]")
    if to == "week":
        numbers, text = (times.astype("datetime64[D]").astype(np.int64) + _EPOCH_WEEKDAY) // _WEEK_DAYS, _week
    else:
        unit, length = _UNITS[to]
        numbers, text = times.astype(f"datetime64[{unit}]").astype(np.int64), partial(_time, unit, length)
    return pc.if_else(pa.array(known), each(pa.array(numbers), text), pa.scalar(None, pa.string()))


def _seconds(column: pa.Array) -> pa.Array:
    """Return seconds since 1970, or NULL for what is no time in the years 1 to 9999; integers are such seconds."""
    if pa.types.is_integer(column.type):
        seconds = column.cast(pa.int64())
    else:
        is_time = pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)
        times = column if is_time else _read(canonical(column))
        micros = times.cast(pa.timestamp("us")).cast(pa.int64())
        floors = micros.fill_null(0).to_numpy(zero_copy_only=False) // 1_000_000
        seconds = pa.array(floors, mask=micros.is_null().to_numpy(zero_copy_only=False))
    inside = pc.and_(pc.greater_equal(seconds, _FIRST_S), pc.less_equal(seconds, _LAST_S))
    return pc.if_else(inside, seconds, pa.scalar(None, pa.int64()))


def _read(texts: pa.StringArray) -> pa.Array:
    try:
        return instants(texts)
    except ValueError:
        coded = texts.dictionary_encode()
        values = [_instant(text) for text in coded.dictionary.to_pylist()]
        return pa.array(values, pa.timestamp("us", "UTC")).take(coded.indices)


def _instant(text: str | None) -> datetime | None:
    try:
        if text and _INTEGER.fullmatch(text):  # seconds in a column that was widened to texts
            return datetime.fromtimestamp(int(text), UTC)
        return instant(text) if text else None
    except (ValueError, OverflowError, OSError):
        return None


def _week(number: int) -> str:
    """Return the ISO year and week; weeks are counted from the one of 1970-01-01, whose Thursday that was."""
    year, week, _ = np.datetime64(number * _WEEK_DAYS, "D").item().isocalendar()
    return f"{year:04}-w{week:02}"


def _time(unit: str, length: int, number: int) -> str:
    return str(np.array(number).astype(f"datetime64[{unit}]"))[:length]
