"""Row filters of the settings as SQL. Pure.

Takes lists of [column, operator, value]; gives a condition whose names and values are quoted by the driver. Refuses an
operator that is not on the list, and a column that the table does not have.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from psycopg import sql

from singerkit.errors import SettingsError
from tap_postgres import query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMPARED = frozenset({"=", "!=", "<", "<=", ">", ">=", "like"})
_LISTED = frozenset({"in", "not in"})
_ALONE = frozenset({"is null", "is not null"})


def condition(filters: Mapping[str, Any], stream: str, columns: Sequence[str]) -> sql.Composed | None:
    """Return the condition of a stream, or None where it has no filter."""
    rows = filters.get(stream) or []
    if not isinstance(rows, list):
        raise _refused(stream, "a filter is a list of [column, operator, value]")
    return reduce(query.both, [_one(row, stream, columns) for row in rows], None)


def _one(row: Any, stream: str, columns: Sequence[str]) -> sql.Composed:
    if not isinstance(row, list) or not 2 <= len(row) <= 3 or not all(isinstance(word, str) for word in row[:2]):
        raise _refused(stream, f"{row!r} is not [column, operator, value]")
    column, operator, value = row[0], row[1].lower(), row[2] if len(row) == 3 else None
    if column not in columns:
        raise _refused(stream, f"there is no column {column}")
    own, words = query.own(column), sql.SQL(operator)  # known words from here on
    if operator in _ALONE and len(row) == 2:
        return sql.SQL("{} {}").format(own, words)
    if operator in _LISTED and isinstance(value, list) and value and all(map(_is_scalar, value)):
        values = sql.SQL(", ").join(map(sql.Literal, value))
        return sql.SQL("{} {} ({})").format(own, words, values)
    if operator in _COMPARED and _is_scalar(value):
        return sql.SQL("{} {} {}").format(own, words, sql.Literal(value))
    raise _refused(stream, f"{row[1]} does not go with this value")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _refused(stream: str, why: str) -> SettingsError:
    known = ", ".join(sorted(_COMPARED | _LISTED | _ALONE))
    return SettingsError(f"row_filters cannot be used: {why}", stream=stream, remedy=f"operators: {known}")
