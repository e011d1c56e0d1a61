"""The history of a table beside it, in real tables: what came late, again, as a full load, or after a run that died."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from singerkit.errors import SettingsError
from target_delta.commit import Committer
from target_delta.contract import Contract
from target_delta.files import Layout
from target_delta.past import Past
from target_delta.remembering import time_column
from target_delta.schema import stream_schema
from target_delta.store import Store
from target_delta.table import Table
from target_delta.validity import CURRENT, FROM, TO

from .conftest import Load, Rows, Verb, activate, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = {"type": ["string", "null"], "format": "date-time"}
PEOPLE = {**schema("people", ["id"], id="integer", name="string", at=AT), "bookmark_properties": ["at"]}
PLAIN = schema("people", ["id"], id="integer", name="string", _sdc_deleted_at=AT)
HISTORY = {"history": True}


def moment(day: int, year: int = 2026) -> str:
    return f"{year}-01-{day:02}T00:00:00Z"


def person(id: int, name: str | None, day: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: A002  # the column
    return record("people", id=id, name=name, **({} if day is None else {"at": moment(day)}), **more)


def versions(rows: Rows, key: int = 1) -> list[tuple[int, int | None, str | None, bool]]:
    """Return the versions of a key: the days from and until which each is valid, its name, whether it is current."""
    found = sorted((row for row in rows("people__history") if row["id"] == key), key=lambda row: row["_sdc_valid_from"])
    days = [(row["_sdc_valid_from"].day, row["_sdc_valid_to"] and row["_sdc_valid_to"].day) for row in found]
    return [(*ends, row["name"], row["_sdc_is_current"]) for ends, row in zip(days, found, strict=True)]


def names(rows: Rows, key: int = 1) -> list[tuple[str | None, bool]]:
    return [(name, current) for _, _, name, current in versions(rows, key)]


def test_each_change_is_a_version(load: Load, rows: Rows, verb: Verb) -> None:
    """Every change of a batch stays, also those that the table never held; late ones take their place."""
    load([PEOPLE, person(1, "a", 1), person(1, "b", 5), person(2, "x", 1), state(people=1)], **HISTORY)
    load([PEOPLE, person(1, "late", 3), person(1, "c", 7), person(2, "x", 1), state(people=2)], **HISTORY)

    assert versions(rows) == [(1, 3, "a", False), (3, 5, "late", False), (5, 7, "b", False), (7, None, "c", True)]
    assert versions(rows, 2) == [(1, None, "x", True)]
    assert [row["name"] for row in rows("people")] == ["c", "x"]
    assert all(row["good"] for row in verb("verify"))


def test_late_change_alone(load: Load, rows: Rows) -> None:
    """The table keeps the newest row of a key by the same column: a late change is in the history alone."""
    load([PEOPLE, person(1, "b", 5)], **HISTORY)
    load([PEOPLE, person(1, "a", 1)], **HISTORY)

    assert versions(rows) == [(1, 5, "a", False), (5, None, "b", True)]
    assert rows("people")[0]["name"] == "b"


@pytest.mark.slow
def test_rows_that_do_not_say_when(load: Load, rows: Rows) -> None:
    """A row without a time is older than one that has it, in the table as in its history; alone it is of its run."""
    load([PEOPLE, person(1, "a"), person(2, "x", 3)], **HISTORY)
    load([PEOPLE, person(1, "a"), person(2, "y")], **HISTORY)
    load([PEOPLE, record("people", id=1, name="b", at="2100-01-01T00:00:00Z"), person(1, "c")], **HISTORY)

    assert (names(rows), names(rows, 2)) == ([("a", False), ("c", False), ("b", True)], [("x", True)])
    assert [row["name"] for row in rows("people")] == ["b", "x"]


@pytest.mark.slow
@pytest.mark.parametrize("hard", [True, False])
def test_deleted_rows(hard: bool, load: Load, rows: Rows) -> None:
    """A deletion ends a version at its own time, whether the row stays in the table or not; a key may come back."""
    with_deleted = {**schema("people", ["id"], id="integer", name="string", at=AT, _sdc_deleted_at=AT),
                    "bookmark_properties": ["at"]}  # fmt: skip
    config = {**HISTORY, "hard_delete": hard}
    load([with_deleted, person(1, "a", 1)], **config)
    load([with_deleted, person(1, "a", 4, _sdc_deleted_at=moment(4))], **config)
    load([with_deleted, person(1, "late", 2)], **config)
    load([with_deleted, person(1, "b", 9)], **config)

    assert versions(rows) == [(1, 2, "a", False), (2, 4, "late", False), (4, 4, "a", False), (9, None, "b", True)]


@pytest.mark.slow
@pytest.mark.parametrize("hard", [True, False])
def test_deleted_rows_without_a_time_of_change(hard: bool, load: Load, rows: Rows) -> None:
    """Where no column says when a row changed, the table's own commits do."""
    config = {**HISTORY, "hard_delete": hard}
    load([PLAIN, person(1, "a"), person(2, "x")], **config)
    load([PLAIN, person(1, "a")], **config)
    load([PLAIN, person(1, "b")], **config)
    load([PLAIN, person(1, "b", _sdc_deleted_at="2100-01-01T00:00:00Z")], **config)

    assert [name for name, _ in names(rows)] == ["a", "b", None if hard else "b"]
    assert not any(current for _, current in names(rows))
    assert names(rows, 2) == [("x", True)]


def test_full_loads(load: Load, rows: Rows) -> None:
    """A full load is compared with what was there: what changed is a version, what is missing has ended."""
    first = [person(1, "a"), person(2, "x"), person(3, "same")]
    load([PLAIN, activate("people", 1), *first, activate("people", 1)], **HISTORY)

    load(
        [PLAIN, activate("people", 2), person(1, "b"), person(3, "same"), person(4, "new"), activate("people", 2)],
        **HISTORY,
    )

    assert [names(rows, key) for key in (1, 2, 3, 4)] == [
        [("a", False), ("b", True)], [("x", False), (None, False)], [("same", True)], [("new", True)],
    ]  # fmt: skip


@pytest.mark.slow
def test_change_during_a_full_load(load: Load, rows: Rows, verb: Verb) -> None:
    """What a full load misses was gone when its run began: a change that came meanwhile, and is read later, counts."""
    load([PEOPLE, person(1, "a", 1)], **HISTORY)
    load([PEOPLE, activate("people", 2), person(2, "x", 1), activate("people", 2)], **HISTORY)
    began = datetime.fromisoformat(verb("history", "people")[0]["began"])

    load([PEOPLE, record("people", id=1, name="b", at=(began + timedelta(milliseconds=1)).isoformat())], **HISTORY)

    assert names(rows) == [("a", False), (None, False), ("b", True)]


@pytest.mark.slow
def test_history_of_a_table_that_was_there(load: Load, rows: Rows) -> None:
    """What the table has when its history begins are the first versions; rows that others wrote since are found."""
    load([PLAIN, person(1, "a"), person(2, "x")])
    load([PLAIN, person(3, "new")], **HISTORY)
    load([PLAIN, person(1, "b")])

    load([PLAIN, person(4, "y")], **HISTORY)

    assert [names(rows, key) for key in (1, 2, 3, 4)] == [
        [("a", False), ("b", True)], [("x", True)], [("new", True)], [("y", True)],
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("message", [PEOPLE, PLAIN], ids=["by time", "by arrival"])
@pytest.mark.parametrize("full", [False, True])
def test_run_that_dies_between_the_two_tables(message: dict[str, Any], full: bool, load: Load, rows: Rows) -> None:
    """No STATE leaves before the history has the rows; the next run mends it before anything else, and once."""
    timed = message is PEOPLE
    load(
        [message, person(1, "a", 1 if timed else None), person(2, "x", 1 if timed else None), state(people=1)],
        **HISTORY,
    )
    changes = [person(1, "b", 5 if timed else None)]
    then = [message, activate("people", 7), *changes, activate("people", 7)] if full else [message, *changes]

    load(then)  # the table has the commit, and its history has not: what a run leaves that dies between the two
    assert names(rows) == [("a", True)]
    load([message], **HISTORY)
    mended = rows("people__history")
    load([*then, state(people=2)], **HISTORY)

    assert names(rows) == [("a", False), ("b", True)]
    assert names(rows, 2) == ([("x", False), (None, False)] if full else [("x", True)])
    assert rows("people__history") == mended


@pytest.mark.slow
def test_columns_that_change(load: Load, rows: Rows) -> None:
    """The history has the columns of its table, in types that hold what both had."""
    load([PEOPLE, person(1, "a", 1)], **HISTORY)
    wider = {**schema("people", ["id"], id="integer", name="string", at=AT, n="integer"), "bookmark_properties": ["at"]}

    load([wider, person(1, "b", 2, n=7)], **HISTORY)

    assert [(row["name"], row["n"]) for row in rows("people__history")] == [("a", None), ("b", 7)]


def test_omitted_values(load: Load, rows: Rows) -> None:
    """A change that omits a column has the value of the version before it."""
    load([PEOPLE, person(1, "a", 1), record("people", id=1, at=moment(2), _sdc_omitted=["name"])], **HISTORY)

    assert versions(rows) == [(1, 2, "a", False), (2, None, "a", True)]


@pytest.mark.slow
def test_upkeep_knows_histories(load: Load, rows: Rows, verb: Verb) -> None:
    """A rollback takes the versions of the run back too, and the run again leaves what a clean one leaves."""
    first = [PEOPLE, person(1, "a", 1), person(2, "x", 1), state(people=1)]
    then = [PEOPLE, person(1, "b", 5), person(3, "new", 5), state(people=5)]
    load(first, **HISTORY)
    load(then, **HISTORY)
    clean = rows("people__history")
    run = next(row["run"] for row in verb("history") if row["bookmark"] == 5)

    done = verb("rollback", "--run", run)
    after = rows("people__history")
    load([PEOPLE], **HISTORY)
    unchanged = rows("people__history")
    load(then, **HISTORY)
    verb("maintain")

    assert [row["stream"] for row in done] == ["people", "people__history"]
    assert [row["name"] for row in after] == ["a", "x"]
    assert unchanged == after
    assert rows("people__history") == clean
    assert all(row["good"] for row in verb("verify"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change"),
    [
        (FROM, lambda at: at - timedelta(days=9)),
        (TO, lambda at: at and at + timedelta(seconds=1)),
        (TO, lambda at: at and at - timedelta(seconds=1)),
        (TO, lambda _: None),
        (CURRENT, lambda current: not current),
    ],
)
def test_verify_finds_versions_that_do_not_follow_one_another(
    name: str, change: Callable[[Any], Any], load: Load, verb: Verb, warehouse: Path
) -> None:
    """Versions that overlap, leave a time out, or are wrong about which is current are found, and the key is named."""
    load([PEOPLE, person(1, "a", 1), person(2, "x", 1), state(people=1)], **HISTORY)
    load([PEOPLE, person(1, "b", 5), state(people=5)], **HISTORY)
    assert next(row["looked_at"] for row in verb("verify") if row["check"] == "validity") == 3

    folder = warehouse / "people__history"
    table = DeltaTable(folder).to_pyarrow_table()
    values = [change(value) if row == ("b" if name == FROM else "a") else value
              for row, value in zip(table["name"].to_pylist(), table[name].to_pylist(), strict=True)]  # fmt: skip
    wrong = table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))
    write_deltalake(folder, wrong, mode="overwrite")

    found = [row for row in verb("verify", "people__history", code=4) if not row["good"]]
    assert [(row["stream"], row["check"]) for row in found] == [("people__history", "validity")]
    assert "the versions of id=1 " in found[0]["example"]


@pytest.mark.slow
def test_upkeep_of_the_table_is_no_change(load: Load, rows: Rows, verb: Verb) -> None:
    """Rows that are written again, elsewhere or together, make no versions."""
    for number in range(3):
        load([PLAIN, person(number, "a")], **HISTORY)
    before = rows("people__history")
    verb("maintain")
    verb("repartition", "people", "--mode", "md5", "--count", "2")

    load([PLAIN, person(9, "z")], **HISTORY)

    assert [row for row in rows("people__history") if row["id"] != 9] == before
    assert len(rows("people__history")) == 4


def test_partitions_that_follow_from_the_key(load: Load, warehouse: Path) -> None:
    """They are those of the history as well; others it has not, since a version may have been elsewhere."""
    load([PLAIN, person(1, "a")], **HISTORY, partitioning={"mode": "md5", "count": 2})

    assert DeltaTable(warehouse / "people__history").metadata().partition_columns == ["_sdc_partition"]


CHOICES: list[tuple[dict[str, Any], Any, str | None]] = [
    (PEOPLE, True, "at"), (PLAIN, True, None), (PLAIN, {"p*": True}, None),
    ({**PEOPLE, "bookmark_properties": []}, "at", "at"), ({**PEOPLE, "bookmark_properties": ["id"]}, True, None),
    ({**schema("people", ["id"], id="integer", created_at=AT), "bookmark_properties": ["created_at"]}, True, None),
    (schema("people", ["id"], id="integer", _sdc_commit_at=AT, updated_at=AT), True, "_sdc_commit_at"),
    ({**PEOPLE, "schema": {**PEOPLE["schema"], "x-version-keys": ["id", "at"]}, "bookmark_properties": []}, True, "at"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "said", "column"), CHOICES, ids=range(len(CHOICES)))
def test_column_that_says_when(message: dict[str, Any], said: Any, column: str | None) -> None:
    """The column that is named, that of change data capture, of x-version-keys, or the replication key; else none."""
    chosen = said["p*"] if isinstance(said, dict) else said

    assert time_column(stream_schema(message), chosen) == column


def test_captured_changes(load: Load, rows: Rows) -> None:
    """Changes that were captured follow the copy that was read before them, also where a run sends all of it again."""
    copy = {**schema("people", ["id"], id="integer", name="string", _sdc_commit_at=AT, _sdc_deleted_at=AT)}
    lines = [person(1, "copy"), person(1, "a", _sdc_commit_at=moment(1)),
             person(1, "a", _sdc_commit_at=moment(2), _sdc_deleted_at=moment(2)),
             person(1, "b", _sdc_commit_at=moment(3))]  # fmt: skip
    load([copy, *lines], **HISTORY)
    once = versions(rows)

    load([copy, *lines], **HISTORY)

    assert [name for _, _, name, _ in once] == ["copy", "a", "a", "b"]
    assert once[1:] == [(1, 2, "a", False), (2, 2, "a", False), (3, None, "b", True)]
    assert versions(rows) == once


@pytest.mark.slow
def test_streams_without_a_history(load: Load, warehouse: Path) -> None:
    """For all streams it means those with keys; a stream without that is named is refused, and so is a wrong column."""
    no_keys = schema("events", x="integer")
    load([no_keys, record("events", x=1), PLAIN, person(1, "a")], **HISTORY)

    assert sorted(path.name for path in warehouse.iterdir()) == ["events", "people", "people__history"]
    with pytest.raises(SettingsError, match="history needs a stream with keys"):
        load([no_keys, record("events", x=1)], history={"events": True})
    with pytest.raises(SettingsError, match="history names a column"):
        load([PLAIN, person(1, "a")], history="name")


def test_stream_of_the_same_name(load: Load) -> None:
    """A tap's stream that has the name of one that is made here ends the run, in either order."""
    for order in ([PLAIN, schema("people__history", ["id"], id="integer")],
                  [schema("people__history", ["id"], id="integer"), PLAIN]):  # fmt: skip
        with pytest.raises(SettingsError, match="the name of a stream that is made here"):
            load(order, **HISTORY)


def test_times_that_clocks_disagree_on(load: Load, rows: Rows) -> None:
    """A version that was read with an earlier time than the one before it begins just after that."""
    read_at = {"_sdc_extracted_at": AT}
    message = schema("people", ["id"], id="integer", name="string", **read_at)
    load([message, person(1, "a", _sdc_extracted_at=moment(9))], **HISTORY)
    load([message, person(1, "b", _sdc_extracted_at=moment(2))], **HISTORY)

    found = sorted(rows("people__history"), key=lambda row: row["_sdc_valid_from"])
    assert [row["name"] for row in found] == ["a", "b"]
    assert found[0]["_sdc_valid_to"] == found[1]["_sdc_valid_from"] > datetime(2026, 1, 9, tzinfo=UTC)


def test_two_runs_at_once(load: Load, rows: Rows, warehouse: Path) -> None:
    """A run that another has outrun looks again: what it saw of the table does not come after what is newer."""
    load([PLAIN, person(1, "a")], **HISTORY)
    load([PLAIN, person(1, "b")])
    others = [lambda: load([PLAIN, person(1, "c")], **HISTORY)]

    def alive() -> None:
        if others:
            others.pop()()

    tables = [Table(Store(str(warehouse / name), {}), name) for name in ("people", "people__history")]
    Past(
        tables[0], Committer(tables[1], "slow", alive, contract=Contract(types="evolve_to_text")), ["id"], Layout()
    ).follow()

    assert names(rows) == [("a", False), ("b", False), ("c", True)] or names(rows) == [("a", False), ("c", True)]
    assert rows("people")[0]["name"] == "c"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens(seed: int, load: Load, rows: Rows, verb: Verb) -> None:
    """After any run the current versions are the living rows of the table, and no key has two."""
    dice, by_time = random.Random(seed), bool(seed % 2)
    kinds = {"name": "string", **({"at": AT} if by_time else {}), "_sdc_deleted_at": AT}
    message = {**schema("people", ["id"], id="integer", **kinds), "bookmark_properties": ["at"] if by_time else []}
    for step in range(8):
        changes = [
            record("people", id=dice.randint(1, 6), name=dice.choice("abc"), at=moment(step + 1, 2100),
                   _sdc_deleted_at=moment(step + 1, 2100) if dice.random() < 0.2 else None)
            for _ in range(dice.randint(0, 7))
        ]  # fmt: skip
        swap = [activate("people", step)] if dice.random() < 0.3 else []
        config = {"hard_delete": dice.random() < 0.5, "compact_files": dice.choice([0, 1])}
        load([message, *swap, *changes, *swap], **config, history=step == 7 or dice.random() < 0.8)
        if dice.random() < 0.2:
            verb("maintain")

    load([message], **HISTORY)
    living = [row for row in rows("people") if row["_sdc_deleted_at"] is None]
    versions_of = {key: versions(rows, key) for key in range(1, 7)}
    assert {key: found[-1][2] for key, found in versions_of.items() if found and found[-1][3]} == {
        row["id"]: row["name"] for row in living
    }
    for found in versions_of.values():
        assert not any(current for *_, current in found[:-1])
    assert all(row["good"] for row in verb("verify"))


@pytest.mark.parametrize("method", ["overwrite", "overwrite-stale"])
def test_column_that_became_a_key(load: Load, rows: Rows, method: str) -> None:
    """Rows from before have NULL in the new key, which is none: what comes with one has its versions."""
    load([PLAIN, person(1, "a"), person(2, "b")], **HISTORY)
    wider = {**PLAIN, "key_properties": ["id", "name"]}

    for _ in range(2):
        load([wider, person(1, "c"), person(2, "d")], load_method=method, stale_threshold=100, **HISTORY)

    narrow = schema("people", ["id", "kind"], id="integer", name="string", kind="string", _sdc_deleted_at=AT)
    for _ in range(2):
        load([narrow, person(1, "e", kind="k")], load_method=method, stale_threshold=100, **HISTORY)
    assert [(row["name"], row["_sdc_is_current"]) for row in rows("people__history") if row["kind"]] == [("e", True)]


def test_table_that_was_dropped(load: Load, rows: Rows, warehouse: Path) -> None:
    """A history knows its table: what one that was made anew lacks has ended, though the versions are alike."""
    load([PLAIN, person(1, "a"), person(2, "x")], **HISTORY)
    shutil.rmtree(warehouse / "people")

    load([PLAIN, person(1, "b")], **HISTORY)

    assert names(rows) == [("a", False), ("b", True)]
    assert not any(current for _, current in names(rows, 2))
