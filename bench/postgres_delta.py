"""PostgreSQL to Delta: every way through, beside the fastest that the server can be read at all.

Takes a number of rows and of rounds; gives a table of medians with the wall as a ratio to
`psql -c "COPY ... TO STDOUT (FORMAT binary)"` in the same run. Checks that the tables hold what the source holds.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.report import machine, write_section
from bench.rounds import Contestant, Run, rounds, table
from demo.embedded import Server, start
from tools import meltano

BIN = Path(sys.executable).parent
PSQL, PIPE = "psql COPY binary > /dev/null", "tap | target, batches"
MELTANO, IDLE = "meltano run, batches", "meltano run, an empty table"
TABLE_SQL = """
create unlogged table orders as select
    i::bigint as id,
    case when i % 50 = 0 then null else (random() * 1000)::int end as qty,
    (random() * 100000)::numeric(12,2) as price,
    random() * 1000 as score,
    random() < .5 as active,
    'Customer ' || (random() * 1000000)::int as name,
    'lorem ipsum dolor sit amet consectetur adipiscing elit ' || md5(i::text) as description,
    timestamptz '2024-01-01 00:00:00+00' + random() * interval '731 days' as created_at,
    date '2024-01-01' + (random() * 730)::int as day,
    jsonb_build_object('city', 'c' || (i % 1000), 'zip', lpad((i % 99999)::text, 5, '0')) as payload
from generate_series(1, {rows}) i;
alter table orders add primary key (id);
vacuum analyze orders;
"""
SERVER = {"shared_buffers": "1GB", "max_parallel_workers_per_gather": "0"}


def main() -> None:
    """Run the benchmark for each number of rows and print, or write, its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--meltano", action="store_true", help="run Meltano too; `make install` comes first")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/reference/benchmarks.md")
    given = parser.parse_args()
    text = "\n\n".join(
        f"{rows:,} rows\n\n{_benchmark(rows, given.rounds, with_meltano=given.meltano)}" for rows in given.rows
    )
    text += "\n\n" + machine("pyarrow", "deltalake", "adbc-driver-postgresql", "singer-sdk")
    print(text)
    if given.write:
        write_section("postgres-delta", text)


def _benchmark(rows: int, count: int, *, with_meltano: bool) -> str:
    with tempfile.TemporaryDirectory() as name, start(Path(name) / "pg", options=SERVER) as server:
        folder = Path(name)
        server.psql(TABLE_SQL.format(rows=rows))
        contestants = _contestants(server, folder)
        if with_meltano:
            server.psql("create database empty")
            server.psql("create table nothing (id bigint primary key)", "empty")
            contestants += [
                _by_meltano(MELTANO, server, folder, "postgres"),
                _by_meltano(IDLE, server, folder, "empty"),
            ]
        runs = rounds(contestants, count)
        _check(folder, rows)
        return table(runs, rows=rows) + _verdict(runs)


def _contestants(server: Server, folder: Path) -> list[Contestant]:
    tap, target = BIN / "tap-postgres", BIN / "target-delta"
    batch = _config(
        folder / "batch.json", connection_url=server.dsn(), output="batch", batch_dir=str(folder / "batches")
    )
    records = _config(folder / "records.json", connection_url=server.dsn())
    copy = f"{server.bin / 'psql'} -X {server.dsn()} -c 'COPY orders TO STDOUT (FORMAT binary)' > /dev/null"
    return [
        Contestant(PSQL, copy),
        Contestant("tap-postgres, batches", f"{tap} --config {batch} > /dev/null", partial(_empty, folder / "batches")),
        Contestant("tap-postgres, records", f"{tap} --config {records} > /dev/null"),
        _to_delta(PIPE, f"{tap} --config {batch}", target, folder),
        _to_delta("tap | target, records", f"{tap} --config {records}", target, folder),
    ]


def _to_delta(name: str, tap: str, target: Path, folder: Path) -> Contestant:
    warehouse = folder / re.sub(r"\W+", "-", name)
    config = _config(folder / f"{warehouse.name}.json", path=str(warehouse))
    return Contestant(name, f"{tap} | {target} --config {config}", partial(_empty, warehouse, folder / "batches"))


def _by_meltano(name: str, server: Server, folder: Path, dbname: str) -> Contestant:
    """`meltano run` with this project's own meltano.yml, its STATE and tables in the benchmark's folder."""
    warehouse = folder / re.sub(r"\W+", "-", name)
    env = meltano.environment(
        {
            "TAP_POSTGRES_CONNECTION_URL": server.dsn(dbname),
            "TAP_POSTGRES_BATCH_DIR": str(folder / "batches"),
            "TARGET_DELTA_PATH": str(warehouse),
            "MELTANO_DATABASE_URI": f"sqlite:///{folder}/meltano.db",
        }
    )
    command = shlex.join(meltano.command("run", "--full-refresh", "--force", "tap-postgres", "target-delta"))
    return Contestant(name, command, partial(_empty, warehouse), env)


def _config(file: Path, **settings: str) -> Path:
    file.write_text(json.dumps(settings), encoding="utf-8")
    return file


def _empty(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _check(folder: Path, rows: int) -> None:
    """End the benchmark where a table does not hold every row: a fast wrong result is no result."""
    from deltalake import DeltaTable

    for log in folder.glob("*/*orders/_delta_log"):
        held = sum(DeltaTable(log.parent).get_add_actions(flatten=True).column("num_records").to_pylist())
        if held != rows:
            raise SystemExit(f"{log.parent} holds {held} rows, the source {rows}")


def _verdict(runs: dict[str, list[Run]]) -> str:
    """Return the largest process of every way into Delta, and what Meltano adds, as sentences."""
    peak = max(run.largest_mb for name, measured in runs.items() if name != PSQL for run in measured)
    text = f"\n\nThe largest process of any run peaked at {peak:.0f} MB."
    if MELTANO in runs:
        wall = {name: statistics.median(run.wall_s for run in measured) for name, measured in runs.items()}
        text += f" `meltano run` took {wall[MELTANO] - wall[PIPE]:.2f} s more than the pipe; "
        text += f"for a table without a row it took {wall[IDLE]:.2f} s."
    return text


if __name__ == "__main__":
    main()
