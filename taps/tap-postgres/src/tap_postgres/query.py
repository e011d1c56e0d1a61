"""The SELECT of one stream, composed by the driver's own quoting. Pure.

Takes a table, its columns and where to begin; gives SQL text. Values are literals with the column's type beside them,
since COPY, by which ADBC reads, takes no parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_postgres.discover import Table
    from tap_postgres.values import Column


def select(
    table: Table, columns: Sequence[Column], *, where: sql.Composable | None = None, order_by: str | None = None
) -> str:
    """Return the SELECT of the columns as they are rendered, filtered and ordered where asked."""
    outputs = [sql.SQL("{} AS {}").format(_expression(column), sql.Identifier(column.name)) for column in columns]
    query = sql.SQL("SELECT {} FROM {} AS t").format(
        sql.SQL(", ").join(outputs), sql.Identifier(table.schema, table.name)
    )
    if where is not None:
        query += sql.SQL(" WHERE {}").format(where)
    if order_by is not None:
        query += sql.SQL(" ORDER BY {}").format(_own(order_by))
    return query.as_string(None)


def first(table: Table, columns: Sequence[Column], limit: int = 1) -> str:
    """Return the SELECT of a few rows, whichever the server finds first."""
    return f"{select(table, columns)} LIMIT {limit:d}"


def count(table: Table, bookmark: str | None, *, timed: bool) -> str:
    """Return the SELECT of how many rows there are, how many without a bookmark, how many with one in the future."""
    name = sql.SQL("NULL") if bookmark is None else _own(bookmark)
    ahead = sql.SQL("{} > pg_catalog.now()").format(name) if timed else sql.SQL("false")
    query = sql.SQL(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {} IS NULL),"
        " pg_catalog.count(*) FILTER (WHERE {}) FROM {} AS t"
    )
    return query.format(name, ahead, sql.Identifier(table.schema, table.name)).as_string(None)


def duplicates(table: Table, keys: Sequence[str], limit: int) -> str:
    """Return the SELECT of a few keys that name more than one row, each as a JSON object; NULL is a value too."""
    pairs = sql.SQL(", ").join(sql.SQL("{}, {}").format(sql.Literal(key), _own(key)) for key in keys)
    query = sql.SQL(
        "SELECT pg_catalog.json_build_object({}) FROM {} AS t GROUP BY {} HAVING pg_catalog.count(*) > 1 LIMIT {}"
    )
    group = sql.SQL(", ").join(map(_own, keys))
    return query.format(pairs, sql.Identifier(table.schema, table.name), group, sql.Literal(limit)).as_string(None)


def at_least(name: str, value: str, cast: str) -> sql.Composed:
    """Return `column >= value`: the rows of the bookmark itself are read again, since more may share its value."""
    return sql.SQL("{} >= {}").format(_own(name), _value(value, cast))


def below(name: str, value: str, cast: str) -> sql.Composed:
    """Return `column < value`."""
    return sql.SQL("{} < {}").format(_own(name), _value(value, cast))


def both(one: sql.Composed | None, other: sql.Composed | None) -> sql.Composed | None:
    """Return both conditions as one, where there are two."""
    return sql.SQL("{} AND {}").format(one, other) if one and other else one or other


def is_null(name: str) -> sql.Composed:
    """Return `column IS NULL`."""
    return sql.SQL("{} IS NULL").format(_own(name))


def is_not_null(name: str) -> sql.Composed:
    """Return `column IS NOT NULL`."""
    return sql.SQL("{} IS NOT NULL").format(_own(name))


def _own(name: str) -> sql.Composed:
    """Return the table's own column: a bare name in ORDER BY would mean the output, which may be its text."""
    return sql.SQL("t.{}").format(sql.Identifier(name))


def _expression(column: Column) -> sql.Composed:
    return sql.SQL(column.rendering.select).format(_own(column.name))


def _value(text: str, cast: str) -> sql.Composed:
    return sql.SQL("{}::pg_catalog.{}").format(sql.Literal(text), sql.Identifier(cast))
