"""A run after one that was cut short, into a table without keys: what comes again is there once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from singerkit.errors import SafetyStopError

from .conftest import Load, Rows, activate, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LOG = schema("log", (), line="string")
BROKEN = {"type": "NONSENSE"}


def line(text: str) -> dict[str, Any]:
    return record("log", line=text)


def cut_short(load: Load, *messages: dict[str, Any], rows: int = 1, **config: Any) -> None:
    """Commit every so many rows of the messages, and end in an error once these commits are there."""
    settle = [schema("other", (), a="string"), activate("other", 1)]
    with pytest.raises(SafetyStopError):
        load([*messages, *settle, BROKEN], batch_size_rows=rows, **config)


def texts(rows: Rows) -> list[str]:
    return [row["line"] for row in rows("log")]


def test_first_run_begins_again(load: Load, rows: Rows) -> None:
    """A first run whose STATE never left, sent again from its beginning, doubles nothing."""
    cut_short(load, LOG, line("a"), line("a"), line("b"))

    load([LOG, line("a"), line("a"), line("b"), line("b"), line("c"), state(log={"n": 5})])

    assert texts(rows) == ["a", "a", "b", "b", "c"]


def test_rows_after_the_starting_state_come_again(load: Load, rows: Rows) -> None:
    """What the table holds from after the STATE that a run starts with is left out; an equal row from before is not."""
    cut_short(load, LOG, line("a"), state(log={"n": 1}), line("b"), line("c"), rows=3)

    load([state(log={"n": 1}), LOG, line("b"), line("c"), line("a"), state(log={"n": 4})])

    assert texts(rows) == ["a", "a", "b", "c"]


@pytest.mark.parametrize("mode", [{"mode": "column", "keys": ["part"]}, {"mode": "md5", "keys": ["line"], "count": 3}])
def test_equal_row_from_before_in_partitions(load: Load, warehouse: Path, mode: dict[str, Any]) -> None:
    """In partitions too, a row that equals one from before the starting STATE is another row, and is not lost."""
    log = schema("log", (), line="string", part="integer")
    sent = [record("log", line=text, part=place % 2) for place, text in enumerate("abcab")]
    cut_short(load, log, *sent[:2], state(log={"n": 2}), *sent[2:4], rows=4, partitioning={"log": mode})

    again = [state(log={"n": 2}), log, *sent[2:], record("log", line="a", part=0), state(log={"n": 6})]
    load(again, partitioning={"log": mode})

    found = DeltaTable(warehouse / "log").to_pyarrow_table()
    rows = sorted((row["line"], row["part"]) for row in found.to_pylist())
    assert rows == [("a", 0), ("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 0)]


def test_cut_short_twice(load: Load, rows: Rows) -> None:
    """Rows of both runs are known to the third."""
    cut_short(load, LOG, line("a"), line("b"), state(log={"n": 2}), line("c"))
    cut_short(load, state(log={"n": 2}), LOG, line("c"), line("d"), line("e"))

    load([state(log={"n": 2}), LOG, line("c"), line("d"), line("e"), line("f"), state(log={"n": 6})])

    assert texts(rows) == ["a", "b", "c", "d", "e", "f"]


def test_tap_that_crashed(load: Load, rows: Rows) -> None:
    """Input that ends with rows behind the newest STATE ended badly: they come again, and are there once."""
    load([LOG, line("a"), state(log={"n": 1}), line("b")])

    load([state(log={"n": 1}), LOG, line("b"), line("c"), state(log={"n": 3})])

    assert texts(rows) == ["a", "b", "c"]


@pytest.mark.parametrize("start", [[], [state(log={"n": 1})]], ids=["from the beginning", "from an older STATE"])
def test_wanted_repeat(load: Load, rows: Rows, start: list[dict[str, Any]]) -> None:
    """After a run that ended well every row is added: who sends rows again wants them again."""
    load([LOG, line("a"), state(log={"n": 1}), line("b"), state(log={"n": 2})])

    load([*start, LOG, line("b"), state(log={"n": 2})])

    assert texts(rows) == ["a", "b", "b"]


def test_tap_without_state(load: Load, rows: Rows) -> None:
    """A tap that never sends a STATE is believed when its output ends."""
    load([LOG, line("a")])

    load([LOG, line("a")])

    assert texts(rows) == ["a", "a"]


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ([], "a STATE had left, and this run starts without one"),
        ([state(log={"n": 99})], "the table does not know the STATE that this run starts from"),
    ],
    ids=["no STATE", "another STATE"],
)
def test_nothing_can_be_known(
    load: Load, rows: Rows, start: list[dict[str, Any]], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the starting STATE does not tell what is repeated, one line says so and no row is left out."""
    again = LOG | {"key_properties": None}  # a line of another kind, which no row passes
    cut_short(load, LOG, line("a"), state(log={"n": 1}), line("b"), again, line("c"))

    load([*start, LOG, line("b"), line("d"), state(log={"n": 4})])

    assert texts(rows) == ["a", "b", "b", "c", "d"]
    assert [why in message for message in caplog.messages if "cut short" in message] == [True]


@pytest.mark.parametrize("start", [[], [state(log={"n": 99})]], ids=["no STATE", "another STATE"])
@pytest.mark.parametrize(
    ("described", "found"),
    [
        ({"x-sort": "asc"}, ["1", "2", "3", "4", "5"]),
        ({"x-sort": "desc"}, ["1", "2", "2", "3", "3", "4", "5"]),
        ({}, ["1", "2", "2", "3", "3", "4", "5"]),
    ],
    ids=["sorted", "the other way", "nothing said"],
)
def test_sorted_replication_key(
    load: Load, rows: Rows, start: list[dict[str, Any]], described: dict[str, Any], found: list[str]
) -> None:
    """Where the STATE tells nothing, rows that the tap says to come in rising order tell from where they come again."""
    log = schema("log", (), line="string", n="integer") | {"bookmark_properties": ["n"]}
    log["schema"] |= described
    sent = [record("log", line=str(number), n=number) for number in range(1, 6)]
    cut_short(load, log, sent[0], state(log={"n": 1}), *sent[1:3], log | {"key_properties": None}, sent[3])

    load([*start, log, *sent[1:3], *sent[3:], state(log={"n": 5})])

    doubled = [] if described.get("x-sort") == "asc" else ["4"]
    assert texts(rows) == sorted([*found, *doubled])


def test_rewritten_files(load: Load, warehouse: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows whose files another program wrote again are no longer told apart, which one line says."""
    cut_short(load, LOG, line("a"), line("b"))
    DeltaTable(warehouse / "log").optimize.z_order(["line"])

    load([LOG, line("a"), line("b"), state(log={"n": 2})])

    assert DeltaTable(warehouse / "log").count() == 4
    assert any("files with some of its rows were rewritten since" in message for message in caplog.messages)


def test_good_end(load: Load, warehouse: Path) -> None:
    """The end of a run is one commit without files."""
    load([LOG, line("a"), state(log={"n": 1})])

    newest = DeltaTable(warehouse / "log").history(1)[0]

    assert newest["target-delta.ended"] == "good"
    assert newest["target-delta.bookmark"] == {"n": 1}
    assert DeltaTable(warehouse / "log").version() == 2


def test_rows_after_a_full_load_of_the_same_run_are_kept(load: Load, rows: Rows) -> None:
    """What a full load of this run took away comes again after it: TRUNCATE, told once more, and the row behind it."""
    cut_short(load, LOG, line("a"), activate("log", 5), activate("log", 5), line("b"))

    load([LOG, line("a"), activate("log", 6), activate("log", 6), line("b"), state(log={"n": 3})])

    assert texts(rows) == ["b"]
