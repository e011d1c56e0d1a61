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

_ALL = sql.SQL("true")


def select(
    table: Table,
    columns: Sequence[Column],
    *,
    where: sql.Composable | None = None,
    order_by: str | None = None,
    only: bool = False,
) -> str:
    """Return the SELECT of the columns as they are rendered, filtered and ordered where asked.

    `only` leaves out the rows of tables that inherit from this one.
    """
    outputs = [sql.SQL("{} AS {}").format(_expression(column), sql.Identifier(column.name)) for column in columns]
    query = sql.SQL("SELECT {} FROM {}{} AS t").format(
        sql.SQL(", ").join(outputs), sql.SQL("ONLY " if only else ""), sql.Identifier(table.schema, table.name)
    )
    if where is not None:
        query += sql.SQL(" WHERE {}").format(where)
    if order_by is not None:
        query += sql.SQL(" ORDER BY {}").format(own(order_by))
    return query.as_string(None)


def first(table: Table, columns: Sequence[Column], limit: int = 1, where: sql.Composable | None = None) -> str:
    """Return the SELECT of a few rows, whichever the server finds first."""
    return f"{select(table, columns, where=where)} LIMIT {limit:d}"


def count(table: Table, bookmark: str | None, *, timed: bool, where: sql.Composable | None = None) -> str:
    """Return the SELECT of how many rows there are, how many without a bookmark, how many with one in the future."""
    name = sql.SQL("NULL") if bookmark is None else own(bookmark)
    ahead = sql.SQL("{} > pg_catalog.now()").format(name) if timed else sql.SQL("false")
    query = sql.SQL(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {} IS NULL),"
        " pg_catalog.count(*) FILTER (WHERE {}) FROM {} AS t WHERE {}"
    )
    return query.format(name, ahead, sql.Identifier(table.schema, table.name), where or _ALL).as_string(None)


def duplicates(table: Table, keys: Sequence[str], limit: int, where: sql.Composable | None = None) -> str:
    """Return the SELECT of a few keys that name more than one row, each as a JSON object; NULL is a value too."""
    pairs = sql.SQL(", ").join(sql.SQL("{}, {}").format(sql.Literal(key), own(key)) for key in keys)
    query = sql.SQL(
        "SELECT pg_catalog.json_build_object({}) FROM {} AS t WHERE {}"
        " GROUP BY {} HAVING pg_catalog.count(*) > 1 LIMIT {}"
    )
    group, named = sql.SQL(", ").join(map(own, keys)), sql.Identifier(table.schema, table.name)
    return query.format(pairs, named, where or _ALL, group, sql.Literal(limit)).as_string(None)


def at_least(name: str, value: str, cast: str, less: sql.Composable | None = None) -> sql.Composed:
    """Return `column >= value`: the rows of the bookmark itself are read again, since more may share its value.

    `less` is taken from the value first.
    """
    if less is not None:
        return sql.SQL("{} >= {} - {}").format(own(name), _value(value, cast), less)
    return sql.SQL("{} >= {}").format(own(name), _value(value, cast))


def below(name: str, value: str, cast: str) -> sql.Composed:
    """Return `column < value`."""
    return sql.SQL("{} < {}").format(own(name), _value(value, cast))


def pages(lower: int | None, upper: int | None) -> sql.Composed | None:
    """Return the condition of a range of pages; None is an open end."""
    ends = [(">=", lower), ("<", upper)]
    conditions = [
        sql.SQL("t.ctid {} {}::tid").format(sql.SQL(word), sql.Literal(f"({page},0)"))
        for word, page in ends
        if page is not None
    ]
    return sql.SQL(" AND ").join(conditions) if conditions else None


def verbatim(condition: str | None) -> sql.Composed | None:
    """Return a condition that the server itself has written: the row filter of a publication."""
    return sql.Composed([sql.SQL("("), sql.SQL(condition), sql.SQL(")")]) if condition else None


def xmin_at_least(bookmark: int) -> sql.Composed:
    """Return the rows that a transaction of this number (64 bits) or a later one wrote, and perhaps others.

    The row holds 32 bits of the number, which wrap around: beyond half of them nothing can be told, and all are read.
    So they are by a server that has not come to this number: it was restored, or is another one.
    """
    low = bookmark % 2**32
    return sql.SQL(
        "(pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) - {} NOT BETWEEN 0 AND 2147483647 OR"
        " CASE WHEN pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) / 4294967296 = {}"
        " THEN t.xmin::text::bigint >= {} ELSE t.xmin::text::bigint >= {} OR t.xmin::text::bigint <="
        " pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) % 4294967296 END)"
    ).format(*map(sql.Literal, (bookmark, bookmark // 2**32, low, low)))


def both(one: sql.Composed | None, other: sql.Composed | None) -> sql.Composed | None:
    """Return both conditions as one, where there are two."""
    return sql.SQL("{} AND {}").format(one, other) if one and other else one or other


def is_null(name: str) -> sql.Composed:
    """Return `column IS NULL`."""
    return sql.SQL("{} IS NULL").format(own(name))


def is_not_null(name: str) -> sql.Composed:
    """Return `column IS NOT NULL`."""
    return sql.SQL("{} IS NOT NULL").format(own(name))


def own(name: str) -> sql.Composed:
    """Return the table's own column: a bare name in ORDER BY would mean the output, which may be its text."""
    return sql.SQL("t.{}").format(sql.Identifier(name))


def _expression(column: Column) -> sql.Composed:
    return sql.SQL(column.rendering.select).format(own(column.name))


def _value(text: str, cast: str) -> sql.Composed:
    return sql.SQL("{}::pg_catalog.{}").format(sql.Literal(text), sql.Identifier(cast))
