"""Other partitions for a table that is there: planned from its log, rebuilt beside it, swapped in one commit."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from singerkit.errors import SafetyStopError
from target_delta.commit import Committer
from target_delta.files import Layout
from target_delta.full_load import Stager
from target_delta.loaders import Appender, Loader, SoFar
from target_delta.partition import Partitioning
from target_delta.staging import Staging
from target_delta.store import Store
from target_delta.table import Table
from target_delta.upkeep import rebuild, repartition, swap
from target_delta.upkeep.sizes import described, proposed

from .conftest import Load, Verb, activate, record, schema, state

MB = 1 << 20
ORDERS = schema("orders", ["id"], id="integer", name="string", at={"type": ["string", "null"], "format": "date-time"})
MD5 = ["--mode", "md5", "--count", "3"]
STEPS = [
    line.strip()
    for room in (rebuild, repartition, swap)
    for line in Path(str(room.__file__)).read_text(encoding="utf-8").splitlines()
    if line.rstrip().endswith(tuple(f"# {number}" for number in range(1, 6))) or "os.link(" in line
]
"""The lines that are a numbered step, and the one that makes the log entry."""


def orders(*ids: int, name: str = "x") -> list[dict[str, Any]]:
    return [record("orders", id=number, name=name, at=f"2026-0{number % 9 + 1}-01T00:00:00Z") for number in ids]


def rows(verb: Verb) -> list[Any]:
    """Return the rows without what says where they lie."""
    found = verb("peek", "orders", "--limit", "1000")
    return sorted((row["id"], row["name"], row["at"]) for row in found)


CHANGES: list[tuple[str, dict[str, Any] | None, list[str], str]] = [
    ("none to md5", None, MD5, "md5 id count=3"),
    ("none to months", None, ["--mode", "datetime", "--key", "at", "--format", "month"], "datetime at format=month"),
    ("md5 to more", {"mode": "md5", "count": 2}, ["--mode", "md5", "--count", "5"], "md5 id count=5"),
    ("md5 to a column", {"mode": "md5", "count": 2}, ["--mode", "column", "--key", "name"], "column name"),
    ("a column to ranges", {"mode": "column", "keys": ["name"]}, ["--mode", "numerical", "--size", "4"],
     "numerical id size=4"),
    ("ranges to none", {"mode": "numerical", "size": 4}, ["--mode", "none"], "none"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("before", "argv", "becomes"), [case[1:] for case in CHANGES], ids=[c[0] for c in CHANGES])
def test_every_kind_of_change(
    before: dict[str, Any] | None, argv: list[str], becomes: str, load: Load, verb: Verb, warehouse: Path
) -> None:
    """The rows stay, the files lie in the new partitions, and the next upsert finds its keys there, each once."""
    load([ORDERS, *orders(*range(12)), state(orders=1)], partitioning=before)
    had = rows(verb)

    [done] = verb("repartition", "orders", *argv)
    after = rows(verb)
    load([ORDERS, *orders(3, 20, name="new"), state(orders=2)])

    assert (done["becomes"], done["repartitioned"], after) == (becomes, True, had)
    assert [row[:2] for row in rows(verb)] == sorted(
        [(number, "new" if number == 3 else "x") for number in range(12)] + [(20, "new")]
    )
    assert all(row["good"] for row in verb("verify"))
    assert not (warehouse / "orders" / "_repartition").exists()
    assert verb("state", "export") == [{"bookmarks": {"orders": 2}}]


def test_plan_changes_nothing(load: Load, verb: Verb, warehouse: Path) -> None:
    """The log says how many partitions there are and how large; what is named, or suggested, is said beside it."""
    load([ORDERS, *orders(*range(12))], partitioning={"mode": "md5", "count": 4})

    [named] = verb("repartition", "orders", "--plan", "--mode", "md5", "--count", "9")
    [suggested] = verb("repartition", "orders", "--plan")

    assert (named["now"], named["becomes"], named["partitions"]) == ("md5 id count=4", "md5 id count=9", 4)
    assert (suggested["becomes"], suggested["repartitioned"]) == ("none", False)
    assert DeltaTable(warehouse / "orders").version() == 1


def test_same_partitions(load: Load, verb: Verb, warehouse: Path) -> None:
    """A table that has them already is left as it is."""
    load([ORDERS, *orders(1, 2)], partitioning={"mode": "md5", "count": 3})

    [done] = verb("repartition", "orders", *MD5)

    assert (done["repartitioned"], DeltaTable(warehouse / "orders").version()) == (False, 1)


REFUSED = [
    (["--mode", "datetime", "--key", "name", "--format", "month", "--key", "at"], 2, "datetime needs one key"),
    (["--mode", "column", "--key", "updated_at"], 2, "the SCHEMA has no column updated_at"),
    (["--count", "3"], 2, "say the mode"),
]


@pytest.mark.parametrize(("argv", "code", "why"), REFUSED, ids=[case[2] for case in REFUSED])
def test_partitions_that_no_table_could_have(
    argv: list[str], code: int, why: str, load: Load, verb: Verb, caplog: pytest.LogCaptureFixture
) -> None:
    """What the loader refuses for a new table is refused here too."""
    load([ORDERS, *orders(1, 2)])

    verb("repartition", "orders", *argv, code=code)

    assert [message for message in caplog.messages if why in message]


def test_append_that_was_cut_short(load: Load, verb: Verb, caplog: pytest.LogCaptureFixture) -> None:
    """The next run looks in the files of such a run: it comes first."""
    log = schema("log", (), line="string", place="string")
    load([log, record("log", line="a"), state(log=1), record("log", line="b")])

    verb("repartition", "log", "--mode", "column", "--key", "line", code=4)

    assert [message for message in caplog.messages if "was cut short" in message]


def test_version_of_before(load: Load, verb: Verb, warehouse: Path) -> None:
    """Older versions can still be read, and the run before is rolled back only with what came later."""
    load([ORDERS, *orders(1, 2)])
    [run] = [row["run"] for row in verb("history")]
    verb("repartition", "orders", *MD5)

    assert DeltaTable(warehouse / "orders", version=1).count() == 2
    assert verb("rollback", "--run", run, code=4) == []
    verb("rollback", "--run", run, "--with-later")

    assert rows(verb) == []
    load([ORDERS, *orders(1, 5)])
    assert [row[0] for row in rows(verb)] == [1, 5]


def test_full_load_after_it(load: Load, verb: Verb) -> None:
    """A full load that follows keeps the partitions of the table."""
    load([ORDERS, *orders(1, 2)])
    verb("repartition", "orders", *MD5)

    load([ORDERS, activate("orders", 3), *orders(*range(9)), activate("orders", 3)])

    [planned] = verb("repartition", "orders", "--plan", *MD5)
    assert (planned["now"], planned["partitions"], len(rows(verb))) == ("md5 id count=3", 3, 9)


@pytest.mark.slow
def test_other_partitions_after_a_kill(load: Load, verb: Verb, warehouse: Path) -> None:
    """What a run left that died behind its commit is no reason to touch files that the table has by now."""
    load([ORDERS, *orders(*range(6)), state(orders=1)])
    had = rows(verb)
    assert run_until("work.forget()", warehouse) == -signal.SIGKILL

    verb("repartition", "orders", "--mode", "md5", "--count", "5")

    assert rows(verb) == had
    assert all(row["good"] for row in verb("verify"))


@pytest.mark.slow
def test_beside_a_writer(load: Load, verb: Verb, warehouse: Path) -> None:
    """What comes while the rows are written again is there in the new partitions too."""
    load([ORDERS, *orders(*range(200)), state(orders=1)], row_group_rows=1024)
    argv = [sys.executable, "-m", "target_delta", "repartition", "orders", *MD5, "--path", str(warehouse)]

    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        count = 0
        while process.poll() is None or not count:
            load([ORDERS, *orders(count, 1000 + count, name="new"), state(orders=count)], compact_files=0)
            count += 1

    assert process.returncode == 0, process.stderr
    assert {row[0] for row in rows(verb) if row[1] == "new"} == {*range(count), *range(1000, 1000 + count)}
    assert len(rows(verb)) == 200 + count
    assert all(row["good"] for row in verb("verify"))


@pytest.mark.parametrize("method", ["append-only", "overwrite"])
def test_load_that_was_planned_for_the_old_partitions(method: str, load: Load, verb: Verb, warehouse: Path) -> None:
    """Files of the old partitions never come into the table: the load stops before its commit (exit 4)."""
    load([ORDERS, *orders(*range(12))], partitioning={"mode": "md5", "count": 2})
    had = rows(verb)
    folder, columns = str(warehouse / "orders"), pa.schema([("id", pa.int64()), ("name", pa.string())])
    committer = Committer(Table(Store(folder, {}), "orders"), "run")
    loader: Loader = Appender(committer, columns, Layout())
    if method == "overwrite":
        loader = Stager(committer, columns, ["id"], Layout(), Staging(Store(folder, {}), 5), whole=True)
    loader.write(pa.table({"id": [20, 21], "name": ["y", "y"]}, columns))

    verb("repartition", "orders", "--mode", "md5", "--count", "5")

    with pytest.raises(SafetyStopError, match="for other partitions than the table has by now"):
        loader.complete(None) if isinstance(loader, Stager) else loader.settle(SoFar())
    assert rows(verb) == had


def run_until(line: str, warehouse: Path, *, times: int = 1) -> int:
    """Run the verb in a process that is killed at a line of its rooms, and return how it ended."""
    argv = ["repartition", "orders", *MD5, "--path", str(warehouse)]
    killed = Path(__file__).with_name("killed.py")
    return subprocess.run(
        [sys.executable, str(killed), line, str(times), *argv], capture_output=True, check=False
    ).returncode


@pytest.mark.slow
@pytest.mark.parametrize("line", STEPS)
def test_killed_at_each_step(line: str, load: Load, verb: Verb, warehouse: Path) -> None:
    """Whatever line it dies at, the table is whole; loads go on; the verb again takes up what was done."""
    load([ORDERS, *orders(*range(6)), state(orders=1)], compact_files=0)
    load([ORDERS, *orders(*range(6, 12)), state(orders=2)], compact_files=0)
    had = rows(verb)

    assert run_until(line, warehouse) == -signal.SIGKILL
    between = rows(verb)
    load([ORDERS, *orders(11, 12, name="new"), state(orders=3)], compact_files=0)
    verb("repartition", "orders", *MD5)

    assert between == had
    assert [row[:2] for row in rows(verb)] == [(n, "new" if n > 10 else "x") for n in range(13)]
    assert all(row["good"] for row in verb("verify"))
    assert not (warehouse / "orders" / "_repartition").exists()


PROPOSALS: list[tuple[str, Partitioning, dict[str | None, int], Partitioning | None]] = [
    ("small", Partitioning(), {"": 10 * MB}, None),
    ("large without", Partitioning(), {"": 1000 * MB}, Partitioning("md5", ("id",), count=10)),
    ("md5 too large", Partitioning("md5", ("id",), count=2), {"0": 150 * MB, "1": 10 * MB},
     Partitioning("md5", ("id",), count=3)),
    ("md5 too many", Partitioning("md5", ("id",), count=64), {str(n): 5 * MB for n in range(64)},
     Partitioning("md5", ("id",), count=4)),
    ("ranges too wide", Partitioning("numerical", ("id",), size=1000), {"0": 400 * MB, "1": MB},
     Partitioning("numerical", ("id",), size=250)),
    ("ranges too narrow", Partitioning("numerical", ("id",), size=10), {str(n): 5 * MB for n in range(9)},
     Partitioning("numerical", ("id",), size=100)),
    ("months too large", Partitioning("datetime", ("at",), format="month"), {"2026-01": 300 * MB},
     Partitioning("datetime", ("at",), format="week")),
    ("hours too large", Partitioning("datetime", ("at",), format="hour"), {"2026-01-01T00": 300 * MB}, None),
    ("days too small", Partitioning("datetime", ("at",), format="day"), {f"2026-01-{d:02}": MB for d in range(1, 29)},
     Partitioning("datetime", ("at",), format="month")),
    ("days well filled", Partitioning("datetime", ("at",), format="day"),
     {f"2026-01-{d:02}": 50 * MB for d in range(1, 29)}, None),
    ("by a column", Partitioning("column", ("name",)), {"a": 900 * MB}, None),
]  # fmt: skip


@pytest.mark.parametrize(("now", "sizes", "better"), [case[1:] for case in PROPOSALS], ids=[c[0] for c in PROPOSALS])
def test_proposals(now: Partitioning, sizes: dict[str | None, int], better: Partitioning | None) -> None:
    """Partitions become about as large as the target; four times too many are needed before they become fewer."""
    found = proposed(now, sizes, 100 * MB, ["id"])

    assert (found and found[0]) == better
    assert described(sizes)["bytes"] == sum(sizes.values())
