"""A full load is seen when it is complete, and not before; a killed one serves the next run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from singerkit.errors import SafetyStopError
from target_delta.store import Store

from .conftest import Load, Rows, activate, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer", name="string")
LOG = schema("log", (), line="string")


def person(number: int, name: str = "x") -> dict[str, Any]:
    return record("people", id=number, name=name)


def staged(warehouse: Path, stream: str = "people") -> list[str]:
    return Store(str(warehouse / stream), {}).names("_staged")


def test_second_message_swaps(load: Load, rows: Rows, warehouse: Path) -> None:
    """All old rows go and the new ones come in one commit; nothing stays staged."""
    load([PEOPLE, person(1), person(2)])
    before = DeltaTable(warehouse / "people").version()

    states = load([PEOPLE, activate("people", 5), person(3), activate("people", 5), state(people=1)])

    assert rows("people") == [{"id": 3, "name": "x"}]
    assert DeltaTable(warehouse / "people").version() == before + 1
    assert states == [{"bookmarks": {"people": 1}}]
    assert staged(warehouse) == []


def test_table_is_as_it_was_without_the_second(load: Load, rows: Rows) -> None:
    """A run that ends before the second message stops with an error, changes no table and moves no bookmark."""
    load([PEOPLE, person(1)])

    with pytest.raises(SafetyStopError, match="before the second ACTIVATE_VERSION"):
        load([PEOPLE, state(people=0, other=0), activate("people", 5), person(3), state(people=1, other=1)])

    assert rows("people") == [{"id": 1, "name": "x"}]


def test_other_streams_are_complete_beside_an_unfinished_load(
    load: Load, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bookmark of another stream goes on; that of the unfinished load stays the one before it."""
    messages = [PEOPLE, LOG, state(people=0, log=0), activate("people", 5), person(3)]

    with pytest.raises(SafetyStopError):
        load([*messages, record("log", line="a"), state(people=1, log=1)])

    assert rows("log") == [{"line": "a"}]
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"bookmarks": {"people": 0, "log": 1}}


def progress(below: int, version: int = 5) -> dict[str, Any]:
    return {"full_load": {"version": version, "key": "id", "below": below}}


def test_resumed_load_holds_the_rows_of_both_runs(load: Load, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    """A STATE that names the load leaves when its rows are staged; the next run goes on from it under one number."""
    load([PEOPLE, person(9)])
    with pytest.raises(SafetyStopError):
        load([PEOPLE, activate("people", 5), person(1), person(2), state(people=progress(3))])
    assert '"below":3' in capsys.readouterr().out

    load([
        state(people=progress(3)), PEOPLE, activate("people", 5), person(3), activate("people", 5), state(people={}),
    ])  # fmt: skip

    assert [row["id"] for row in rows("people")] == [1, 2, 3]


def test_rows_after_the_last_state_come_again(load: Load, rows: Rows) -> None:
    """Rows that were staged after the STATE of the resume are read again and are in the table once."""
    with pytest.raises(SafetyStopError):
        load([PEOPLE, activate("people", 5), person(1), state(people=progress(2)), person(2, "old"), person(7, "gone")],
             batch_size_rows=1)  # fmt: skip

    load([state(people=progress(2)), PEOPLE, activate("people", 5), person(2, "new"), activate("people", 5)])

    assert rows("people") == [{"id": 1, "name": "x"}, {"id": 2, "name": "new"}]


def test_resume_without_its_rows_stops(load: Load) -> None:
    """A STATE that goes on with a load whose first rows are not here is refused: they would be missing for ever."""
    with pytest.raises(SafetyStopError, match="whose first rows are not staged here"):
        load([state(people=progress(3)), PEOPLE, activate("people", 5), person(3), activate("people", 5)])


def test_another_number_begins_anew(load: Load, rows: Rows) -> None:
    """A load that is sent again under another number holds its own rows alone."""
    with pytest.raises(SafetyStopError):
        load([PEOPLE, activate("people", 5), person(1)])

    load([PEOPLE, activate("people", 6), person(2), activate("people", 6)])

    assert [row["id"] for row in rows("people")] == [2]


def test_last_row_of_a_key_wins_across_files(load: Load, rows: Rows) -> None:
    """A key that a full load sends twice is in the table once, as it came last, whichever files hold it."""
    people = [person(1, "old"), person(2), person(1, "new"), person(2, "newer"), person(3)]

    load([PEOPLE, activate("people", 5), *people, activate("people", 5)], batch_size_rows=1)

    assert rows("people") == [{"id": 1, "name": "new"}, {"id": 2, "name": "newer"}, {"id": 3, "name": "x"}]


def test_stream_without_keys_keeps_equal_rows(load: Load, rows: Rows) -> None:
    """Without keys every row that came is in the table."""
    load([LOG, record("log", line="before")])

    load([LOG, activate("log", 5), record("log", line="a"), record("log", line="a"), activate("log", 5)])

    assert rows("log") == [{"line": "a"}, {"line": "a"}]


def test_empty_full_load_empties_the_table(load: Load, rows: Rows) -> None:
    """A source that is empty now leaves an empty table."""
    load([PEOPLE, person(1)])

    load([PEOPLE, activate("people", 5), activate("people", 5)])

    assert rows("people") == []


def test_full_load_brings_its_schema(load: Load, rows: Rows, warehouse: Path) -> None:
    """The table has the columns of the load after the swap, also ones of another type, in the same commit."""
    load([PEOPLE, person(1)])
    other = schema(
        "people", ["id"], id="string", at={"type": ["string", "null"], "format": "date-time", "x-timestamp": "local"}
    )

    load([other, activate("people", 5), record("people", id="a", at="2024-01-02T03:04:05"), activate("people", 5)])

    assert [sorted(row) for row in rows("people")] == [["at", "id"]]


def test_rows_before_the_load_are_written_first(load: Load, rows: Rows) -> None:
    """Rows that came before the first message are part of the table that the load replaces."""
    load([PEOPLE, person(1), activate("people", 5), person(2), activate("people", 5), person(3)])

    assert [row["id"] for row in rows("people")] == [2, 3]


def test_single_message_with_nothing_after_it(load: Load, rows: Rows) -> None:
    """A tap that sends it once, after its rows, loses nothing and replaces nothing."""
    states = load([PEOPLE, person(1), activate("people", 5), state(people=1)])

    assert [row["id"] for row in rows("people")] == [1]
    assert states == [{"bookmarks": {"people": 1}}]


def test_once_replaces_at_the_end(load: Load, rows: Rows) -> None:
    """With activate_version: once the end of the input replaces the table, and the bookmark leaves with it."""
    load([PEOPLE, person(1)])

    states = load([PEOPLE, activate("people", 5), person(2), state(people=2)], activate_version="once")

    assert [row["id"] for row in rows("people")] == [2]
    assert states[-1] == {"bookmarks": {"people": 2}}


@pytest.mark.parametrize("chosen", ["twice", "once"])
def test_message_before_the_rows_of_each_parent(load: Load, rows: Rows, chosen: str) -> None:
    """The number of one load comes with each parent of a child stream: the rows of all of them are the table."""
    load([PEOPLE, person(9)])
    parents = [message for number in range(1, 5) for message in (activate("people", 5), person(number))]

    states = load([PEOPLE, *parents, state(people=1)], activate_version=chosen)

    assert [row["id"] for row in rows("people")] == [1, 2, 3, 4]
    assert states == [{"bookmarks": {"people": 1}}]


@pytest.mark.parametrize("chosen", ["twice", "once"])
@pytest.mark.parametrize("table", [PEOPLE, {**PEOPLE, "key_properties": []}], ids=["keys", "none"])
def test_single_message_behind_rows_that_replace(load: Load, rows: Rows, chosen: str, table: dict[str, Any]) -> None:
    """With load_method: overwrite the rows before the only message are the load, and none of them is given up."""
    load([table, person(1)])

    states = load(
        [table, person(2), activate("people", 5), state(people=1)], load_method="overwrite", activate_version=chosen
    )

    assert [row["id"] for row in rows("people")] == [2]
    assert states == [{"bookmarks": {"people": 1}}]


def test_once_behind_all_rows(load: Load, rows: Rows) -> None:
    """With activate_version: once a message with rows before it and none behind replaces nothing by nothing."""
    load([PEOPLE, person(1)])

    load([PEOPLE, person(2), activate("people", 5), state(people=1)], activate_version="once")

    assert [row["id"] for row in rows("people")] == [1, 2]


def test_key_that_is_new_within_a_load(load: Load, rows: Rows) -> None:
    """Rows from before a column became a key have NULL there: they are no repeats of each other."""
    wider = schema("people", ["id", "age"], id="integer", name="string", age="integer")
    late = record("people", id=1, name="late", age=5)

    load([PEOPLE, activate("people", 5), person(1), person(2), wider, late, activate("people", 5)])

    assert [(row["id"], row["age"]) for row in rows("people")] == [(1, 5), (1, None), (2, None)]


def test_ignored_message(load: Load, rows: Rows) -> None:
    """With activate_version: ignore rows are upserted as they come."""
    load([PEOPLE, person(1)])

    load([PEOPLE, activate("people", 5), person(2), state(people=2)], activate_version="ignore")

    assert [row["id"] for row in rows("people")] == [1, 2]


def test_schema_that_changes_within_a_load(load: Load, rows: Rows) -> None:
    """The table has the columns of all parts of the load, and a key of an early part that came again is there once."""
    wider = schema("people", ["id"], id="integer", name="string", age="integer")
    late = [record("people", id=2, name="new", age=5), record("people", id=3, name="x", age=6)]

    load([PEOPLE, activate("people", 5), person(1), person(2, "old"), wider, *late, activate("people", 5)])

    assert rows("people") == [
        {"id": 1, "name": "x", "age": None},
        {"id": 2, "name": "new", "age": 5},
        {"id": 3, "name": "x", "age": 6},
    ]
