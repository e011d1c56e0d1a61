"""What a database holds, by a handful of queries of pg_catalog, however many tables there are.

Takes a psycopg connection and the globs of the settings; gives `Table` values. Refuses a glob that matches nothing.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections import defaultdict
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from tap_postgres.types import PgType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from tap_postgres.settings import Settings

Row = dict[str, Any]
INTEGERS = frozenset({"int2", "int4", "int8"})
MAX_TYPE_DEPTH = 16  # domains over domains; PostgreSQL itself has no limit


@dataclass(frozen=True)
class TableColumn:
    """A column as the catalog tells it; `indexed` says that an index begins with it."""

    name: str
    type: PgType
    nullable: bool
    comment: str | None = None
    indexed: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that refer to columns of another."""

    columns: tuple[str, ...]
    stream: str
    referred: tuple[str, ...]

    def as_hint(self) -> dict[str, Any]:
        """Return the entry of `x-foreign-keys`."""
        return {"columns": list(self.columns), "stream": self.stream, "referred": list(self.referred)}


@dataclass(frozen=True)
class Table:
    """A table, view, materialized view, foreign table or partitioned table (its partitions are not streams).

    `rows` is the server's estimate, None where it has none; `size_bytes` goes with it, and so does `span`, the lowest
    and the highest value of a single integer key.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[TableColumn, ...]
    keys: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    rows: int | None = None
    size_bytes: int = 0
    span: tuple[int, int] | None = None
    readable: bool = True

    @property
    def stream(self) -> str:
        """The name of its stream: `public-orders`."""
        return f"{self.schema}-{self.name}"

    def grants(self, role: str) -> str:
        """Return the SQL that lets a role read it."""
        schema, name, to = (_quoted(word) for word in (self.schema, self.name, role))
        return f"GRANT USAGE ON SCHEMA {schema} TO {to}; GRANT SELECT ON {schema}.{name} TO {to}"

    @property
    def has_integer_key(self) -> bool:
        """Whether one integer column is the whole key."""
        kind = column.type if len(self.keys) == 1 and (column := self.column(self.keys[0])) else None
        return kind is not None and kind.name in INTEGERS and kind.depth == 0

    def column(self, name: str) -> TableColumn | None:
        """Return a column by name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def discover(connection: psycopg.Connection[Any], settings: Settings) -> list[Table]:
    """Return every table that the globs of the settings let through, by schema and name."""
    relations = choose(_rows(connection, "relations"), settings.schemas, settings.tables)
    _require_one_table_a_stream(relations)
    oids = [row["oid"] for row in relations]
    columns = _rows(connection, "columns", oids=oids)
    types = {row["oid"]: row for row in _rows(connection, "types", oids=[row["type_oid"] for row in columns])}
    keys = _grouped(_rows(connection, "keys", oids=oids))
    foreign = _grouped(_rows(connection, "foreign_keys", oids=oids))
    by_table = _grouped(columns)
    tables = {
        row["oid"]: _table(row, by_table[row["oid"]], types, keys[row["oid"]], foreign[row["oid"]]) for row in relations
    }
    return _with_spans(connection, tables)


def _require_one_table_a_stream(relations: Sequence[Row]) -> None:
    """Refuse two tables of one stream name, as `a-b`.`c` and `a`.`b-c` are: one of them would never be read."""
    streams: dict[str, Row] = {}
    for row in relations:
        other = streams.setdefault(f"{row['schema']}-{row['name']}", row)
        if other is not row:
            raise SettingsError(
                f"two tables have one stream name: {_full(other)} and {_full(row)}",
                stream=f"{row['schema']}-{row['name']}",
                remedy="leave one of them out by the settings schemas and tables, or rename it",
            )


def _full(row: Row) -> str:
    return f"{_quoted(row['schema'])}.{_quoted(row['name'])}"


def _with_spans(connection: psycopg.Connection[Any], tables: Mapping[int, Table]) -> list[Table]:
    """Look up the span of single integer keys, which the server's statistics may know."""
    single = {oid: table.keys[0] for oid, table in tables.items() if table.has_integer_key}
    rows = _rows(connection, "spans", oids=[*single], keys=[*single.values()]) if single else []
    spans = {row["table_oid"]: (int(row["lowest"]), int(row["highest"])) for row in rows if row["lowest"] is not None}
    return [replace(table, span=spans.get(oid)) for oid, table in tables.items()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def choose(relations: Sequence[Row], schemas: Sequence[str], tables: Sequence[str]) -> list[Row]:
    """Return the relations that match; a glob that matches none is an error that names what is near."""
    names = sorted({row["schema"] for row in relations})
    for glob in schemas:
        _require_match(glob, names, "schema")
    chosen = [row for row in relations if not schemas or _matches(row["schema"], schemas)]
    full_names = [f"{row['schema']}.{row['name']}" for row in chosen]
    for glob in tables:
        _require_match(glob, full_names if "." in glob else [row["name"] for row in chosen], "table")
    return [
        row
        for row, full in zip(chosen, full_names, strict=True)
        if not tables or _matches_table(row["name"], full, tables)
    ]


def _require_match(glob: str, names: Iterable[str], what: str) -> None:
    names = list(names)
    if not any(fnmatch.fnmatchcase(name, glob) for name in names):
        near = difflib.get_close_matches(glob, names, n=3, cutoff=0.4) or sorted(set(names))[:3]
        hint = f"near it: {', '.join(near)}" if near else f"the role sees no {what} here: check database and grants"
        raise SettingsError(f"no {what} matches {glob}", remedy=hint, setting=f"{what}s")


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _matches_table(name: str, full_name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(full_name if "." in glob else name, glob) for glob in globs)


def _table(
    row: Row, columns: Sequence[Row], types: Mapping[int, Row], keys: Sequence[Row], foreign: Sequence[Row]
) -> Table:
    return Table(
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        comment=row["comment"],
        rows=row["rows"],
        size_bytes=row["size_bytes"] or 0,
        readable=row["readable"],
        columns=tuple(_column(column, types) for column in columns),
        keys=tuple(keys[0]["columns"]) if keys else (),  # the primary key sorts first, then the shortest unique one
        foreign_keys=tuple(
            ForeignKey(tuple(r["columns"]), f"{r['ref_schema']}-{r['ref_name']}", tuple(r["referred"])) for r in foreign
        ),
    )


def _column(row: Row, types: Mapping[int, Row]) -> TableColumn:
    return TableColumn(
        name=row["name"],
        type=resolve(row["type_oid"], row["typmod"], row["ndims"], types),
        nullable=not row["not_null"],
        comment=row["comment"],
        indexed=row["indexed"],
    )


def resolve(oid: int, typmod: int, ndims: int, types: Mapping[int, Row]) -> PgType:
    """Return a type with its domains resolved and its array taken apart."""
    depth = 0
    for _ in range(MAX_TYPE_DEPTH):
        row = types[oid]
        if row["kind"] == "d":  # a domain carries the modifier of what it rests on
            oid, typmod, ndims = row["base_oid"], row["base_typmod"], max(ndims, row["ndims"])
        elif row["element_oid"]:
            oid, depth = row["element_oid"], min(2, depth + max(1, ndims))
        else:
            break
    precision, scale = _numeric_modifier(typmod) if row["name"] == "numeric" and typmod >= 0 else (None, None)
    shallow = depth if depth in {0, 1} else 2
    return PgType(row["name"], row["kind"], precision, scale, shallow, row["builtin"])  # type: ignore[arg-type]


def _numeric_modifier(typmod: int) -> tuple[int, int]:
    """Return precision and scale; the scale is signed in 11 bits since PostgreSQL 15."""
    packed = typmod - 4
    return packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def _grouped(rows: Iterable[Row]) -> Mapping[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["table_oid"]].append(row)
    return groups


def _rows(connection: psycopg.Connection[Any], query: str, **params: object) -> list[Row]:
    from psycopg.rows import dict_row

    sql = resources.files("tap_postgres").joinpath(f"sql/{query}.sql").read_bytes()
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, params or None).fetchall()
