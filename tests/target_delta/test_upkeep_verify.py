"""Whether tables are what their logs say, and mending doubled keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from target_delta.checksum import checksum

from .conftest import Load, Rows, Verb, command_line, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer", name="string", size="number")


@pytest.fixture
def people(load: Load, warehouse: Path) -> Path:
    """A partitioned table of two files and three rows."""
    rows = [record("people", id=number, name=name, size=number / 2) for number, name in enumerate("abc")]
    load([PEOPLE, *rows, state(people=1)], partitioning={"mode": "numerical", "size": 2})
    return warehouse / "people"


def data_file(folder: Path) -> Path:
    return min(folder.rglob("part-*.parquet"))


def bad(verb: Verb, *argv: str) -> dict[str, Any]:
    """Return the examples of the checks that fail."""
    return {row["check"]: row["example"] for row in verb("verify", *argv, code=4) if not row["good"]}


def test_good_table(people: Path, verb: Verb) -> None:
    """Each check says how much it looked at, and finds nothing."""
    found = verb("verify", "people")

    assert [(row["check"], row["good"]) for row in found] == [
        ("log", True), ("files", True), ("rows", True), ("statistics", True), ("partitions", True), ("keys", True),
    ]  # fmt: skip
    assert all(row["looked_at"] and not row["problems"] for row in found)
    assert next(row["looked_at"] for row in found if row["check"] == "keys") == 3


def test_missing_and_cut_files(people: Path, verb: Verb) -> None:
    """A file that is gone or of another size is named; the rest is not read."""
    first, second, *_ = sorted(people.rglob("part-*.parquet"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])

    assert bad(verb)["files"].endswith(("is missing", f"not {second.stat().st_size + 1}"))
    assert [row["problems"] for row in verb("verify", "--quick", code=4) if row["check"] == "files"] == [2]


def rewrite_log(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the newest commit with a file says of that file."""
    path = next(
        path for path in sorted((folder / "_delta_log").glob("*.json"), reverse=True) if '"add"' in path.read_text()
    )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            said = json.loads(line["add"]["stats"])
            change(said)
            line["add"]["stats"] = json.dumps(said)
    path.write_text("\n".join(map(json.dumps, lines)))


LIES: list[tuple[str, Callable[[dict[str, Any]], Any], str, str]] = [
    ("rows", lambda said: said.update(numRecords=9), "rows", "rows, not 9"),
    ("low", lambda said: said["minValues"].update(id=99), "statistics", "id has values outside of its bounds"),
    ("high", lambda said: said["maxValues"].update(name="A"), "statistics", "name has values outside of its bounds"),
    ("nulls", lambda said: said["nullCount"].update(size=1), "statistics", "size is NULL 0 times, not 1"),
]


@pytest.mark.parametrize(("lie", "check", "words"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_statistics_that_lie(
    lie: Callable[[dict[str, Any]], None], check: str, words: str, people: Path, verb: Verb
) -> None:
    """What the log says of a file is compared with its rows: readers pass over files by it."""
    rewrite_log(people, lie)

    assert words in bad(verb)[check]


def test_last_instant_of_the_calendar(load: Load, verb: Verb) -> None:
    """Bounds are whole milliseconds, and none follows the last one of the year 9999, which often stands for never."""
    ends = {"type": ["string", "null"], "format": "date-time"}
    load(
        [schema("people", ["id"], id="integer", ends=ends), record("people", id=1, ends="9999-12-31T23:59:59.999999Z")]
    )

    assert all(row["good"] for row in verb("verify"))


def test_log_without_an_entry(people: Path, verb: Verb) -> None:
    """Behind a checkpoint every entry is there: where one is not, no reader sees the table as it was."""
    DeltaTable(people).create_checkpoint()
    doubled(people, 7)
    newest = max((people / "_delta_log").glob("*.json"))
    newest.write_text(newest.read_text() + "\n\n")
    assert all(row["good"] for row in verb("verify", "--quick"))

    newest.write_text(newest.read_text() + "{")

    assert command_line("verify", "--path", str(people.parent)) == 7


def test_row_in_the_wrong_partition(people: Path, verb: Verb) -> None:
    """A row of another partition would never be found again by its key."""
    rows = pq.read_table(data_file(people), partitioning=None)
    wrong = rows.set_column(0, "id", pa.array([7] * rows.num_rows, pa.int64()))
    wrong = wrong.append_column("_sdc_partition", pa.array(["0"] * rows.num_rows))
    write_deltalake(people, wrong, mode="append")

    assert "holds rows of another partition" in bad(verb)["partitions"]


def doubled(folder: Path, *ids: int, size: float = 9.0) -> None:
    """Let another program append rows whose keys are there."""
    rows = {"id": pa.array(ids, pa.int64()), "name": ["again"] * len(ids), "size": [size] * len(ids)}
    rows["_sdc_partition"] = [str(number // 2) for number in ids]
    write_deltalake(folder, pa.table(rows), mode="append")


def test_doubled_key_is_found_and_mended(people: Path, verb: Verb) -> None:
    """Of doubled keys the row that was written last stays; the dry run says how many rows would go."""
    doubled(people, 0, 2)

    assert "is there again" in bad(verb)["keys"]
    [planned] = verb("repair", "people", "--keys", "--dry-run")
    [done] = verb("repair", "people", "--keys")
    [again] = verb("repair", "people", "--keys")

    assert (planned["doubled"], planned["repaired"]) == (done["doubled"], False) == (2, False)
    assert (done["keys"], done["repaired"], again["doubled"]) == (["id"], True, 0)
    assert {row["id"]: row["name"] for row in verb("peek", "people")} == {0: "again", 1: "b", 2: "again"}
    assert all(row["good"] for row in verb("verify"))


def test_row_with_the_greatest_value_stays(people: Path, verb: Verb) -> None:
    """Where a column says which row is newer, the one with its greatest value stays; NULL is the least."""
    doubled(people, 0, 2, size=0.5)

    verb("repair", "people", "--keys", "--newest", "size")

    assert {row["id"]: row["name"] for row in verb("peek", "people")} == {0: "again", 1: "b", 2: "c"}


def test_keys_that_are_null(people: Path, verb: Verb) -> None:
    """NULL equals no key: such rows stay, and verify tells them."""
    rows = {"id": pa.nulls(2, pa.int64()), "name": ["x", "y"], "size": [1.0, 2.0], "_sdc_partition": ["null"] * 2}
    write_deltalake(people, pa.table(rows), mode="append")

    [done] = verb("repair", "people", "--keys")

    assert done["doubled"] == 0
    assert bad(verb)["keys"].endswith("holds a key that is NULL")


def test_keys_that_nobody_knows(load: Load, verb: Verb, rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    """A table of appended rows promises no keys: they are named, or the repair is refused (exit 2)."""
    log = schema("log", (), line="string")
    load([log, record("log", line="a"), record("log", line="a"), record("log", line="b")])

    verb("repair", "log", "--keys", code=2)
    [done] = verb("repair", "log", "--keys", "--key", "line")

    assert [message for message in caplog.messages if "nobody knows the keys of the table" in message]
    assert (done["doubled"], rows("log")) == (1, [{"line": "a"}, {"line": "b"}])


def test_table_after_repair_is_loaded_as_ever(people: Path, load: Load, verb: Verb) -> None:
    """The next upsert finds its keys, and each is there once."""
    doubled(people, 0)
    verb("repair", "people", "--keys")

    load([PEOPLE, record("people", id=0, name="new", size=1)])

    assert {row["id"]: row["name"] for row in verb("peek", "people")} == {0: "new", 1: "b", 2: "c"}
    assert DeltaTable(people).count() == 3


ROWS = st.lists(
    st.fixed_dictionaries({
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "f": st.none() | st.floats(allow_nan=False),
        "s": st.none() | st.text(max_size=3),
        "d": st.none() | st.decimals(-99, 99, places=2),
        "l": st.none() | st.lists(st.integers(0, 3), max_size=2),
        "b": st.none() | st.booleans(),
    }),
    max_size=12,
)  # fmt: skip
SCHEMA = pa.schema([
    ("i", pa.int64()), ("f", pa.float64()), ("s", pa.string()), ("d", pa.decimal128(10, 2)),
    ("l", pa.list_(pa.int64())), ("b", pa.bool_()),
])  # fmt: skip


@pytest.mark.slow
@given(ROWS, st.randoms(use_true_random=False))
def test_checksum_of_rows_in_any_order(values: list[dict[str, Any]], random: Any) -> None:
    """Rows in any order, in any pieces, have one checksum; one changed value changes it."""
    rows = pa.Table.from_pylist(values, SCHEMA)
    shuffled = random.sample(values, len(values))
    cut = random.randint(0, len(values))

    parts = [checksum(pa.Table.from_pylist(some, SCHEMA)) for some in (shuffled[:cut], shuffled[cut:])]

    assert sum(parts) % 2**64 == checksum(rows)
    for name in SCHEMA.names if values else ():
        other = {**values[0], name: None if values[0][name] is not None else SOME[name]}
        assert checksum(pa.Table.from_pylist([other, *values[1:]], SCHEMA)) != checksum(rows)


SOME = {"i": 5, "f": 0.0, "s": "", "d": 0, "l": [], "b": False}
