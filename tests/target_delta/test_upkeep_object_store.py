"""Every verb of upkeep on tables in an object store."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from target_delta.store import Store
from tests.object_store import s3
from tests.small_store import small_store

from .conftest import Load, as_lines, command_line, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Told = Callable[..., list[dict[str, Any]]]

PEOPLE = schema("people", ["id"], id="integer", name="string")
LOG = schema("log", (), line="string")
ROOT = "s3://lake/w"


@pytest.fixture(scope="module", params=["moto", "small"])
def options(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Storage options that reach a bucket named lake: of a server that others wrote, or of a quick one."""
    if request.param == "small":
        with small_store() as store:
            yield store.s3
    else:
        with s3("lake") as reached:
            yield reached


@pytest.fixture
def tell(
    options: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Told:
    """Run a verb on the tables in the store, and return what it printed."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": ROOT, "storage_options": options, "file_size_mb": 1}))

    def run(*argv: str, stdin: bytes = b"", code: int = 0) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        assert command_line("--config", str(config), *argv) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def people(first: int, last: int, name: str = "x") -> list[dict[str, Any]]:
    return [record("people", id=number, name=name) for number in range(first, last)]


def found(options: dict[str, str]) -> list[tuple[int, str]]:
    table = DeltaTable(f"{ROOT}/people", storage_options=options).to_pyarrow_table()
    return sorted((row["id"], row["name"]) for row in table.to_pylist())


@pytest.mark.parametrize("options", ["moto"], indirect=True)
def test_every_verb(load: Load, tell: Told, options: dict[str, str], tmp_path: Path) -> None:
    """What a verb does to a table on a disk it does to one in an object store."""
    where: dict[str, Any] = {"path": ROOT, "storage_options": options}
    for first in range(0, 60, 20):
        load([PEOPLE, *people(first, first + 20), state(people=first)], **where)
    newest = [PEOPLE, *people(50, 70, "new"), record("people", id="no", name="y"), state(people=70)]
    load(newest, on_invalid_record="quarantine", **where)
    expected = [(number, "new" if number >= 50 else "x") for number in range(70)]

    [last, *_] = tell("history", "people")
    assert (last["inserted"], last["updated"], last["bookmark"]) == (10, 10, 70)
    assert len(tell("peek", "people", "--limit", "5")) == 5
    [coming, _] = tell("plan", stdin=as_lines([PEOPLE, LOG, *people(69, 72)]))
    assert (coming["action"], coming["updated"], coming["inserted"]) == ("upsert", 1, 2)
    assert all(row["good"] for row in tell("verify"))
    sent = as_lines([PEOPLE, *(record("people", id=number, name=name) for number, name in expected)])
    assert all(row["good"] for row in tell("verify", "people", "--source", stdin=sent))
    [kept] = tell("repair", "people", "--keys")
    assert (kept["doubled"], kept["repaired"]) == (0, False)

    [done] = tell("maintain", "people")
    assert (done["compacted"] > 1, done["into"]) == (True, 1)
    assert found(options) == expected
    back, _ = tell("rollback", "--run", last["run"])
    assert (back["stream"], back["rolled_back"], back["rows"], back["rows_then"]) == ("people", True, 70, 60)
    assert tell("state", "export")[0]["bookmarks"]["people"] == 40
    load(newest, on_invalid_record="quarantine", **where)
    assert found(options) == expected

    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps({"streams": [
        {"stream": "people", "key_properties": ["id"], "metadata": [],
         "schema": {"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}},
    ]}))  # fmt: skip
    [again] = tell("replay", "people", "--catalog", str(catalog))
    assert (again["quarantined"], again["invalid"]) == (1, 1)


CHANGES = [
    (["--mode", "md5", "--count", "3"], "md5 id count=3"),
    (["--mode", "md5", "--count", "2"], "md5 id count=2"),
    (["--mode", "column", "--key", "name"], "column name"),
    (["--mode", "none"], "none"),
]


@pytest.mark.parametrize("options", ["small"], indirect=True)
def test_other_partitions(load: Load, tell: Told, options: dict[str, str]) -> None:
    """A table takes other partitions in its place, one kind after the other; its rows stay and its keys are found."""
    where: dict[str, Any] = {"path": ROOT, "storage_options": options}
    stream = schema("changes", ["id"], id="integer", name="string")
    load([stream, *(record("changes", id=number, name=f"ü {number % 3}/%") for number in range(100)), state(changes=0)],
         **where)  # fmt: skip

    for place, (argv, becomes) in enumerate(CHANGES):
        [done] = tell("repartition", "changes", *argv)
        load([stream, record("changes", id=place, name="new"), record("changes", id=200 + place, name="new")], **where)

        assert (done["becomes"], done["repartitioned"]) == (becomes, True)
        [now] = tell("repartition", "changes", "--plan", *argv)
        assert now["now"] == becomes
        assert all(row["good"] for row in tell("verify", "changes"))
        assert len(tell("peek", "changes", "--limit", "1000")) == 101 + place
    names = {path.partition("/")[0] for path in Store(f"{ROOT}/changes", options).names("")}
    assert "_repartition" not in names


@pytest.mark.parametrize("options", ["small"], indirect=True)
def test_rollback_past_other_partitions(load: Load, tell: Told, options: dict[str, str]) -> None:
    """A table that goes back to before a change of its partitions has those of before again."""
    where: dict[str, Any] = {"path": ROOT, "storage_options": options}
    stream = schema("back", ["id"], id="integer", name="string")
    rows = [record("back", id=number, name="x") for number in range(20)]
    load([stream, *rows, state(back=0)], partitioning={"mode": "md5", "count": 3}, **where)
    load([stream, record("back", id=50, name="y"), state(back=1)], **where)
    [last, *_] = tell("history", "back")

    tell("repartition", "back", "--mode", "md5", "--count", "5")
    tell("rollback", "--run", last["run"], "--with-later")
    load([stream, record("back", id=3, name="z"), record("back", id=60, name="z"), state(back=2)], **where)

    [now] = tell("repartition", "back", "--plan")
    assert now["now"] == "md5 id count=3"
    assert all(row["good"] for row in tell("verify", "back"))
    assert len(tell("peek", "back", "--limit", "100")) == 21


def test_other_partitions_that_break_off(load: Load, tmp_path: Path) -> None:
    """Wherever a change of partitions breaks off, the table is whole, and the same command brings it to its end."""
    stream = schema("people", ["id"], id="integer", name="string")
    ids = [*range(50)]
    with small_store() as store:
        where: dict[str, Any] = {"path": ROOT, "storage_options": store.s3 | {"max_retries": "0"}}
        config = tmp_path / "config.json"
        config.write_text(json.dumps(where))
        load([stream, *people(0, 50)], **where)
        argv = ["--config", str(config), "repartition", "people", "--mode", "md5", "--count"]
        store.requests()
        assert command_line(*argv, "2") == 0
        every = len(store.requests())

        for place, requests in enumerate(range(5, every, every // 3)):
            store.fail({"when": ".", "skip": requests, "cut": True})
            command_line(*argv, str(3 + place))
            store.fail()
            load([stream, *people(place, place + 1, "new")], **where)
            assert [number for number, _ in found(store.s3)] == ids
            assert command_line(*argv, str(3 + place)) == 0
            assert [number for number, _ in found(store.s3)] == ids
        assert command_line("--config", str(config), "verify") == 0


def test_rows_that_fit_no_partition(load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What stops a change of partitions on a disk stops it here, in the same words, and the table is as it was."""
    with small_store() as store:
        where: dict[str, Any] = {"path": ROOT, "storage_options": store.s3}
        config = tmp_path / "config.json"
        config.write_text(json.dumps(where))
        load([PEOPLE, *people(0, 5), record("people", id=9, name="")], **where)

        argv = ["--config", str(config), "repartition", "people", "--mode", "column", "--key", "name"]
        assert command_line(*argv) == 4

        assert "a partition column holds an empty text" in caplog.text
        assert len(found(store.s3)) == 6
        assert command_line("--config", str(config), "verify") == 0


@pytest.mark.parametrize("entry", [1, 2], ids=["announced", "written"])
def test_writer_that_is_faster(load: Load, tmp_path: Path, entry: int) -> None:
    """Where another writer takes the place of one of its two commits, the change of partitions begins again."""
    with small_store() as store:
        where: dict[str, Any] = {"path": ROOT, "storage_options": store.s3}
        config = tmp_path / "config.json"
        config.write_text(json.dumps(where))
        load([PEOPLE, *people(0, 50)], **where)
        lost = {"when": r"^PUT \S+/_delta_log/\d+\.json", "skip": entry - 1, "times": 1}
        store.fail(lost | {"status": 412, "code": "PreconditionFailed"})

        assert command_line("--config", str(config), "repartition", "people", "--mode", "md5", "--count", "2") == 0

        store.fail()
        assert [number for number, _ in found(store.s3)] == [*range(50)]
        assert command_line("--config", str(config), "verify") == 0


def test_upkeep_by_itself(load: Load) -> None:
    """After good runs small files become one there too."""
    with small_store() as store:
        where: dict[str, Any] = {"path": ROOT, "storage_options": store.s3, "compact_files": 2}
        for number in range(4):
            load([LOG, record("log", line=str(number)), state(log=number)], **where)

        table = DeltaTable(f"{ROOT}/log", storage_options=store.s3)
        assert sorted(table.to_pyarrow_table()["line"].to_pylist()) == [*map(str, range(4))]
        assert len(table.file_uris()) <= 3
