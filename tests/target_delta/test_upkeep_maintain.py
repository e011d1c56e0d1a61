"""Keeping tables fast: small files, the log, and files that nobody reads any more."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from target_delta.files import Layout
from target_delta.snapshot import LiveFile
from target_delta.upkeep.compaction import groups, small_files
from target_delta.upkeep.maintain import Upkeep, maintain
from target_delta.upkeep.tables import tables

from .conftest import Load, Rows, Verb, activate, record, schema, state
from .test_commit import rows as numbered
from .test_commit import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY_S = 86_400
PEOPLE = schema("people", ["id"], id="integer", name="string")
PARTED = {"mode": "column", "keys": ["name"]}
MANUAL = {"compact_files": 0}
PARTS, SMALL_ROWS = 4, 100


def one_by_one(load: Load, count: int, **config: Any) -> None:
    """Load rows in runs of their own, so that each leaves a file."""
    for number in range(count):
        load([PEOPLE, record("people", id=number, name="ab"[number % 2]), state(people=number)], **MANUAL, **config)


def files(warehouse: Path) -> int:
    return len(DeltaTable(warehouse / "people").file_uris())


def age(folder: Path, *, days: float) -> None:
    """Make everything below a folder as old as this."""
    then = time.time() - days * DAY_S
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def test_small_files_become_one(load: Load, rows: Rows, verb: Verb, warehouse: Path) -> None:
    """The rows stay as they are, in one file; a second call finds nothing to do."""
    one_by_one(load, 4)
    before = rows("people")

    [done] = verb("maintain")
    [again] = verb("maintain")

    assert (done["files"], done["compacted"], done["into"]) == (4, 4, 1)
    assert (again["files"], again["compacted"], again["into"]) == (1, 0, 0)
    assert (rows("people"), files(warehouse)) == (before, 1)


def test_dry_run_changes_nothing(load: Load, verb: Verb, warehouse: Path) -> None:
    """It says what would be done, and the table stays at its version with its files."""
    one_by_one(load, 3)
    (warehouse / "people" / "orphan.parquet").write_bytes(b"x" * 100)
    age(warehouse, days=8)
    version = DeltaTable(warehouse / "people").version()

    [done] = verb("maintain", "--dry-run")

    assert (done["compacted"], done["into"], done["vacuumed"], done["vacuumed_bytes"]) == (3, 1, 1, 100)
    assert DeltaTable(warehouse / "people").version() == version
    assert (warehouse / "people" / "orphan.parquet").exists()


def test_partitions_stay_apart(load: Load, verb: Verb) -> None:
    """Files of one partition become one; the next upsert finds its keys there."""
    one_by_one(load, 6, partitioning=PARTED)

    [done] = verb("maintain")
    load([PEOPLE, record("people", id=0, name="b"), state(people=9)], **MANUAL)

    assert (done["compacted"], done["into"]) == (6, 2)
    found = verb("peek", "people")
    assert [row["name"] for row in sorted(found, key=lambda row: row["id"])] == list("bbabab")


def test_files_that_left_long_ago(load: Load, rows: Rows, verb: Verb, warehouse: Path) -> None:
    """Files of older versions and of runs that died go after the hours, and not before; what is staged stays."""
    one_by_one(load, 3, partitioning={"mode": "md5", "count": 2})
    verb("maintain")
    parts = [path for path in (warehouse / "people").rglob("*.parquet") if "_delta_log" not in path.parts]
    orphan = parts[0].with_name("orphan.parquet")
    orphan.write_bytes(b"x")
    [young] = verb("maintain")
    os.utime(orphan, (1, 1))

    [old] = verb("maintain")

    assert (young["vacuumed"], old["vacuumed"]) == (0, 1)
    assert not orphan.exists()
    assert len(rows("people")) == 3


def test_staged_rows_stay(load: Load, rows: Rows, verb: Verb, warehouse: Path) -> None:
    """A full load that is not complete keeps its files, however old they are."""
    one_by_one(load, 1)
    progress = {"people": {"full_load": {"version": 5, "at": 1}}}
    half = [PEOPLE, activate("people", 5), record("people", id=7, name="x"), state(**progress)]
    with pytest.raises(Exception, match="before the second ACTIVATE_VERSION"):
        load([*half])
    age(warehouse, days=30)

    assert verb("maintain")[0]["vacuumed"] == 0
    load([state(**progress), PEOPLE, activate("people", 5), record("people", id=8, name="y"), activate("people", 5)])

    assert [row["id"] for row in rows("people")] == [7, 8]


def test_checkpoint_and_old_log_entries(load: Load, verb: Verb, warehouse: Path) -> None:
    """After ten commits a checkpoint; entries before it go once they are older than the log is kept."""
    one_by_one(load, 11)
    DeltaTable(warehouse / "people").alter.set_table_properties({"delta.logRetentionDuration": "interval 1 days"})
    age(warehouse / "people" / "_delta_log", days=2)

    [done] = verb("maintain")

    assert (done["checkpoint"], done["log_entries"] > 5) == (True, True)
    assert DeltaTable(warehouse / "people").count() == 11


def test_rows_that_come_again_after_upkeep(load: Load, rows: Rows, verb: Verb) -> None:
    """The files of an append that was cut short are let be: the next run leaves out what it sends again."""
    log = schema("log", (), line="string")
    load([log, record("log", line="a"), state(log=1)], **MANUAL)
    load([state(log=1), log, record("log", line="b"), state(log=2)], **MANUAL)
    load([state(log=2), log, record("log", line="c"), state(log=3), record("log", line="d")], **MANUAL)

    [done] = verb("maintain")
    load([state(log=3), log, record("log", line="d"), state(log=4)], **MANUAL)

    assert done["compacted"] == 2
    assert [row["line"] for row in rows("log")] == ["a", "b", "c", "d"]


def test_after_a_run_by_the_number_of_files(load: Load, rows: Rows, verb: Verb, warehouse: Path) -> None:
    """A run that leaves more small files in a partition than the setting allows has them compacted."""
    for number in range(4):
        load([PEOPLE, record("people", id=number, name="a"), state(people=number)], compact_files=3)

    assert (files(warehouse), len(rows("people"))) == (1, 4)
    assert [row["what"] for row in verb("history")][:2] == ["compact", "load"]


def test_upkeep_that_fails(load: Load, rows: Rows, warehouse: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The run is complete, its STATE has left, and the log says that upkeep failed."""
    one_by_one(load, 2)
    oldest = min((warehouse / "people").glob("*.parquet"), key=os.path.getmtime)
    oldest.write_bytes(b"not Parquet")

    left = load([PEOPLE, record("people", id=9, name="a"), state(people=9)], compact_files=1)

    assert left == [{"bookmarks": {"people": 9}}]
    assert [message for message in caplog.messages if "the run is complete, and upkeep failed" in message]


def test_table_that_delta_rs_writes(load: Load, verb: Verb, warehouse: Path) -> None:
    """Tables with features that delta-rs alone respects are left as they are, and the answer says so."""
    one_by_one(load, 2)
    DeltaTable(warehouse / "people").alter.add_constraint({"positive": "id >= 0"})

    [done] = verb("maintain")

    assert done["left"] == "features that delta-rs alone respects: checkConstraints"


@pytest.mark.slow
def test_beside_writers(warehouse: Path, rows: Rows) -> None:
    """Upserts and upkeep at the same time: no row is lost, none is there twice, and both end well."""

    def look_after() -> None:
        for _ in range(5):
            for table in tables(str(warehouse), {}):
                maintain(table, table.committer(), Upkeep(Layout()))

    def write(number: int) -> None:
        for _ in range(6):
            upsert(warehouse / "numbers", numbered(number * 10, number * 10 + 15, number), f"run {number}")

    upsert(warehouse / "numbers", numbered(0, 5), "first")
    with ThreadPoolExecutor(4) as threads:
        for job in [threads.submit(look_after), *(threads.submit(write, number) for number in range(3))]:
            job.result()

    assert sorted(row["id"] for row in rows("numbers")) == list(range(35))


@pytest.mark.slow
def test_many_small_runs(load: Load, verb: Verb, warehouse: Path) -> None:
    """However many small runs there were: a run costs no more than twice the tenth, and the files are few.

    Costs differ from run to run by how many files wait for the next compaction, so a cycle of them is compared. STRESS
    sets how many runs; a thousand take some minutes.
    """
    runs = int(os.environ.get("STRESS", "60"))

    costs = [small_run(load, number) for number in range(runs)]

    assert median(costs[-20:]) <= 2 * median(costs[:20])
    assert files(warehouse) <= PARTS * 21
    assert sum(row["inserted"] for row in verb("history", "--limit", "9999")) == runs * SMALL_ROWS


def small_run(load: Load, number: int) -> float:
    """Load a few new rows into every partition, and return the CPU seconds of it."""
    start = time.process_time()
    new = [record("people", id=number * SMALL_ROWS + row, name=f"p{row % PARTS}") for row in range(SMALL_ROWS)]
    load([PEOPLE, *new, state(people=number)], partitioning=PARTED)
    return time.process_time() - start


FILES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 120)), max_size=40)


@given(FILES, st.integers(1, 10))
def test_groups(sizes: Sequence[tuple[str, int]], more_than: int) -> None:
    """A file is in one group at most, of its partition, is small, and is not alone; no group is larger than a file."""
    found = [LiveFile(str(place), size, 1, {"p": part}) for place, (part, size) in enumerate(sizes)]

    made = [*groups(found, 100, lambda file: file.size, more_than=more_than)]

    chosen = [file.path for group in made for file in group]
    assert len(chosen) == len(set(chosen))
    for group in made:
        assert len({file.partition["p"] for file in group}) == 1
        assert len(group) > 1
        assert sum(file.size for file in group) <= 100
        assert all(file.size < 50 for file in group)


def test_rewriting_is_rare() -> None:
    """A thousand files of one size, one by one: few are ever there, and each byte is written again a few times."""
    live: list[LiveFile] = []
    rewritten = most = 0
    for number in range(1000):
        live.append(LiveFile(f"f{number}", 1, 1))
        for group in [*groups(live, 1 << 30, lambda file: file.path, more_than=20)]:
            size = sum(file.size for file in group)
            rewritten += size
            live = [*(file for file in live if file not in group), LiveFile(f"c{number}", size, size)]
        most = max(most, len(small_files(live, 1 << 30).get((), [])))

    assert most <= 21
    assert rewritten < 6_000
