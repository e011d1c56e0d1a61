"""Every supported type, through RECORD lines and through batch files, read back from Delta: equal to what psql says."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow

# Column, type, the values of three rows (a fourth is NULL throughout), and how the server is asked for the text of the
# value as Delta holds it: for most types that is the value itself.
COLUMNS: tuple[tuple[str, str, tuple[str, str, str], str], ...] = (
    ("flag", "boolean", ("true", "false", "true"), "lower({}::text)"),
    ("small", "smallint", ("-32768", "0", "32767"), "{}"),
    ("int", "integer", ("-2147483648", "0", "2147483647"), "{}"),
    ("big", "bigint", ("-9223372036854775808", "9007199254740993", "9223372036854775807"), "{}"),
    ("oid", "oid", ("0", "1", "4294967295"), "{}"),
    ("single", "real", ("0.1", "3.4028235e38", "1e-45"), "{}::float8"),
    ("double", "double precision", ("0.1", "1.7976931348623157e308", "5e-324"), "{}"),
    ("odd", "double precision", ("NaN", "Infinity", "-Infinity"), "{}"),
    ("price", "numeric(12,2)", ("-9999999999.99", "0", "0.01"), "{}"),
    ("exact", "numeric(38,10)", ("9" * 28 + ".9999999999", "-" + "9" * 28 + ".9999999999", "0.0000000001"), "{}"),
    ("any_number", "numeric", ("0.1234567890123456789", "1e40", "NaN"), "{}"),
    ("cash", "money", ("-92233720368547758.08", "0", "92233720368547758.07"), "{}::numeric"),
    ("words", "text", ("", "é\U0001f600", 'a"b\\c'), "{}"),
    ("padded", "char(5)", ("abc", "", "x"), "{}"),
    ("id", "uuid", ("0" * 32, "1" * 32, "f" * 32), "{}"),
    ("bytes", "bytea", (r"\x00ff", "", r"\x61"), "encode({}, 'hex')"),
    ("day", "date", ("0001-01-01", "9999-12-31", "2024-02-29"), "{}"),
    ("local", "timestamp", ("0001-01-01", "9999-12-31 23:59:59.999999", "2024-07-01 12:00:00.000001"),
     "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')"),
    ("instant", "timestamptz", ("0001-01-01Z", "9999-12-31 23:59:59.999999Z", "2024-07-01 12:00:00.000001+02"),
     "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')"),
    ("clock", "time", ("00:00:00", "24:00:00", "23:59:59.999999"), "{}"),
    ("span", "interval", ("1 year 2 days 03:04:05.6", "-1 day", "0"), "{}"),
    ("doc", "jsonb", ('{"n": 12345678901234567890.1234567890}', "null", '["é"]'), "{}"),
    ("address", "inet", ("10.0.0.1", "10.0.0.0/8", "::1"), "{}"),
    ("range", "int4range", ("[1,5)", "empty", "(,)"), "{}"),
    ("bits", "bit(3)", ("101", "000", "111"), "{}"),
    ("tags", "text[]", ('{"a,b",NULL,"\\""}', "{}", "{x}"), "to_json({})"),
    ("prices", "numeric(12,2)[]", ("{1.50,NULL}", "{}", "{-0.01}"), "to_json({}::text[])"),
    ("grid", "integer[][]", ("{{1,2},{3,4}}", "{}", "{{5}}"), "to_json({})"),
)  # fmt: skip


PRINTERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda flag: str(flag).lower()),
    (bytes, bytes.hex),
    (Decimal, lambda number: format(number, "f")),
    (dt.datetime, lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")),  # C drops zeros of the year 1
    (list, lambda items: json.dumps([str(i) if isinstance(i, Decimal) else i for i in items], separators=(",", ":"))),
    (object, str),
)


def printed(value: Any) -> str | None:
    """Return a value of Delta as psql prints it."""
    return None if value is None else next(show(value) for kind, show in PRINTERS if isinstance(value, kind))


@pytest.mark.parametrize("output", ["records", "batch"])
def test_every_type_reaches_delta_unchanged(database: Database, tmp_path: Path, output: str) -> None:
    """Both ways give the same table, and its values are those that psql prints."""
    fill(database)
    table = pipe(database, tmp_path, output)

    rows = sorted(table.to_pyarrow_table().to_pylist(), key=lambda row: row["n"])

    assert len(rows) == 4
    for name, _, _, said in COLUMNS:
        spoken = asked(database, said.format(f'"{name}"'))
        if isinstance(rows[0][name], float):
            spoken = [None if text is None else str(float(text)) for text in spoken]
        assert (name, [printed(row[name]) for row in rows]) == (name, spoken)


def asked(database: Database, expression: str) -> list[str | None]:
    """Return what the server prints of an expression, row by row."""
    text = f"CASE WHEN ({expression}) IS NOT NULL THEN format('%s', {expression}) END"  # a cast would trim char(n)
    said = f"SELECT coalesce(to_json({text})::text, 'null') FROM t ORDER BY n"
    lines = database.psql(f"SET IntervalStyle = iso_8601; SET TimeZone = 'UTC'; {said}").splitlines()
    return [json.loads(line) for line in lines]


def fill(database: Database) -> None:
    names = ", ".join(f'"{name}" {kind}' for name, kind, _, _ in COLUMNS)
    rows = [", ".join(f"$v${values[n]}$v$::{kind}" for _, kind, values, _ in COLUMNS) for n in range(3)]
    inserts = " ".join(f"INSERT INTO t VALUES ({n}, {row});" for n, row in enumerate(rows))
    database.psql(f"DROP TABLE IF EXISTS t; CREATE TABLE t (n int PRIMARY KEY, {names})")
    database.psql(f"{inserts} INSERT INTO t VALUES (3)")


def pipe(database: Database, folder: Path, output: str) -> Any:
    """Run tap-postgres | target-delta as a shell would."""
    tap, target = folder / "tap.json", folder / "target.json"
    tap.write_text(json.dumps(database.config | {"output": output, "batch_dir": str(folder / "b")}), encoding="utf-8")
    target.write_text(json.dumps({"path": str(folder / "lake")}), encoding="utf-8")
    reading = subprocess.Popen(
        [sys.executable, "-m", "tap_postgres", "--config", str(tap)], stdout=subprocess.PIPE, env=environment()
    )
    done = subprocess.run(
        [sys.executable, "-m", "target_delta", "--config", str(target)],
        stdin=reading.stdout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert reading.stdout is not None
    reading.stdout.close()
    assert (reading.wait(30), done.returncode) == (0, 0), done.stderr
    return DeltaTable(str(folder / "lake" / "public-t"))
