"""Looking at tables: what runs did, and some rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable

from .conftest import Load, Verb, activate, command_line, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LOG = schema("log", (), line="string")
PEOPLE = schema("people", ["id"], id="integer", name="string")


def people(*names: str) -> list[dict[str, object]]:
    return [record("people", id=number, name=name) for number, name in enumerate(names)]


def test_runs_of_two_tables(load: Load, verb: Verb) -> None:
    """A run has a row a table, the newest first: what it did to rows, its files, its seconds and its bookmark."""
    load([PEOPLE, *people("a", "b"), state(people=1)])
    load([LOG, PEOPLE, record("log", line="x"), *people("A", "B", "c"), state(people=2, log=1)])

    found = verb("history")

    assert [(row["stream"], row["inserted"], row["updated"], row["bookmark"]) for row in found] == [
        ("people", 1, 2, 2),
        ("log", 1, 0, 1),
        ("people", 2, 0, 1),
    ]
    assert found[0]["run"] == found[1]["run"] != found[2]["run"]
    assert all(row["what"] == "load" and row["files"] and row["bytes"] and row["seconds"] >= 0 for row in found)


def test_streams_by_name_and_glob(load: Load, verb: Verb) -> None:
    """Names and globs choose tables; a limit chooses the newest runs."""
    load([LOG, PEOPLE, record("log", line="x"), *people("a"), state(people=1)])
    load([PEOPLE, *people("b"), state(people=2)])

    assert [row["stream"] for row in verb("history", "peo*")] == ["people", "people"]
    assert [row["bookmark"] for row in verb("history", "people", "--limit", "1")] == [2]


def test_deleted_rows_and_full_loads(load: Load, verb: Verb) -> None:
    """What a full load replaced is counted as inserted, what hard_delete took out as deleted."""
    gone = {**PEOPLE, "schema": {"properties": {**PEOPLE["schema"]["properties"], "_sdc_deleted_at": {
        "type": ["string", "null"], "format": "date-time"}}}}  # fmt: skip
    load([PEOPLE, activate("people", 5), *people("a", "b"), activate("people", 5)])
    load([gone, record("people", id=1, name="b", _sdc_deleted_at="2026-01-01T00:00:00Z")], hard_delete=True)

    newest, first = verb("history", "people")

    assert (newest["inserted"], newest["updated"], newest["deleted"]) == (0, 0, 1)
    assert (first["inserted"], first["updated"], first["deleted"]) == (2, 0, 0)


def test_commit_of_another_program(load: Load, warehouse: Path, verb: Verb) -> None:
    """What another program did stands by itself, under the name of its operation."""
    load([PEOPLE, *people("a", "b")])
    DeltaTable(warehouse / "people").delete("id = 0")

    assert [(row["what"], row["run"] is None) for row in verb("history")] == [("delete", True), ("load", False)]


def test_history_on_a_terminal(
    load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person sees a table; a column that says nothing is left out."""
    load([PEOPLE, *people("a", "b"), state(people=1)])
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")

    assert command_line("history", "--path", str(warehouse)) == 0

    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["stream", "run", "what", "began"]
    assert row.split()[0] == "people"
    assert "rolled_back" not in head


def test_narrow_terminal(
    load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a table is wider than the terminal, each row is a block with a column a line."""
    load([PEOPLE, *people("a", "b"), state(people=1)])
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")

    assert command_line("history", "--path", str(warehouse)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["stream", "people"]
    assert [line.split()[1] for line in lines if line.startswith("inserted")] == ["2"]
    assert max(map(len, lines)) <= 60


def test_rows_of_the_newest_files_first(load: Load, verb: Verb) -> None:
    """Some rows come as JSON lines, and some columns of them."""
    load([PEOPLE, *people("a", "b")])
    load([PEOPLE, record("people", id=7, name="new")])

    assert verb("peek", "people", "--limit", "1") == [{"id": 7, "name": "new"}]
    assert len(verb("peek", "people")) == 3
    assert verb("peek", "people", "--column", "name", "--limit", "2")[0] == {"name": "new"}


def test_peek_on_a_terminal(
    load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person sees rows as a table."""
    load([PEOPLE, *people("a", "b")])
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    assert command_line("peek", "people", "--path", str(warehouse)) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["id", "name"], ["0", "a"], ["1", "b"], ["2", "rows"],
    ]  # fmt: skip


REFUSED = [
    (["peek", "poeple"], "no table is of a stream poeple"),
    (["peek", "p*"], "p* fits more than one stream"),
    (["peek", "people", "--column", "nmae"], "the table has no column nmae"),
    (["history", "x"], "no table is of a stream x"),
]


@pytest.mark.parametrize(("argv", "why"), REFUSED, ids=[" ".join(argv) for argv, _ in REFUSED])
def test_names_that_fit_nothing(
    argv: list[str], why: str, load: Load, verb: Verb, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that fits no table, or no column, is refused with those that are there (exit 2)."""
    load([PEOPLE, schema("places", ["id"], id="integer"), *people("a"), record("places", id=1)])

    assert verb(*argv, code=2) == []
    assert [message for message in caplog.messages if why in message]


def test_configuration_in_a_file(
    load: Load, tmp_path: Path, warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options of the plugin stand before the verb, where Meltano puts them, or after it."""
    load([PEOPLE, *people("a")])
    (tmp_path / "config.json").write_text(json.dumps({"path": str(warehouse)}))
    capsys.readouterr()

    assert command_line("--config", str(tmp_path / "config.json"), "peek", "people") == 0
    assert command_line("peek", "people", "--config", str(tmp_path / "config.json")) == 0

    assert len(capsys.readouterr().out.splitlines()) == 2
