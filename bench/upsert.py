"""Upserts of 100,000 rows from Arrow: our own rewriting of files beside delta-rs MERGE, in interleaved rounds.

Takes numbers of rows and of rounds; gives tables of medians. Three tables of ten columns, with updates in two
partitions of 208,000 rows each, or in all: `month` (ids rise with the partitions, so that bounds tell the files),
`scattered` (each file has ids of the whole range: only the partition can tell), `bucket` (32 partitions, all hit).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from bench.report import machine, write_section
from bench.rounds import Contestant, rounds, table
from target_delta.commit import Committer
from target_delta.files import Layout
from target_delta.loaders import SoFar, Upserter
from target_delta.partition import Partitioning
from target_delta.partitioning import Wanted
from target_delta.store import Store
from target_delta.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BATCH_ROWS = 100_000
UPDATES = 80_000
STEP = 500_000
PART_ROWS, BUCKETS, LAST = 5_000_000 // 24, 32, 2
BY_P = Partitioning("column", ("p",))
LAYOUTS = ("month", "scattered", "bucket")
YEAR_2024_US = 1_704_067_200_000_000


def main() -> None:
    """Run the benchmark for each number of rows and print, or write, its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000])
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write the tables to docs/reference/benchmarks.md")
    parser.add_argument("--once", nargs=2, metavar=("WAY", "FOLDER"), help="one upsert, as the rounds call it")
    given = parser.parse_args()
    if given.once:
        _once(given.once[0], Path(given.once[1]))
        return
    text = "\n\n".join(_benchmark(rows, layout, given.rounds) for rows in given.rows for layout in given.layouts)
    text += "\n\n" + machine("pyarrow", "deltalake")
    print(text)
    if given.write:
        write_section("upsert", text)


def _benchmark(size: int, layout: str, count: int) -> str:
    """Make a table and the rows that come, and return what each way costs, process start included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, size, layout)
        command = f"{sys.executable} -m bench.upsert --once"
        runs = [Contestant(way, f"{command} '{way}' {folder}", partial(fresh, folder)) for way in WAYS]
        return f"`{layout}`, {size:,} rows\n\n{table(rounds(runs, count), rows=BATCH_ROWS)}"


def _once(way: str, folder: Path) -> None:
    WAYS[way](folder, pa.ipc.open_file(pa.memory_map(str(folder / "in.arrow"))).read_all())


def make(folder: Path, size: int, layout: str) -> None:
    """Write the table, and the rows that come: 80,000 updates and 20,000 new keys."""
    dice = np.random.default_rng(3)
    for low in range(0, size, STEP):
        ids = np.arange(low, min(low + STEP, size))
        write_deltalake(folder / "table", rows(ids, size, layout, 0), partition_by="p", mode="append")
    DeltaTable(folder / "table").optimize.compact()
    old, new = np.arange(size), np.arange(size, size * 2)
    if layout != "bucket":
        last = partitions(size, layout) - LAST
        old, new = (ids[partition(ids, size, layout) >= last] for ids in (old, new))
    ids = np.concatenate([dice.choice(old, UPDATES, replace=False), new[: BATCH_ROWS - UPDATES]])
    ids = dice.permutation(ids)
    incoming = rows(ids, size, layout, 1)
    with pa.OSFile(str(folder / "in.arrow"), "wb") as file, pa.ipc.new_file(file, incoming.schema) as writer:
        writer.write_table(incoming)


def rows(ids: np.ndarray, size: int, layout: str, version: int) -> pa.Table:
    """Return ten columns and the partition, the same for the same ids."""
    text = pa.array(ids).cast(pa.string())
    return pa.table({
        "id": ids,
        "qty": ids % 1000,
        "price": (ids % 99_991) / 7,
        "active": ids % 2 == 0,
        "code": pa.array([f"C{number % 5000}" for number in ids.tolist()]),
        "name": pc.binary_join_element_wise("Customer", text, " "),
        "description": pc.binary_join_element_wise("lorem ipsum dolor sit amet", text, "elit sed", " "),
        "created_at": pa.array(YEAR_2024_US + ids * 1000, pa.timestamp("us", "UTC")),
        "day": pa.array((19_700 + ids % 700).astype("int32"), pa.date32()),
        "version": np.full(len(ids), version),
        "p": partition(ids, size, layout),
    })  # fmt: skip


def partitions(size: int, layout: str) -> int:
    """Return how many partitions a table has: of the same size, however large it is, or 32."""
    return BUCKETS if layout == "bucket" else size // PART_ROWS


def partition(ids: np.ndarray, size: int, layout: str) -> np.ndarray:
    """Return the partition of each id."""
    count = partitions(size, layout)
    if layout == "month":
        return np.asarray(np.minimum(ids * count // size, count - 1))
    spread: np.ndarray = (ids * 2_654_435_761 % 2**32) % count
    return spread


def fresh(folder: Path) -> None:
    """Give the next run its own copy: links to the data files, a log of its own."""
    shutil.rmtree(folder / "work", ignore_errors=True)
    subprocess.run(["cp", "-al", folder / "table", folder / "work"], check=True)
    shutil.rmtree(folder / "work" / "_delta_log")
    shutil.copytree(folder / "table" / "_delta_log", folder / "work" / "_delta_log")


def ours(folder: Path, incoming: pa.Table, *, immutable: bool = False) -> None:
    """Upsert by the loader, with or without the promise that no key changes its partition."""
    committer = Committer(Table(Store(str(folder / "work"), {}), "bench", Wanted(BY_P, immutable=immutable)), "bench")
    upserter = Upserter(committer, incoming.schema, ["id"], Layout())
    upserter.write(incoming)
    upserter.settle(SoFar())


def merge(folder: Path, incoming: pa.Table) -> None:
    """Upsert by delta-rs, with the partitions as literals, which prunes best."""
    values = ", ".join(str(value) for value in pc.unique(incoming["p"]).to_pylist())
    how = DeltaTable(folder / "work").merge(
        incoming, f"t.id = s.id and t.p in ({values})", source_alias="s", target_alias="t"
    )
    how.when_matched_update_all().when_not_matched_insert_all().execute()


def append(folder: Path, incoming: pa.Table) -> None:
    """Add the rows and nothing else: what any upsert is measured against."""
    write_deltalake(folder / "work", incoming, mode="append", partition_by="p")


WAYS: Mapping[str, Callable[[Path, pa.Table], None]] = {
    "append only, by delta-rs": append,
    "target-delta": ours,
    "target-delta, partition immutable": partial(ours, immutable=True),
    "delta-rs MERGE": merge,
}

if __name__ == "__main__":
    main()
