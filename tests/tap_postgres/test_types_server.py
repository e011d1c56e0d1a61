"""Every supported type with its extremes, read from a real server: equal to what psql says."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from singerkit.arrow.lines import record_lines
from singerkit.settings.read import checked
from tap_postgres.connect import BulkReader, catalog_connection
from tap_postgres.discover import discover
from tap_postgres.failures import DataError
from tap_postgres.query import select
from tap_postgres.settings import Settings
from tap_postgres.types import rendering
from tap_postgres.values import Column, conform
from tests.postgres_server import Database, database, server

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow  # needs a server

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Case:
    """A type, values as psql takes them, and what they must be as JSON; None expects psql's own text."""

    type: str
    values: tuple[str, ...]
    expected: tuple[Any, ...] | None = None
    arrow: pa.DataType | None = None


def case(type_: str, *values: str, expected: tuple[Any, ...] | None = None, arrow: Any = None) -> Any:
    return pytest.param(Case(type_, values, expected, arrow), id=type_)


BIG = "9" * 28 + "." + "9" * 10
CASES = [
    case("boolean", "true", "false", expected=(True, False)),
    case("smallint", "-32768", "32767", expected=(-32768, 32767), arrow=pa.int16()),
    case("integer", "-2147483648", "2147483647", expected=(-(2**31), 2**31 - 1), arrow=pa.int32()),
    case("bigint", str(-(2**63)), str(2**63 - 1), expected=(-(2**63), 2**63 - 1), arrow=pa.int64()),
    case("oid", "0", "4294967295", expected=(0, 2**32 - 1)),
    case("xid", "0", "4294967295", expected=(0, 2**32 - 1)),
    case("xid8", "0", "18446744073709551615"),
    case("real", "0.1", "3.4028235e38", "1e-45", "NaN", "-Infinity", expected=(
        0.10000000149011612, 3.4028234663852886e38, 1.401298464324817e-45, "NaN", "-Infinity")),
    case("double precision", "0.1", "1.7976931348623157e308", "5e-324", "-0", "NaN", "Infinity", expected=(
        0.1, 1.7976931348623157e308, 5e-324, -0.0, "NaN", "Infinity")),
    case("numeric(12,2)", "0", "-9999999999.99", "0.01", expected=(
        Decimal("0.00"), Decimal("-9999999999.99"), Decimal("0.01")), arrow=pa.decimal128(12, 2)),
    case("numeric(38,10)", BIG, "-" + BIG, "0.0000000001", expected=(
        Decimal(BIG), Decimal("-" + BIG), Decimal("0.0000000001"))),
    case("numeric(3,5)", "0.00999", "-0.00001", expected=(Decimal("0.00999"), Decimal("-0.00001"))),
    case("numeric(2,-3)", "99000", "-1000", expected=(99000, -1000), arrow=pa.decimal128(5, 0)),
    case("numeric(50,2)", "9" * 48 + ".99", "NaN"),
    case("numeric", "0.1234567890123456789", "1e100", "NaN", "Infinity", "-0.000"),
    case("money", "-92233720368547758.08", "92233720368547758.07", expected=(
        Decimal("-92233720368547758.08"), Decimal("92233720368547758.07"))),
    case("text", "", "é\U0001f600", 'a"b\\c\n\t\x01', "x" * 100_000),
    case("varchar(5)", "abc", "  ", ""),
    case("char(5)", "abc", "", expected=("abc  ", "     ")),
    case("name", "a_name"),
    case('"char"', "x", ""),
    case("citext", "MiXed"),
    case("uuid", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    case("bytea", r"\x00ff", "", expected=("AP8=", ""), arrow=pa.binary()),
    case("date", "0001-01-01", "9999-12-31", "2024-02-29", arrow=pa.date32()),
    case("timestamp", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", expected=(
        "0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999"), arrow=pa.timestamp("us")),
    case("timestamptz", "0001-01-01 00:00:00Z", "9999-12-31 23:59:59.999999Z", "2024-07-01 12:00:00.123456+02",
        expected=(
        "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "2024-07-01T10:00:00.123456Z"),
        arrow=pa.timestamp("us", "UTC")),
    case("time", "00:00:00", "23:59:59.999999", "24:00:00"),
    case("timetz", "00:00:00+15:59", "24:00:00-15:59"),
    case("interval", "1 year 2 months 3 days 04:05:06.7", "-178000000 years", "0", expected=(
        "P1Y2M3DT4H5M6.7S", "P-178000000Y", "PT0S")),
    case("json", '{"b": 1, "a": 1.10, "a": null}'),
    case("jsonb", '{"n": 12345678901234567890.12345678901234567890, "t": "\\u00e9"}', "null", '"x"', "[]"),
    case("hstore", "a=>1, b=>NULL", expected=('{"a": "1", "b": null}',)),
    case("inet", "10.0.0.1", "10.0.0.0/8", "::1"),
    case("cidr", "10.0.0.0/8", "::/0"),
    case("macaddr", "08:00:2b:01:02:03"),
    case("macaddr8", "08:00:2b:01:02:03:04:05"),
    case("bit(3)", "101"),
    case("varbit", "", "10101"),
    case("int4range", "[1,5)", "empty", "(,)"),
    case("tstzrange", "[2024-01-01 00:00:00Z,infinity)"),
    case("int4multirange", "{[1,3),[5,7)}"),
    case("tsvector", "'a':1 'b':2A"),
    case("tsquery", "'a' & 'b'"),
    case("point", "(1,-0.5)"),
    case("box", "(1,1),(0,0)"),
    case("path", "((0,0),(1,1))"),
    case("polygon", "((0,0),(1,1),(1,0))"),
    case("circle", "<(0,0),1>"),
    case("pg_lsn", "0/0", "FFFFFFFF/FFFFFFFF"),
    case("regclass", "pg_class"),
    case("int2vector", "1 2"),
    case("mood", "sad", "it's"),
    case("amount", "12.50", expected=(Decimal("12.50"),), arrow=pa.decimal128(10, 2)),
    case("amounts", "{1.50,NULL}", expected=([Decimal("1.50"), None],)),
    case("pair", '(1,"a ""b")', "(,)", expected=('{"x":1,"y":"a \\"b"}', '{"x":null,"y":null}')),
    case("integer[]", "{1,NULL,3}", "{}", "[0:1]={7,8}", expected=([1, None, 3], [], [7, 8])),
    case("text[]", '{"a,b",NULL,"\\"",""}', expected=(["a,b", None, '"', ""],)),
    case("boolean[]", "{t,f,NULL}", expected=([True, False, None],)),
    case("numeric(12,2)[]", "{1.50,NULL,-0.01}", expected=([Decimal("1.50"), None, Decimal("-0.01")],)),
    case("numeric[]", "{1.5,NaN}", expected=(["1.5", "NaN"],)),
    case("real[]", "{1.5,NaN}", expected=([1.5, "NaN"],)),
    case("timestamptz[]", '{"2024-01-01 00:00:00Z",NULL}', expected=(["2024-01-01T00:00:00.000000Z", None],)),
    case("date[]", "{0001-01-01,9999-12-31}", expected=(["0001-01-01", "9999-12-31"],)),
    case("uuid[]", "{00000000-0000-0000-0000-000000000000}", expected=(["00000000-0000-0000-0000-000000000000"],)),
    case("bytea[]", r'{"\\x00ff",NULL}', expected=(["AP8=", None],)),
    case("time[]", "{24:00:00}", expected=(["24:00:00"],)),
    case("interval[]", "{1 day}", expected=(["P1D"],)),
    case("mood[]", "{sad,NULL}", expected=(["sad", None],)),
    case("char(3)[]", "{a}", expected=(["a  "],)),
    case("jsonb[]", '{"{\\"a\\": 1}"}', expected=('[{"a": 1}]',)),
    case("inet[]", "{10.0.0.1}", expected=('["10.0.0.1"]',)),
    case("pair[]", '{"(1,a)"}', expected=('[{"x":1,"y":"a"}]',)),
    case("integer[][]", "{{1,2},{3,4}}", expected=("[[1,2],[3,4]]",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def types(database: Database) -> Database:
    """A database with types of its own; hstore and citext live in a schema that is in nobody's search path."""
    database.psql(
        """
        CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;
        CREATE TYPE mood AS ENUM ('sad', 'it''s'); CREATE TYPE pair AS (x int, y text);
        CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN amount AS price; CREATE DOMAIN amounts AS price[];
        """
    )
    return database


def make(database: Database, kind: str, values: tuple[str, ...]) -> None:
    """Make a table of one column that holds the values in order, and then NULL."""
    rows = ", ".join(f"({number}, $v${value}$v$)" for number, value in enumerate(values))
    database.psql(
        f"SET search_path = public, ext; DROP TABLE IF EXISTS t; CREATE TABLE t (n int, v {kind});"
        f"INSERT INTO t SELECT n, v::{kind} FROM (VALUES {rows}) AS given (n, v); INSERT INTO t VALUES ({len(values)})"
    )


def read(database: Database, policy: Any = "fail") -> tuple[pa.DataType, list[Any]]:
    """Return the Arrow type of the column, and its values as a RECORD line holds them."""
    settings = checked(Settings, database.config | {"tables": ["t"], "schemas": ["public"]})
    with catalog_connection(settings) as catalog:
        (table,) = discover(catalog, settings)
    columns = [Column(column.name, rendering(column.type)) for column in table.columns]
    with contextlib.closing(BulkReader(settings)) as bulk:
        raws = bulk.batches(select(table, columns, order_by="n"), "public-t")
        batches = [conform(raw, columns, policy, "public-t") for raw in raws]
    lines = b"".join(bytes(block) for batch in batches for block in record_lines("s", batch, NOW))
    records = [json.loads(line, parse_float=Decimal)["record"]["v"] for line in lines.splitlines()]
    return columns[1].rendering.arrow, records


def exact(value: Any) -> Any:
    """Doubles were written as the shortest text, and are read here as decimals: compare as doubles."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


@pytest.mark.parametrize("given", CASES)
def test_a_type_is_read_without_loss(types: Database, given: Case) -> None:
    """Every value arrives as psql says it, NULL as NULL, and as the documented Arrow type."""
    make(types, given.type, given.values)

    arrow, values = read(types)

    expected = given.expected or tuple(
        types.psql(f"SET IntervalStyle = iso_8601; SET search_path = public, ext; SELECT v FROM t WHERE n = {n}")
        if "\n" not in value
        else value
        for n, value in enumerate(given.values)
    )
    assert values == [*map(exact, expected), None]
    assert given.arrow is None or arrow == given.arrow


FAR = [
    pytest.param("timestamptz", "infinity", "9999-12-31T23:59:59.999999Z", id="infinite timestamptz"),
    pytest.param("timestamptz", "-infinity", "0001-01-01T00:00:00.000000Z", id="minus infinite timestamptz"),
    pytest.param("timestamptz", "294276-12-31 23:59:59Z", "9999-12-31T23:59:59.999999Z", id="the last timestamptz"),
    pytest.param("timestamptz", "4713-01-01 00:00:00Z BC", "0001-01-01T00:00:00.000000Z", id="the first timestamptz"),
    pytest.param("timestamptz", "10000-01-01 00:00:00Z", "9999-12-31T23:59:59.999999Z", id="one past the end"),
    pytest.param("timestamptz", "0001-12-31 23:59:59Z BC", "0001-01-01T00:00:00.000000Z", id="one before the start"),
    pytest.param("timestamp", "infinity", "9999-12-31T23:59:59.999999", id="infinite timestamp"),
    pytest.param("timestamp", "-infinity", "0001-01-01T00:00:00.000000", id="minus infinite timestamp"),
    pytest.param("timestamp", "294276-12-31 23:59:59", "9999-12-31T23:59:59.999999", id="the last timestamp"),
    pytest.param("timestamp", "4713-01-01 00:00:00 BC", "0001-01-01T00:00:00.000000", id="the first timestamp"),
    pytest.param("date", "infinity", "9999-12-31", id="infinite date"),
    pytest.param("date", "-infinity", "0001-01-01", id="minus infinite date"),
    pytest.param("date", "5874897-12-31", "9999-12-31", id="the last date"),
    pytest.param("date", "4713-01-01 BC", "0001-01-01", id="the first date"),
    pytest.param("numeric(12,2)", "NaN", None, id="NaN has no neighbour"),
    pytest.param("date[]", "{infinity,2024-01-01}", ["9999-12-31", "2024-01-01"], id="inside a list"),
    pytest.param("numeric(12,2)[]", "{NaN,1.00}", [None, Decimal("1.00")], id="NaN inside a list"),
]


@pytest.mark.parametrize(("kind", "value", "clamped"), FAR)
def test_out_of_range_has_three_answers(types: Database, kind: str, value: str, clamped: Any) -> None:
    """What Arrow's readers cannot name fails the stream, or becomes NULL or the nearest value, as the setting says."""
    make(types, kind, (value,))
    nothing = [None, *clamped[1:]] if isinstance(clamped, list) else None

    with pytest.raises(DataError, match=r"column v holds 1 values that are .*stream=public-t.*set out_of_range"):
        read(types)

    assert read(types, "null")[1] == [nothing, None]
    assert read(types, "clamp")[1] == [clamped, None]


@pytest.mark.parametrize("kind", ["integer[]", "text[]", "numeric(12,2)[]", "timestamptz[]"])
def test_a_list_of_lists_in_a_plain_array_is_refused(types: Database, kind: str) -> None:
    """PostgreSQL does not hold `x[]` to one dimension; a value of two is an error, never a flattened list."""
    make(types, kind, ("{{NULL,NULL},{NULL,NULL}}",))

    with pytest.raises(DataError, match="dimensions: 2"):
        read(types)


def test_numeric_text_is_what_the_server_says(types: Database) -> None:
    """Thousands of numbers of every size and scale keep each digit."""
    make(types, "numeric(38,12)", ("0",))
    types.psql(
        "SELECT setseed(0.5); INSERT INTO t SELECT i, ((random() - 0.5) * power(10::numeric, i % 26))::numeric(38,12)"
        " FROM generate_series(2, 5000) i"
    )

    _, values = read(types)

    said = types.psql("SELECT v FROM t ORDER BY n").splitlines()
    assert [format(value, "f") for value in values if value is not None] == [text for text in said if text]
