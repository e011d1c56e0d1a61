"""Questions of change data capture to the server, over ordinary connections that are opened when they are needed.

Takes the Settings; gives facts, and values that only the server can render. Every session is read-only but the
heartbeat's.
"""

from __future__ import annotations

import contextlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from psycopg import sql

from singerkit.errors import SettingsError
from tap_postgres.cdc.facts import CapturedTable, Facts
from tap_postgres.cdc.values import Reading
from tap_postgres.connect import catalog_connection, parameters
from tap_postgres.discover import resolve
from tap_postgres.failures import translated
from tap_postgres.types import rendering

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import psycopg

    from singerkit.connect.route import Route
    from tap_postgres.cdc.facts import Attribute
    from tap_postgres.settings import Settings

HEARTBEAT = "SELECT pg_catalog.pg_logical_emit_message(false, 'tap-postgres', '')"

_OF_SCHEMAS = (
    "SELECT c.oid::bigint, m.oid::bigint FROM pg_catalog.pg_publication_namespace AS m"
    " JOIN pg_catalog.pg_publication AS p ON p.oid = m.pnpubid"
    " JOIN pg_catalog.pg_class AS c ON c.relnamespace = m.pnnspid AND c.relkind IN ('r', 'p')"
    " WHERE p.pubname = %(publication)s"
)


class Catalog:
    """One ordinary connection for the questions of a run; opened anew after it was lost."""

    def __init__(self, settings: Settings, route: Route | None) -> None:
        self._settings, self._route = settings, route
        self._stack = contextlib.ExitStack()
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._connection = None
        self._stack.close()

    def facts(self) -> Facts:
        """Return what the server says of itself, the slot and the publication."""
        names = {"slot": self._settings.replication_slot, "publication": self._settings.publication}
        row = self.query(_file("capture"), names)[0][0]
        if row["version"] >= 150000:  # publications name schemas from there on
            by_schema = {str(oid): number for oid, number in self.query(_OF_SCHEMAS, names)}
            row["memberships"] = by_schema | (row["memberships"] or {})
        return Facts.from_row(row)

    def tables(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], CapturedTable]:
        """Return the tables of these schemas and names, as far as they are there."""
        pairs = list(names)
        asked = {"schemas": [schema for schema, _ in pairs], "names": [name for _, name in pairs]}
        rows = self.query(_file("captured"), asked, as_dicts=True)
        found = [CapturedTable.from_row(row) for row in rows]
        return {(table.schema, table.name): table for table in found}

    def names(self, oids: Sequence[int]) -> list[tuple[str, str]]:
        """Return schema and name of relations."""
        asked = (
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c"
            " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ANY (%(oids)s::oid[])"
        )
        return [(row[0], row[1]) for row in self.query(asked, {"oids": list(oids)})]

    def ancestors(self, oid: int) -> list[int]:
        """Return the tables that a relation is a partition of, itself among them; none where it is gone."""
        asked = "SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(%(oid)s::oid::regclass)"
        exists = "SELECT 1 FROM pg_catalog.pg_class WHERE oid = %(oid)s::oid"
        return [row[0] for row in self.query(asked, {"oid": oid})] if self.query(exists, {"oid": oid}) else []

    def readings(self, attributes: Sequence[Attribute]) -> list[Reading]:
        """Return how the columns of a table are read."""
        return self.all_readings([attributes])[0]

    def all_readings(self, tables: Sequence[Sequence[Attribute]]) -> list[list[Reading]]:
        """Return how the columns of each table are read, by one question for all of them."""
        oids = {attribute.type_oid for attributes in tables for attribute in attributes}
        types = {row["oid"]: row for row in self.query(_file("types"), {"oids": [*oids]}, as_dicts=True)}
        return [[_reading(attribute, types) for attribute in attributes] for attributes in tables]

    def render(self, select: str, type_name: str, texts: Sequence[str | None]) -> list[str | None]:
        """Have the server render texts of a type by the expression that a snapshot uses."""
        own_words = type_name.replace("%", "%%")  # format_type's; a percent sign begins a placeholder of the driver
        expression = sql.SQL(select).format(sql.SQL("v::" + own_words))
        query = sql.SQL("SELECT {} FROM pg_catalog.unnest(%(texts)s::text[]) WITH ORDINALITY AS t (v, n) ORDER BY n")
        return [row[0] for row in self.query(query.format(expression), {"texts": list(texts)})]

    def row(self, table: CapturedTable, keys: dict[str, str], columns: Sequence[str]) -> list[bytes | None] | None:
        """Return the texts of some columns of one row as it is now, or None where no row has this key.

        What the table has lost since is NULL.
        """
        try:
            return self._row(table, keys, columns)
        except SettingsError:  # it was altered since
            name = (table.schema, table.name)
            now = self.tables([name]).get(name)
            lost = now is None or not set(keys) <= {attribute.name for attribute in now.columns}
            return None if now is None or lost else self._row(now, keys, columns)

    def _row(self, table: CapturedTable, keys: dict[str, str], columns: Sequence[str]) -> list[bytes | None] | None:
        types = {attribute.name: attribute.type_name for attribute in table.columns}
        conditions = [
            sql.SQL("{} = {}::{}").format(sql.Identifier(name), sql.Literal(value), sql.SQL(types[name]))
            for name, value in keys.items()
        ]
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(sql.Identifier(name) if name in types else sql.NULL for name in columns),
            sql.Identifier(table.schema, table.name),
            sql.SQL(" AND ").join(conditions),
        )
        with self._failing(), self._open().cursor() as cursor:
            result = cursor.execute(query).pgresult
            if result is None or not result.ntuples:
                return None
            return [result.get_value(0, place) for place in range(len(columns))]

    def beat(self) -> None:
        """Write something into the log, so that the slot's position can move where nothing else happens."""
        self.write(self._settings.heartbeat_sql or HEARTBEAT)

    def write(self, statement: str) -> None:
        """Run the one kind of statement that is not read-only: a heartbeat, or what a person asked `cdc setup` for."""
        self.query("SET default_transaction_read_only = off")
        try:
            self.query(statement)
        finally:
            self.query("SET default_transaction_read_only = on")

    def query(self, query: Any, params: dict[str, Any] | None = None, *, as_dicts: bool = False) -> list[Any]:
        """Return the rows of a query."""
        from psycopg.rows import dict_row, tuple_row

        factory: Any = dict_row if as_dicts else tuple_row
        with self._failing(), self._open().cursor(row_factory=factory) as cursor:
            cursor.execute(query, params)
            return cursor.fetchall() if cursor.description else []

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._stack.close()
            self._connection = self._stack.enter_context(catalog_connection(self._settings, self._route))
        return self._connection

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        with translated(parameters(self._settings)):
            yield


def _reading(attribute: Attribute, types: Mapping[int, Any]) -> Reading:
    kind = resolve(attribute.type_oid, attribute.typmod, attribute.ndims, types)
    return Reading(attribute.name, kind, attribute.type_name, rendering(kind))


def _file(name: str) -> bytes:
    return resources.files("tap_postgres").joinpath(f"sql/{name}.sql").read_bytes()
