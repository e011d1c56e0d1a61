"""Which SELECTs make one run of a stream. Pure.

Takes a table, its columns and where the last run ended; gives `Read`s in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from psycopg import sql

from singerkit.bookmarks import later, to_state
from singerkit.errors import SettingsError
from tap_postgres import query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_postgres.discover import Table
    from tap_postgres.values import Column

XMIN = "xmin"
"""The replication key that is no column: the number of the transaction that wrote a row."""


@dataclass(frozen=True)
class Scope:
    """Which rows of a table are meant at all; `only` leaves out those of tables that inherit from it."""

    where: sql.Composed | None = None
    only: bool = False


@dataclass(frozen=True)
class Read:
    """One SELECT; `moves` says that its rows are ordered by the replication key."""

    sql: str
    moves: bool = False


@dataclass(frozen=True)
class Begin:
    """Where an incremental read begins: at the bookmark, so far before it as `lookback` says, never before `floor`."""

    bookmark: Any | None = None
    floor: Any | None = None
    lookback: Any | None = None


def incremental(table: Table, columns: Sequence[Column], key: Column, begin: Begin, scope: Scope) -> Iterator[Read]:
    """Yield the rows without a key, which have no place in the order and are read every time, then those from `begin`.

    Two SELECTs, since one with OR would be read without the key's index.
    """
    column = table.column(key.name)
    nullable = column is not None and column.nullable
    if nullable:
        yield Read(query.select(table, columns, where=query.both(query.is_null(key.name), scope.where)))
    where = _from(begin, key, table.stream) or (query.is_not_null(key.name) if nullable else None)
    yield Read(query.select(table, columns, where=query.both(where, scope.where), order_by=key.name), moves=True)


def by_xmin(table: Table, columns: Sequence[Column], start: int | None, scope: Scope) -> Read:
    """Return the rows that transactions from `start` on have written."""
    where = None if start is None else query.xmin_at_least(start)
    return Read(query.select(table, columns, where=query.both(where, scope.where)))


def _from(begin: Begin, key: Column, stream: str) -> sql.Composed | None:
    def at_least(value: Any, less: sql.Composable | None = None) -> sql.Composed:
        return query.at_least(key.name, str(to_state(value)), key.rendering.cast, less)

    if begin.bookmark is None or begin.lookback is None:
        start = later(begin.bookmark, begin.floor)
        return None if start is None else at_least(start)
    floor = None if begin.floor is None else at_least(begin.floor)
    return query.both(at_least(begin.bookmark, _less(begin.lookback, key, stream)), floor)


def _less(lookback: Any, key: Column, stream: str) -> sql.Composable:
    """Return what is taken from a bookmark: an interval from dates and times, a number from numbers."""
    kind = key.rendering.arrow
    if pa.types.is_temporal(kind) and isinstance(lookback, str):
        return sql.SQL("{}::pg_catalog.interval").format(sql.Literal(lookback))
    number = isinstance(lookback, int | float) and not isinstance(lookback, bool)
    if (
        number
        and key.rendering.cast != "oid"
        and (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or key.rendering.cast == "numeric")
    ):
        return sql.Literal(lookback)
    raise SettingsError(
        f"the lookback {lookback!r} cannot be taken from replication key {key.name}",
        stream=stream,
        remedy='write "2 hours" for dates and times, a number for numbers',
    )
