"""Taking a run back: rows and bookmark together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from singerkit.errors import SafetyStopError

from .conftest import Load, Rows, Verb, activate, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Exported = Callable[[], Any]

PEOPLE = schema("people", ["id"], id="integer", name="string")
LOG = schema("log", (), line="string")
NTZ = schema("times", ["id"], id="integer", at={"type": ["string", "null"], "format": "date-time"})


def first() -> list[dict[str, Any]]:
    return [LOG, PEOPLE, record("people", id=1, name="a"), record("log", line="x"), state(people=1, log=1)]


def bad() -> list[dict[str, Any]]:
    return [
        state(people=1, log=1), LOG, PEOPLE, record("people", id=1, name="wrong"), record("people", id=2, name="b"),
        record("log", line="wrong"), state(people=2, log=2),
    ]  # fmt: skip


def good() -> list[dict[str, Any]]:
    return [
        state(people=1, log=1), LOG, PEOPLE, record("people", id=1, name="right"), record("people", id=2, name="b"),
        record("log", line="right"), state(people=2, log=2),
    ]  # fmt: skip


@pytest.fixture
def newest_run(verb: Verb) -> Callable[[], str]:
    return lambda: str(next(row for row in verb("history") if row["what"] == "load")["run"])


def test_run_again_as_if_it_had_never_been(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """Rows and bookmark are those of before; the run again leaves what a clean one leaves, and no row twice."""
    load(first())
    load(bad())

    done = verb("rollback", "--run", newest_run())
    before = rows("people"), rows("log"), verb("state", "export")
    load(good())

    assert [(row["stream"], row["rows"], row["rows_then"], row["bookmark"]) for row in done] == [
        ("log", 2, 1, 1), ("people", 2, 1, 1),
    ]  # fmt: skip
    assert before == ([{"id": 1, "name": "a"}], [{"line": "x"}], [{"bookmarks": {"log": 1, "people": 1}}])
    assert rows("people") == [{"id": 1, "name": "right"}, {"id": 2, "name": "b"}]
    assert rows("log") == [{"line": "right"}, {"line": "x"}]


def test_dry_run_changes_nothing(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """It says which version would come back, also where the run itself would be refused."""
    load(first())
    load(bad())
    run = newest_run()
    load(good())

    done = verb("rollback", "--run", run, "--dry-run")

    assert [(row["stream"], row["later"], row["rolled_back"]) for row in done] == [
        ("log", 1, False),
        ("people", 1, False),
    ]
    assert rows("people")[0]["name"] == "right"


def test_what_came_later(
    load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """A run under other changes is refused (exit 4), and goes with them where that is asked for."""
    load(first())
    load(bad())
    run = newest_run()
    load(good())

    assert verb("rollback", "--run", run, code=4) == []
    refused = [message for message in caplog.messages if "later changes would go with the run" in message]
    unchanged = rows("people")
    verb("rollback", "--run", run, "--with-later")

    assert refused
    assert unchanged[0]["name"] == "right"
    assert rows("people") == [{"id": 1, "name": "a"}]


def test_upkeep_in_between(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """Compactions after the run are no later change; they are undone with it."""
    load(first())
    load(bad())
    run = newest_run()
    verb("maintain")

    verb("rollback", "--run", run)

    assert (rows("people"), rows("log")) == ([{"id": 1, "name": "a"}], [{"line": "x"}])


def test_full_load_comes_back(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """A full load with other columns is taken back with its columns; the same load may then come again."""
    load([NTZ, record("times", id=1, at="2026-01-01T00:00:00"), state(times=1)])
    full = [
        schema("times", ["id"], id="integer", note="string"), activate("times", 7), record("times", id=9, note="n"),
        activate("times", 7), state(times=7),
    ]  # fmt: skip
    load(full)

    verb("rollback", "--run", newest_run())
    before = rows("times")
    load(full)

    assert [sorted(row) for row in before] == [["at", "id"]]
    assert rows("times") == [{"id": 9, "note": "n"}]


@pytest.mark.parametrize("keys", [["id"], []], ids=["keys", "none"])
def test_state_of_a_load_that_was_taken_back(
    keys: list[str], load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]
) -> None:
    """A STATE within the load goes on with rows that are in no table any more: the loader stops and leaves none out."""
    people, halfway = {**PEOPLE, "key_properties": keys}, state(people={"full_load": {"version": 7, "at": 1}})
    load([people, record("people", id=1), state(people=1)])
    load(
        [people, activate("people", 7), record("people", id=2), halfway, record("people", id=3), activate("people", 7)]
    )
    verb("rollback", "--run", newest_run())

    with pytest.raises(SafetyStopError, match="not staged here"):
        load([halfway, people, activate("people", 7), record("people", id=3), activate("people", 7)])

    assert [row["id"] for row in rows("people")] == [1]


def test_column_of_the_run_goes_with_it(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """What the run added to the columns is taken back with its rows."""
    load(first())
    wider = schema("people", ["id"], id="integer", name="string", more="string")
    load([wider, record("people", id=2, more="x"), state(people=2)])

    verb("rollback", "--run", newest_run())

    assert rows("people") == [{"id": 1, "name": "a"}]


def test_run_before_was_cut_short(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """Behind a run that was cut short the table remembers where it stood: rows that come again are left out."""
    load([LOG, record("log", line="a"), state(log=1), record("log", line="b")])
    load([state(log=1), LOG, record("log", line="b"), record("log", line="wrong"), state(log=2)])

    verb("rollback", "--run", newest_run())
    load([state(log=1), LOG, record("log", line="b"), record("log", line="c"), state(log=2)])

    assert [row["line"] for row in rows("log")] == ["a", "b", "c"]


def test_first_run_of_all(load: Load, rows: Rows, verb: Verb, newest_run: Callable[[], str]) -> None:
    """The table stays, empty and without a bookmark: the next run reads everything."""
    load(first())

    verb("rollback", "--run", newest_run())

    assert (rows("people"), verb("state", "export")) == ([], [{"bookmarks": {}}])


def test_history_says_so(load: Load, verb: Verb, newest_run: Callable[[], str]) -> None:
    """A run that was rolled back is marked; it cannot be rolled back again (exit 2)."""
    load(first())
    load(bad())
    run = newest_run()

    verb("rollback", "--run", run)

    marks = {(row["what"], row["rolled_back"]) for row in verb("history", "people")}
    assert marks == {("rollback", None), ("load", True), ("load", None)}
    verb("rollback", "--run", run, code=2)


def test_files_that_are_gone(
    load: Load, rows: Rows, verb: Verb, warehouse: Path, newest_run: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """Where vacuum took the older files, every table is as it was (exit 4)."""
    load(first())
    load(bad())
    DeltaTable(warehouse / "people").vacuum(0, dry_run=False, enforce_retention_duration=False)

    verb("rollback", "--run", newest_run(), code=4)

    assert [message for message in caplog.messages if "files of the version before the run are gone" in message]
    assert rows("log") == [{"line": "wrong"}, {"line": "x"}]
