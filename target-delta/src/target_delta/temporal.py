"""Dates and times as JSON writes them -> instants, local times and days.

Takes text, one value or a whole column; gives values to the microsecond. Refuses what would change on its way:
finer fractions that are not zero, leap seconds, 24:00, years outside 1 to 9999, a zone where none belongs.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# RFC 3339, and what is commonly written instead of it: a space, no seconds, a date alone, offsets without a colon
_WRITTEN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_FIRST_US = int((datetime(1, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
_FIRST_DAY = date(1, 1, 1).toordinal() - date(1970, 1, 1).toordinal()


def instant(text: str) -> datetime:
    """Return the instant in UTC; a text without offset is taken as UTC. ValueError for what is no exact instant."""
    naive, offset = _read(text)
    try:
        return (naive - _offset(offset)).replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error


def local(text: str) -> datetime:
    """Return the time on the clock, without a zone. ValueError where the text names a zone."""
    naive, offset = _read(text)
    if offset:
        raise ValueError("a local time has no zone")
    return naive


def day(text: str) -> date:
    """Return the day; a midnight without offset, or in UTC, is its day. ValueError for any other time of day."""
    naive, offset = _read(text)
    if naive.time() != datetime.min.time() or _offset(offset):
        raise ValueError("a date has no time of day")
    return naive.date()


def instants(texts: pa.StringArray) -> pa.Array:
    """Return a column of instants; the same values as `instant` gives one by one."""
    kind = pa.timestamp("us", "UTC")
    try:
        array = texts.cast(kind)
    except pa.ArrowInvalid:
        try:
            array = texts.cast(pa.timestamp("us")).cast(pa.int64()).cast(kind)
        except pa.ArrowInvalid:  # offsets here and none there, or what only the careful reader knows
            return _one_by_one(texts, instant, kind)
    return _since(array, pa.int64(), _FIRST_US)


def locals_(texts: pa.StringArray) -> pa.Array:
    """Return a column of local times; the same values as `local` gives one by one."""
    try:
        array = texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return _one_by_one(texts, local, pa.timestamp("us"))
    return _since(array, pa.int64(), _FIRST_US)


def days(texts: pa.StringArray) -> pa.Array:
    """Return a column of days; the same values as `day` gives one by one."""
    try:
        array = texts.cast(pa.date32())
    except pa.ArrowInvalid:
        return _one_by_one(texts, day, pa.date32())
    return _since(array, pa.int32(), _FIRST_DAY)


def _one_by_one(texts: pa.StringArray, read: Callable[[str], date], kind: pa.DataType) -> pa.Array:
    values: Sequence[str | None] = texts.to_pylist()
    return pa.array([None if text is None else read(text) for text in values], kind)


def _since(array: pa.Array, number: pa.DataType, first: int) -> pa.Array:
    """Refuse the year 0, which Arrow's reader lets through and neither Python nor Spark knows, and beyond 9999."""
    last = _last(first)
    values = np.frombuffer(array.buffers()[1], number.to_pandas_dtype())[array.offset :][: len(array)]
    if len(values) and (values.min() < first or values.max() > last):  # or only what lies under a NULL is outside
        bounds = pc.min_max(array.view(number)).as_py()  # exact, and five times as dear
        if bounds["min"] is not None and (bounds["min"] < first or bounds["max"] > last):
            raise ValueError("outside the years 1 to 9999")
    return array


def _last(first: int) -> int:
    days_in_all = date.max.toordinal() - date.min.toordinal()
    return first + days_in_all if first == _FIRST_DAY else first + (days_in_all + 1) * 86_400_000_000 - 1


def _read(text: str) -> tuple[datetime, str]:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError("not an ISO 8601 date or time")
    year, month, of_month, hour, minute, second, fraction, offset = found.groups(default="")
    if fraction[6:].strip("0"):
        raise ValueError("finer than a microsecond")
    us = int(fraction[:6].ljust(6, "0"))
    clock = (int(hour or 0), int(minute or 0), int(second or 0), us)
    return datetime(int(year), int(month), int(of_month), *clock), offset  # noqa: DTZ001 - the offset comes apart


def _offset(written: str) -> timedelta:
    if written in {"", "Z", "z"}:
        return timedelta()
    digits = written[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset")
    ahead = timedelta(hours=hours, minutes=minutes)
    return -ahead if written[0] == "-" else ahead
