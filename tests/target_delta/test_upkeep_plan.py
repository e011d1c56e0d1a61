"""What an input would do to the tables, before anything is written."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from .conftest import Load, Messages, Rows, Verb, activate, as_lines, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Planned = Callable[..., list[dict[str, Any]]]

PEOPLE = schema("people", ["id"], id="integer", name="string")
WIDER = schema("people", ["id"], id="integer", name="string", more="string")
LOG = schema("log", (), line="string")


@pytest.fixture
def piped(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Run a verb with messages on its stdin."""

    def run(messages: Messages, *argv: str, code: int = 0) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(as_lines(messages))))
        return verb(*argv, code=code)

    return run


@pytest.fixture
def plan(piped: Planned) -> Planned:
    return lambda messages, code=0: piped(messages, "plan", code=code)


def people(*ids: int, **more: Any) -> list[dict[str, Any]]:
    return [record("people", id=number, name="x", **more) for number in ids]


def test_tables_that_would_be_made(plan: Planned, warehouse: Path) -> None:
    """A new table is described by its columns, its partitions, its rows, files and bytes; and it is not there."""
    [one, none] = plan([PEOPLE, LOG, *people(1, 2, 2), state(people=1)])

    assert {name: one[name] for name in ("action", "rows", "inserted", "columns", "partitions", "files")} == {
        "action": "create", "rows": 2, "inserted": 2, "columns": ["id int64", "name string"],
        "partitions": "none", "files": 1,
    }  # fmt: skip
    assert one["bytes"] > 0
    assert (none["stream"], none["action"]) == ("log", "nothing")
    assert not warehouse.exists()


def test_upsert_into_some_files(plan: Planned, load: Load, warehouse: Path, rows: Rows) -> None:
    """It says which keys are new, which files hold the others, and the columns that come; the table stays as it is."""
    for ids in ((1, 2), (10, 11), (20, 21)):
        load([PEOPLE, *people(*ids)])
    before = DeltaTable(warehouse / "people").version(), rows("people")

    [found] = plan([WIDER, *people(2, 3, 10, 12, more="y")])

    sizes = [path.stat().st_size for path in (warehouse / "people").glob("part-*.parquet")]
    assert (found["action"], found["inserted"], found["updated"], found["columns"]) == ("upsert", 2, 2, ["more"])
    assert found["rewritten_files"] == 2
    assert min(sizes) * 2 <= found["rewritten_bytes"] <= max(sizes) * 2
    assert (DeltaTable(warehouse / "people").version(), rows("people")) == before


def test_what_the_run_then_does(plan: Planned, load: Load, verb: Verb) -> None:
    """The run does what the plan says, in a partitioned table too."""
    parted = {"partitioning": {"mode": "md5", "count": 3}}
    load([PEOPLE, *people(*range(30))], **parted)
    messages = [PEOPLE, *people(*range(25, 40))]

    [found] = plan(messages)
    load(messages, **parted)

    [done, *_] = verb("history")
    assert (found["inserted"], found["updated"]) == (done["inserted"], done["updated"]) == (10, 5)


def test_full_load_and_append(plan: Planned, load: Load) -> None:
    """A full load rewrites all files; rows without keys are added."""
    load([PEOPLE, LOG, *people(1, 2), record("log", line="a")])

    full, log = plan([
        PEOPLE, LOG, activate("people", 3), *people(7), activate("people", 3), record("log", line="b"), state(log=1),
    ])  # fmt: skip

    assert (full["action"], full["rows"], full["rewritten_files"]) == ("replace", 1, 1)
    assert (log["action"], log["inserted"], log.get("rewritten_files")) == ("append", 1, None)


def test_what_would_stop_the_run(plan: Planned, load: Load) -> None:
    """A column of another type, or other partitions, is told with the words of the run (exit 4)."""
    load([PEOPLE, *people(1)])

    [found] = plan([schema("people", ["id"], id="integer", name="integer"), record("people", id=1, name=5)], code=4)

    assert found["action"] == "nothing"
    assert "name" in found["problem"]


def test_files_of_a_batch_stay(plan: Planned, tmp_path: Path) -> None:
    """A tap's files are still there for the run, also where the tap asks that they be deleted."""
    file = tmp_path / "people.jsonl"
    file.write_text('{"id": 1}\n')
    batch = {"type": "BATCH", "stream": "people", "encoding": {"format": "jsonl", "compression": "none"}}

    [found] = plan([PEOPLE, {**batch, "manifest": [file.as_uri()], "x-delete-after-commit": True}])

    assert (found["rows"], file.exists()) == (1, True)


SAME = [PEOPLE, *people(3, 2, 1), state(people=1)]
OTHERS: list[tuple[str, list[dict[str, Any]], str | None]] = [
    ("in any order", SAME, None),
    ("a full load", [PEOPLE, activate("people", 3), *people(1, 2, 3), activate("people", 3)], None),
    ("a row less", [PEOPLE, *people(1, 3)], "2 rows in 1, and 1 in the source"),
    ("no row", [PEOPLE], "1 rows in 0, and 0 in the source"),
    ("another value", [PEOPLE, *people(1, 2), record("people", id=3, name="y")], "the 2 rows in 1 differ"),
]


@pytest.mark.parametrize(("messages", "problem"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_table_beside_its_source(
    messages: list[dict[str, Any]], problem: str | None, piped: Planned, load: Load
) -> None:
    """Rows are compared by partition, in any order: how many they are, and their values."""
    gone = schema("people", ["id"], id="integer", name="string", _sdc_deleted_at="string")
    before = [gone, *people(1, 2, 3), record("people", id=4, _sdc_deleted_at="2026-01-01")]
    load(before, partitioning={"mode": "numerical", "size": 2})

    found = piped(messages, "verify", "--source", "--quick", code=4 if problem else 0)

    [source] = [row for row in found if row["check"] == "source"]
    assert source["good"] is (problem is None)
    assert (source["example"] or "").startswith(problem or "")


def test_templates_of_paths(load: Load, piped: Planned, tmp_path: Path) -> None:
    """What would be done is looked up where the template leads; streams that would meet end it as they end a run."""
    config = tmp_path / "config.json"
    load([PEOPLE, *people(1)], table_path="x/{stream}")

    config.write_text('{"table_path": "x/{stream}"}')
    [row] = piped([PEOPLE, *people(1, 2)], "--config", str(config), "plan")
    assert (row["action"], row["updated"], row["inserted"]) == ("upsert", 1, 1)
    config.write_text('{"table_path": "x"}')
    assert piped([PEOPLE, LOG], "--config", str(config), "plan", code=2) == []


BY_CONTRACT: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {"action": "nothing"}),
    ({"types": "evolve"}, {"columns": ["x int64 -> double"], "inserted": 1, "updated": 1, "rewritten_files": 2}),
    ({"types": "variant"}, {"columns": ["x__text"], "inserted": 1, "updated": 1, "rewritten_files": 1}),
    ({"types": "discard_row"}, {"columns": [], "inserted": 0, "updated": 1, "rewritten_files": 1}),
]
"""What the contract says, and what would become of a double that an integer column does not take."""


@pytest.mark.parametrize(("contract", "says"), BY_CONTRACT, ids=["freeze", "evolve", "variant", "discard_row"])
def test_plan_by_the_contract(
    contract: dict[str, str], says: dict[str, Any], piped: Planned, load: Load, warehouse: Path, tmp_path: Path
) -> None:
    """The contract decides as in the run: a table that is written again for a wider type counts with all its files."""
    numbers = schema("t", ["id"], id="integer", x="integer")
    for number in (1, 2):
        load([numbers, record("t", id=number, x=1)])
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": str(warehouse), "schema_contract": contract}))
    doubles = schema("t", ["id"], id="integer", x="number")

    rows = [doubles, record("t", id=1, x=2.0), record("t", id=9, x=0.5)]
    [row, *aside] = piped(rows, "plan", "--config", str(config), code=0 if contract else 4)

    assert {name: row.get(name) for name in says} == says
    assert ("problem" in row) == (not contract)
    assert [one["stream"] for one in aside] == (["t__quarantine"] if contract.get("types") == "discard_row" else [])
