"""Bookmarks: what STATE keeps of a replication key, by the type of the column and never as bare text. Pure.

Takes values of Arrow columns and of STATE; gives one exact JSON form for each type, and reads it back. Refuses a
bookmark that is of another type than the column.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, VALUE = "replication_key", "replication_key_value"  # singer-sdk's names, so that other tools can read the STATE


def last_value(column: pa.Array) -> Any | None:
    """Return the last value that is not NULL of a column in ascending order, or None."""
    valid = column.drop_null()
    return valid[len(valid) - 1].as_py() if len(valid) else None


def to_state(value: Any) -> Any:
    """Return the JSON form: integers as they are, everything else as the text that reads back exactly."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def from_state(value: Any, kind: pa.DataType, *, stream: str, key: str, remedy: str) -> Any:
    """Return a bookmark as a value of the column's type.

    A date stands for its midnight where the column holds timestamps; a timestamp without offset is taken as UTC.
    """
    try:
        return _reader(kind)(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        shown = value if isinstance(value, str | int | float) else type(value).__name__
        raise SettingsError(
            f"the bookmark {shown!r} is not a value of replication key {key} ({kind})", stream=stream, remedy=remedy
        ) from error


def later(one: Any | None, other: Any | None) -> Any | None:
    """Return the later of two values of one type; None is before everything."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _reader(kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_integer(kind):
        return _integer
    if pa.types.is_decimal(kind):
        return _decimal
    if pa.types.is_timestamp(kind):
        return _instant if kind.tz else _local
    return _date if pa.types.is_date(kind) else _string


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not an integer")
    return value


def _decimal(value: Any) -> Decimal:
    number = Decimal(_string(value) if isinstance(value, str) else _integer(value))
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def _instant(value: Any) -> dt.datetime:
    moment = dt.datetime.fromisoformat(_string(value))
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _local(value: Any) -> dt.datetime:
    moment = dt.datetime.fromisoformat(_string(value))
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _date(value: Any) -> dt.date:
    return dt.date.fromisoformat(_string(value))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
