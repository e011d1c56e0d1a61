"""Which SELECTs make one run of a stream. Pure.

Takes a table, its columns and where the last run ended; gives `Read`s in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from psycopg import sql

from singerkit.bookmarks import to_state
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


def incremental(
    table: Table, columns: Sequence[Column], key: Column, start: Any | None, scope: Scope, lookback: Any = None
) -> Iterator[Read]:
    """Yield the rows without a key, which have no place in the order and are read every time, then those from `start`.

    Two SELECTs, since one with OR would be read without the key's index. With `lookback` the second begins earlier.
    """
    column = table.column(key.name)
    nullable = column is not None and column.nullable
    if nullable:
        yield Read(query.select(table, columns, where=query.both(query.is_null(key.name), scope.where)))
    if start is not None:
        less = None if lookback is None else _less(lookback, key, table.stream)
        where: sql.Composed | None = query.at_least(key.name, str(to_state(start)), key.rendering.cast, less)
    else:
        where = query.is_not_null(key.name) if nullable else None
    yield Read(query.select(table, columns, where=query.both(where, scope.where), order_by=key.name), moves=True)


def by_xmin(table: Table, columns: Sequence[Column], start: int | None, scope: Scope) -> Read:
    """Return the rows that transactions from `start` on have written."""
    where = None if start is None else query.xmin_at_least(start)
    return Read(query.select(table, columns, where=query.both(where, scope.where)))


def _less(lookback: Any, key: Column, stream: str) -> sql.Composable:
    """Return what is taken from a bookmark: an interval from dates and times, a number from numbers."""
    kind = key.rendering.arrow
    if pa.types.is_temporal(kind) and isinstance(lookback, str):
        return sql.SQL("{}::pg_catalog.interval").format(sql.Literal(lookback))
    number = isinstance(lookback, int | float) and not isinstance(lookback, bool)
    if number and (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or key.rendering.cast == "numeric"):
        return sql.Literal(lookback)
    raise SettingsError(
        f"the lookback {lookback!r} cannot be taken from replication key {key.name}",
        stream=stream,
        remedy='write "2 hours" for dates and times, a number for numbers',
    )
