"""Change data capture: changes decoded, changes into an upserted Delta table, log of others passed over, first records.

Takes numbers of rows; gives a table of CPU seconds and rates, each from one run. A shared machine moves the seconds:
take the best of several runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import machine, write_section
from demo.embedded import Server, start
from tap_postgres.cdc.changes import Changes, RowChange
from tap_postgres.cdc.pgoutput import decode
from tap_postgres.cdc.rows import Layout, Rows
from tap_postgres.cdc.spool import Spool
from tap_postgres.cdc.values import Reader, Reading
from tap_postgres.types import PgType, rendering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPTIONS = {"wal_level": "logical", "synchronous_commit": "on", "max_wal_size": "8GB"}
TABLE = """
CREATE TABLE orders (id bigint PRIMARY KEY, qty int, price numeric(12,2), score float8, active bool, name text,
  note text, created_at timestamptz, day date, code text);
CREATE TABLE foreign_rows (id bigint, filler text);
CREATE PUBLICATION tap_postgres FOR TABLE orders;
"""
TYPES = {
    "id": PgType("int8"), "qty": PgType("int4"), "price": PgType("numeric", precision=12, scale=2),
    "score": PgType("float8"), "active": PgType("bool"), "name": PgType("text"), "note": PgType("text"),
    "created_at": PgType("timestamptz"), "day": PgType("date"), "code": PgType("text"),
}  # fmt: skip
BATCH = 20_000
CHANGES = """
INSERT INTO orders SELECT i, i % 100, i % 1000, i / 7.0, i % 2 = 0, 'Customer ' || i, 'lorem ipsum dolor ' || i,
  timestamptz '2024-01-01Z' + i * interval '1 minute', date '2024-01-01' + (i % 700), CASE WHEN i % 3 = 0 THEN 'c' END
FROM generate_series(1, {rows}) i;
UPDATE orders SET qty = qty + 1 WHERE id % 2 = 0;
"""


def main() -> None:
    """Measure, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--foreign-mb", type=int, default=1024)
    parser.add_argument("--write", action="store_true", help="write the table to docs/reference/benchmarks.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, start(folder, options=OPTIONS) as server:
        piped = _end_to_end(server, Path(folder), given.rows, given.foreign_mb)
        piped += _first_records(server, Path(folder))
        lines = [*_decoding(server, given.rows), *piped]  # at last: the peak of a process counts that of its maker
    text = "\n".join(["| change data capture | figure |", "|---|---:|", *lines])
    text += "\n\n" + machine("pyarrow", "deltalake", "psycopg", "singer-sdk")
    print(text)
    if given.write:
        write_section("cdc", text)


def _decoding(server: Server, rows: int) -> list[str]:
    """Decode what the server itself says of the changes, from memory."""
    import psycopg

    server.psql("CREATE DATABASE decoding")
    server.psql(TABLE, "decoding")
    server.psql("SELECT pg_create_logical_replication_slot('peeked', 'pgoutput')", "decoding")
    server.psql(CHANGES.format(rows=min(rows, 200_000)), "decoding")
    with psycopg.connect(server.dsn("decoding"), autocommit=True) as connection:
        query = (
            "SELECT data FROM pg_logical_slot_get_binary_changes('peeked', NULL, NULL,"
            " 'proto_version', '1', 'publication_names', 'tap_postgres')"
        )
        messages = [bytes(row[0]) for row in connection.execute(query, binary=True)]
    server.psql("SELECT pg_drop_replication_slot('peeked')", "decoding")
    lines = []
    for name, work in (("one message after the other", _messages), ("all to batches of typed columns", _batches)):
        best = min(_cpu(work, messages) for _ in range(5))
        lines.append(f"| changes of 10 columns, {name} | {len(messages) / best:,.0f} a CPU second |")
    return lines


def _messages(data: list[bytes]) -> None:
    for message in data:
        decode(message)


def _batches(data: list[bytes]) -> None:
    readings = [Reading(name, kind, kind.name, rendering(kind)) for name, kind in TYPES.items()]
    layout = Layout(readings, range(len(TYPES)), list(TYPES), [0], frozenset({0}))
    changes, rows, reader = Changes(Spool), Rows(layout, _nowhere), Reader(_nothing)
    for message in data:
        for event in changes.feed(message):
            if isinstance(event, RowChange):
                rows.add(event)
        if rows.count >= BATCH:
            rows.take(reader, "fail", "orders")
    if rows.count:
        rows.take(reader, "fail", "orders")


def _nowhere(_: Mapping[str, str], __: Sequence[str]) -> None:
    """Nothing here changes its key."""


def _nothing(_: str, __: str, texts: Sequence[str | None]) -> list[str | None]:
    return list(texts)


def _cpu(work: Any, messages: list[bytes]) -> float:
    began = time.process_time()
    work(messages)
    return time.process_time() - began


def _end_to_end(server: Server, folder: Path, rows: int, foreign_mb: int) -> list[str]:
    """Run the pipe: a snapshot of nothing, then all changes; then the log of a table that nobody captures."""
    lines, changes, state = [], rows + rows // 2, None
    for output in ("records", "batch"):
        server.psql("DROP DATABASE IF EXISTS shop")
        server.psql("CREATE DATABASE shop")
        server.psql(TABLE, "shop")
        state = _pipe(server, folder, None, output)[0]
        server.psql(CHANGES.format(rows=rows), "shop")
        state, wall, cpu, peak = _pipe(server, folder, state, output)
        what = f"tap and target-delta, {changes:,} changes into an upserted table, `output: {output}`"
        rates = f"{changes / wall:,.0f} a second, {changes / cpu:,.0f} a CPU second"
        lines.append(f"| {what} | {rates}, the tap's peak {peak:,.0f} MB |")
        if output == "records":
            server.psql("SELECT pg_drop_replication_slot('tap_postgres')", "shop")
    server.psql(
        f"INSERT INTO foreign_rows SELECT i, repeat('x', 1000) FROM generate_series(1, {foreign_mb * 900}) i", "shop"
    )
    held = _held(server)
    state, passing_wall, _, peak = _pipe(server, folder, state)
    _pipe(server, folder, state)
    return [
        *lines,
        f"| {held:,.0f} MB of log of other tables passed over | {passing_wall:.1f} s, peak {peak:,.0f} MB |",
        f"| log kept for the slot after the next run | {_held(server):,.1f} MB |",
    ]


def _held(server: Server) -> float:
    server.psql("CHECKPOINT", "shop")
    asked = "SELECT (pg_current_wal_lsn() - confirmed_flush_lsn) / 1048576 FROM pg_replication_slots"
    return float(server.psql(asked, "shop"))


def _first_records(server: Server, folder: Path) -> list[str]:
    """Wait for the first rows of a hundred tables, from the start of the process on."""
    server.psql("CREATE DATABASE hundred")
    made = (
        f"CREATE TABLE t{number} (id int PRIMARY KEY, v text); INSERT INTO t{number} VALUES (1, 'a');"
        for number in range(100)
    )
    server.psql("".join(made) + "CREATE PUBLICATION tap_postgres FOR ALL TABLES", "hundred")
    server.psql("SELECT pg_drop_replication_slot('tap_postgres')", "hundred")
    lines = []
    for method in ("FULL_TABLE", "LOG_BASED"):
        config = {"connection_url": server.dsn("hundred"), "default_replication_method": method}
        command = [sys.executable, "-m", "tap_postgres", "--config", _file(folder, "hundred.json", config)]
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap:
            assert tap.stdout is not None
            next(line for line in tap.stdout if line.startswith(b'{"type":"RECORD"'))
            seconds = time.monotonic() - began
            for _ in tap.stdout:
                pass
        lines.append(f"| first record of 100 tables, `{method}` | {seconds:.2f} s |")
    return lines


def _pipe(server: Server, folder: Path, state: Any, output: str = "batch") -> tuple[Any, float, float, float]:
    """Return the STATE that the loader printed, wall and CPU seconds, and the peak of the tap's memory in MB."""
    config = {"connection_url": server.dsn("shop"), "default_replication_method": "LOG_BASED", "tables": ["orders"]}
    config |= {"output": output, "batch_dir": str(folder / "batches")}
    words = ["--config", _file(folder, "tap.json", config)]
    words += ["--state", _file(folder, "state.json", state)] if state else []
    target = {"path": str(folder / "warehouse")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    tap = subprocess.Popen([sys.executable, "-m", "tap_postgres", *words], stdout=subprocess.PIPE)
    loader = subprocess.Popen(
        [sys.executable, "-m", "target_delta", "--config", _file(folder, "target.json", target)],
        stdin=tap.stdout, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert tap.stdout is not None
    tap.stdout.close()
    out, _ = loader.communicate()
    peak = _peak_mb(tap)
    if tap.returncode or loader.returncode:
        raise SystemExit("a run failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(out.splitlines()[-1]) if out else state, time.monotonic() - began, cpu, peak


def _peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the peak of a process that is about to end."""
    import os

    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


def _file(folder: Path, name: str, content: Any) -> str:
    (folder / name).write_text(json.dumps(content))
    return str(folder / name)


if __name__ == "__main__":
    main()
