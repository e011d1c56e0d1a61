"""RECORD lines to Delta: the loader beside a raw write of the same rows, a plain singer-sdk sink, and dlt.

Takes numbers of rows and of rounds; gives tables of medians and what the loader costs as a multiple of the raw write.
Checks that the loader's table holds exactly the rows of the raw one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from bench.orders import STREAM, messages
from bench.report import machine, write_section
from bench.rounds import Contestant, Run, rounds, table

if TYPE_CHECKING:
    from collections.abc import Mapping

BIN = Path(sys.executable).parent
RAW, OURS = "write_deltalake, rows in memory as Arrow", "target-delta, append-only"
PLAIN, MONTHS = {"mode": "none"}, {"mode": "auto"}  # what the columns suggest is the month of `created_at`, of 24
SLOW_SHARE = 10  # those who read a row at a time get a tenth of the rows


def main() -> None:
    """Run the benchmark and print, or write, its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dlt", type=Path, metavar="PYTHON", help="a Python with dlt[filesystem,deltalake]")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/reference/benchmarks.md")
    parser.add_argument(
        "--raw", nargs=2, type=Path, metavar=("FILE", "FOLDER"), help="a raw write, as the rounds call it"
    )
    given = parser.parse_args()
    if given.raw:
        write_deltalake(given.raw[1], pa.ipc.open_file(pa.memory_map(str(given.raw[0]))).read_all())
        return
    with tempfile.TemporaryDirectory() as name:
        text = _benchmark(Path(name), given.rows, given.rounds, given.dlt)
    print(text)
    if given.write:
        write_section("records", text)


def _benchmark(folder: Path, rows: int, count: int, dlt: Path | None) -> str:
    _make(folder, rows)
    fast = rounds(_fast(folder), count)
    _check(folder)
    slow = rounds(_slow(folder, dlt), count)
    megabytes = (folder / "all.singer").stat().st_size / 1e6
    return "\n\n".join(
        [
            f"{rows:,} rows of ten columns, {megabytes:.0f} MB of RECORD lines",
            table(fast, rows=rows),
            _verdict(fast),
            f"{rows // SLOW_SHARE:,} rows",
            table(slow, rows=rows // SLOW_SHARE),
            machine("pyarrow", "deltalake", "msgspec", "singer-sdk"),
        ]
    )


def _make(folder: Path, rows: int) -> None:
    """Write the input, its first tenth, and the same rows as Arrow, which the loader itself reads once."""
    whole, part, arrow = folder / "all.singer", folder / "part.singer", folder / "all.arrow"
    with whole.open("wb", buffering=1 << 20) as file:
        file.writelines(messages(rows))
    with part.open("wb") as file:
        file.writelines(messages(rows // SLOW_SHARE))
    subprocess.run(["bash", "-c", _fast(folder)[1].command], check=True, capture_output=True)
    loaded = DeltaTable(folder / "append-only-none" / STREAM).to_pyarrow_table().combine_chunks()
    with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_file(sink, loaded.schema) as writer:
        writer.write_table(loaded)


def _fast(folder: Path) -> list[Contestant]:
    raw = folder / "raw" / STREAM
    command = f"{sys.executable} -m bench.records --raw {folder / 'all.arrow'} {raw}"
    upsert = "target-delta, upsert into a new table"
    return [
        Contestant(RAW, command, partial(shutil.rmtree, raw, ignore_errors=True)),
        _ours(OURS, folder, "append-only", PLAIN),
        _ours(f"{OURS}, 24 partitions", folder, "append-only", MONTHS),
        _ours(upsert, folder, "upsert", PLAIN),
        _ours(f"{upsert}, 24 partitions", folder, "upsert", MONTHS),
    ]


def _slow(folder: Path, dlt: Path | None) -> list[Contestant]:
    contestants = [
        _ours(OURS, folder, "append-only", PLAIN, rows="part"),
        _into("singer-sdk batch sink, 10,000 rows an append", folder, "sink", f"{sys.executable} -m bench.plain_sink"),
    ]
    if dlt is not None:
        work = folder / "dlt"
        script = Path(__file__).with_name("dlt_load.py")
        command = f"{dlt} {script} {folder / 'part.singer'} {work}"
        contestants.append(
            Contestant("dlt, rows as dictionaries", command, partial(shutil.rmtree, work, ignore_errors=True))
        )
    return contestants


def _ours(name: str, folder: Path, method: str, partitions: Mapping[str, str], rows: str = "all") -> Contestant:
    place, program = f"{method}-{partitions['mode']}", str(BIN / "target-delta")
    return _into(name, folder, place, program, rows=rows, load_method={"*": method}, partitioning=dict(partitions))


def _into(name: str, folder: Path, place: str, program: str, *, rows: str = "part", **settings: object) -> Contestant:
    """Return a Singer loader that reads the file of rows into a folder of its own, empty before each run."""
    warehouse, config = folder / place, folder / f"{place}.json"
    config.write_text(json.dumps({"path": str(warehouse), **settings}), encoding="utf-8")
    command = f"{program} --config {config} < {folder / f'{rows}.singer'}"
    return Contestant(name, command, partial(shutil.rmtree, warehouse, ignore_errors=True))


def _check(folder: Path) -> None:
    """End the benchmark where the loader's rows are not the raw ones: a fast wrong result is no result."""
    expected = DeltaTable(folder / "raw" / STREAM).to_pyarrow_table().sort_by("id")
    for place in (f"{method}-{how['mode']}" for method in ("append-only", "upsert") for how in (PLAIN, MONTHS)):
        loaded = DeltaTable(folder / place / STREAM).to_pyarrow_table(columns=expected.column_names)
        if loaded.sort_by("id") != expected:
            raise SystemExit(f"target-delta, {place}: the table does not hold the rows that were read")


def _verdict(runs: dict[str, list[Run]]) -> str:
    """Return what the loader costs as a multiple of the raw write: the median of the ratios of each round."""
    pairs = list(zip(runs[OURS], runs[RAW], strict=True))
    wall = statistics.median(ours.wall_s / raw.wall_s for ours, raw in pairs)
    cpu = statistics.median(ours.cpu_s / raw.cpu_s for ours, raw in pairs)
    return f"Reading and writing costs {wall:.1f} times the wall and {cpu:.1f} times the CPU of the raw write alone."


if __name__ == "__main__":
    main()
