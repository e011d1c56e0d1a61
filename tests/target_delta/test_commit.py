"""Commits: each once, from its own snapshot, also beside other writers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from target_delta.commit import Committer
from target_delta.files import Layout
from target_delta.full_load import Stager
from target_delta.loaders import Appender, SoFar, Upserter
from target_delta.staging import Staging
from target_delta.store import Store
from target_delta.table import Table

from .conftest import read_table

if TYPE_CHECKING:
    from pathlib import Path

WRITERS = 8


def rows(low: int, high: int, value: int = 0) -> pa.Table:
    return pa.table({"id": pa.array(range(low, high), pa.int64()), "v": pa.array([value] * (high - low), pa.int64())})


def committer(folder: Path, run: str = "run") -> Committer:
    return Committer(Table(Store(str(folder), {}), "stream"), run)


def upsert(folder: Path, table: pa.Table, run: str = "run") -> None:
    loader = Upserter(committer(folder, run), table.schema, ["id"], Layout())
    loader.write(table)
    loader.settle(SoFar())


def test_one_commit_carries_all(tmp_path: Path) -> None:
    """Adds, Removes, the transaction, the run and the bookmark are one entry of the log."""
    upsert(tmp_path, rows(0, 10))
    loader = Upserter(committer(tmp_path), rows(0, 1).schema, ["id"], Layout())
    loader.write(rows(5, 15, 1))

    loader.settle(SoFar({"id": 14}))

    lines = [json.loads(line) for line in (tmp_path / "_delta_log" / f"{2:020}.json").read_text().splitlines()]
    entry = {name: line[name] for line in lines for name in line}
    assert set(entry) == {"commitInfo", "add", "remove", "txn"}
    assert entry["commitInfo"]["target-delta.bookmark"] == {"id": 14}
    assert (entry["commitInfo"]["target-delta.run"], entry["commitInfo"]["target-delta.commit"]) == ("run", 1)
    assert (entry["txn"]["appId"], entry["txn"]["version"]) == ("target-delta", 1)


@pytest.mark.slow
def test_eight_writers_of_the_same_new_keys(tmp_path: Path) -> None:
    """However many upsert the same keys at once, every key is there once, and every writer's own rows are all there."""

    def write(number: int) -> None:
        for batch in range(3):
            own = rows(1000 * (number + 1) + batch * 10, 1000 * (number + 1) + batch * 10 + 10, number)
            upsert(tmp_path, pa.concat_tables([rows(0, 20, number), own]), f"run {number}")

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, range(WRITERS)))

    found = read_table(tmp_path)["id"].to_pylist()
    assert len(found) == len(set(found)) == 20 + WRITERS * 30


@pytest.mark.slow
def test_eight_appenders(tmp_path: Path) -> None:
    """However many append at once, every row is there as often as it was sent, and nothing is lost to a conflict."""

    def write(number: int) -> None:
        for batch in range(3):
            loader = Appender(committer(tmp_path, f"run {number}"), rows(0, 1).schema, Layout())
            loader.write(rows(batch, batch + 1, number))
            loader.settle(SoFar())

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, range(WRITERS)))

    assert sorted(read_table(tmp_path)["id"].to_pylist()) == sorted([0, 1, 2] * WRITERS)


def test_swap_beside_a_foreign_append(tmp_path: Path) -> None:
    """A full load replaces what is in the table when it lands, a row that came meanwhile included."""
    upsert(tmp_path, rows(0, 3))
    stager = Stager(
        committer(tmp_path), rows(0, 1).schema, ["id"], Layout(), Staging(Store(str(tmp_path), {}), 7), True
    )
    stager.write(rows(5, 6))
    stager.settle(SoFar())
    write_deltalake(tmp_path, rows(8, 9), mode="append")

    stager.complete(None)

    assert read_table(tmp_path)["id"].to_pylist() == [5]


def test_upsert_after_a_foreign_compaction(tmp_path: Path) -> None:
    """A table whose files another program has rewritten meanwhile is seen anew."""
    loader = Upserter(committer(tmp_path), rows(0, 1).schema, ["id"], Layout())
    for low in (0, 3):
        loader.write(rows(low, low + 3))
        loader.settle(SoFar())
    DeltaTable(tmp_path).optimize.compact()

    loader.write(rows(1, 2, 9))
    loader.settle(SoFar())

    assert sorted(read_table(tmp_path)["v"].to_pylist()) == [0, 0, 0, 0, 0, 9]


def test_table_with_a_checkpoint(tmp_path: Path) -> None:
    """Files are found and replaced when the log begins with a checkpoint."""
    upsert(tmp_path, rows(0, 3))
    DeltaTable(tmp_path).create_checkpoint()

    upsert(tmp_path, rows(2, 5, 1))

    assert sorted(read_table(tmp_path)["id"].to_pylist()) == [0, 1, 2, 3, 4]
