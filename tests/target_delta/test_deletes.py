"""Rows that the source deleted: marked or gone, by their own word or because a full load lacks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable, write_deltalake

from singerkit.errors import SafetyStopError, SettingsError

from .conftest import Load, Rows, activate, read_table, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

AT = "2024-01-02T03:04:05+00:00"
PEOPLE = schema("people", ["id"], id="integer", name="string")
MARKED = schema(
    "people", ["id"], id="integer", name="string", _sdc_deleted_at={"type": ["string", "null"], "format": "date-time"}
)
STALE = {"load_method": "overwrite-stale", "stale_threshold": 50}


def person(number: int, name: str = "x", **more: Any) -> dict[str, Any]:
    return record("people", id=number, name=name, **more)


def ids(rows: Rows) -> list[int]:
    return [row["id"] for row in rows("people")]


def deleted(rows: Rows) -> list[int]:
    return [row["id"] for row in rows("people") if row["_sdc_deleted_at"] is not None]


def full(*rows: dict[str, Any], version: int = 5) -> list[dict[str, Any]]:
    return [PEOPLE, activate("people", version), *rows, activate("people", version)]


def test_deleted_row_stays_with_its_time(load: Load, rows: Rows) -> None:
    """By default a row that comes with _sdc_deleted_at is upserted like any other."""
    load([MARKED, person(1), person(2)])

    load([MARKED, person(1, _sdc_deleted_at=AT)])

    assert ids(rows) == [1, 2]
    assert deleted(rows) == [1]


def test_hard_delete(load: Load, rows: Rows) -> None:
    """With hard_delete the key leaves the table; one that was not there leaves no trace, one that returns is there."""
    load([MARKED, person(1), person(2), person(3)])
    gone = [person(number, _sdc_deleted_at=AT) for number in (1, 2, 9)]

    load([MARKED, *gone, person(2, "back"), person(4)], hard_delete=True)

    assert [(row["id"], row["name"]) for row in rows("people")] == [(2, "back"), (3, "x"), (4, "x")]


def test_hard_delete_in_a_partitioned_table(load: Load, warehouse: Path) -> None:
    """A deletion finds its row in whatever partition it lies; what else it says of the row matters not."""
    load([MARKED, person(1, "a"), person(2, "b")])
    table = read_table(warehouse / "people")
    write_deltalake(warehouse / "people", table, mode="overwrite", partition_by=["name"], schema_mode="overwrite")

    load([MARKED, person(1, "", _sdc_deleted_at=AT), person(3, "b")], hard_delete=True)

    assert sorted(DeltaTable(warehouse / "people").to_pyarrow_table()["id"].to_pylist()) == [2, 3]


@pytest.mark.parametrize("method", ["upsert", "overwrite"])
def test_hard_delete_within_a_full_load(load: Load, rows: Rows, method: str) -> None:
    """A row that a full load sends and then calls deleted is not in the table."""
    gone = person(1, _sdc_deleted_at=AT)

    load([MARKED, activate("people", 5), person(1), person(2), gone, activate("people", 5)],
         hard_delete=True, load_method=method)  # fmt: skip

    assert ids(rows) == [2]


def test_stale_rows_are_marked(load: Load, rows: Rows) -> None:
    """Rows that a full load lacks stay with the time of the run; one marked before keeps its own; one may return."""
    load([PEOPLE, person(1), person(2), person(3), person(4)])
    load(full(person(1), person(2), person(3)), **STALE)
    first = {row["id"]: row["_sdc_deleted_at"] for row in rows("people")}

    load(full(person(1, "new"), person(4), version=6), **STALE | {"stale_threshold": 70})

    second = {row["id"]: row["_sdc_deleted_at"] for row in rows("people")}
    assert [first[number] is None for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert [second[number] is None for number in (1, 2, 3, 4)] == [True, False, False, True]
    assert [row["name"] for row in rows("people")] == ["new", "x", "x", "x"]


def test_stale_rows_leave(load: Load, rows: Rows) -> None:
    """With hard_delete they are gone."""
    load([PEOPLE, person(1), person(2), person(3)])

    load(full(person(2), person(3), person(4)), **STALE, hard_delete=True)

    assert ids(rows) == [2, 3, 4]


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
def test_threshold(load: Load, rows: Rows, capsys: pytest.CaptureFixture[str], *, hard: bool) -> None:
    """A load that lacks more than the threshold stops with 4: table and bookmark are as they were."""
    load([PEOPLE, person(1), person(2), person(3)])

    with pytest.raises(SafetyStopError, match=r"lacks more of the table's rows.*missing=2, rows=3, threshold=50%"):
        load([*full(person(3)), state(people=1)], **STALE, hard_delete=hard)

    assert ids(rows) == [1, 2, 3]
    assert capsys.readouterr().out == ""


def test_rows_marked_before_do_not_count(load: Load, rows: Rows) -> None:
    """The threshold is a share of the living rows, and only they are newly missing."""
    load([MARKED, *(person(number, _sdc_deleted_at=AT) for number in range(10)), person(10), person(11)])

    load(full(person(10)), **STALE)

    assert len(deleted(rows)) == 11


def test_columns_of_rows_that_stay(load: Load, rows: Rows) -> None:
    """A column that the load has no more stays for the rows that stay."""
    load([schema("people", ["id"], id="integer", name="string", age="integer"), *(
        record("people", id=number, name="x", age=number) for number in (1, 2)
    )])  # fmt: skip

    load(full(person(1)), **STALE)

    assert [(row["id"], row["age"]) for row in rows("people")] == [(1, None), (2, 2)]


def test_end_of_input_completes(load: Load, rows: Rows) -> None:
    """A tap without ACTIVATE_VERSION ends its load with its output; the threshold guards against one that crashed."""
    load([PEOPLE, person(1), person(2)])

    load([PEOPLE, person(2), person(3)], **STALE)

    assert deleted(rows) == [1]


def test_first_load(load: Load, rows: Rows) -> None:
    """Nothing is missing from a table that was not there."""
    load(full(person(1)), **STALE)

    assert ids(rows) == [1]


def test_stream_without_keys(load: Load) -> None:
    """Without keys no row is known again, and the setting is refused."""
    with pytest.raises(SettingsError, match="load_method is overwrite-stale for a stream that has no keys"):
        load([schema("log", (), line="string"), record("log", line="a")], load_method="overwrite-stale")
