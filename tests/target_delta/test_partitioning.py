"""Which partitions a table gets, what it keeps of the decision, and what upserts make of them."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from singerkit.errors import SafetyStopError, SettingsError, StoreError
from target_delta.partition import Partitioning
from target_delta.partition_choice import wanted
from target_delta.schema import stream_schema

from .conftest import Load, Messages, activate, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from target_delta.schema import StreamSchema

TIME = {"type": ["string", "null"], "format": "date-time"}
PROPERTY = "target-delta.partitioning"


def described(by: tuple[str, ...] = ("id",), bookmark: str | None = None, **hint: Any) -> StreamSchema:
    properties = {
        "id": {"type": "integer"}, "name": {"type": "string"}, "tags": {"type": "array"},
        "made": TIME, "updated_at": TIME, "statement": TIME,
    }  # fmt: skip
    document = {"properties": properties} | ({"x-partition": hint} if hint else {})
    bookmarks = [bookmark] if bookmark else None
    return stream_schema({"stream": "s", "schema": document, "key_properties": by, "bookmark_properties": bookmarks})


@pytest.mark.parametrize(
    ("hint", "chosen"),
    [
        ({"mode": "md5", "keys": ["id"], "count": 8, "size": 5}, "md5 id count=8"),
        ({"mode": "md5", "keys": ["id"], "count": 1, "size": 5}, "none"),
        ({"mode": "numerical", "keys": ["id"], "count": 1, "size": 5}, "numerical id size=5"),
        ({"mode": "datetime", "keys": ["made"], "format": "day"}, "datetime made format=day"),
        ({"mode": "datetime", "keys": ["made"]}, "datetime made format=month"),
        ({"mode": "auto", "keys": ["id"], "count": 3}, "md5 id count=3"),
        ({"mode": "auto", "size": 10}, "numerical id size=10"),
        ({"mode": "auto", "keys": ["made"]}, "datetime made format=month"),
        ({"mode": "md5", "keys": ["id"]}, "none"),
        ({"mode": "datetime", "keys": ["updated_at"]}, "none"),
        ({"mode": "datetime", "keys": "made"}, "none"),
        ({"mode": ["md5"]}, "none"),
        ({}, "none"),
    ],
    ids=str,
)
def test_hint_of_the_tap(hint: dict[str, Any], chosen: str) -> None:
    """Under auto the tap's hint decides, as far as it says enough and names no column that changes."""
    assert str(wanted(described(**hint), {"mode": "auto"}).partitioning) == chosen


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"createdAt": TIME}, "datetime createdAt format=month"),
        ({"inserted_at": {"type": "string", "format": "date"}}, "datetime inserted_at format=month"),
        ({"created_at": {"type": "string"}}, "none"),
        ({"made": TIME}, "none"),
    ],
    ids=str,
)
def test_columns_alone(columns: dict[str, Any], chosen: str) -> None:
    """Without a hint, a time that by its name says when a row was made decides; else there are no partitions."""
    found = wanted(stream_schema(schema("s", ["id"], id="integer", **columns)), {"mode": "auto"})

    assert str(found.partitioning) == chosen
    assert found.reason


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"mode": "md5"}, "md5 needs a count"),
        ({"mode": "numerical"}, "numerical needs a size"),
        ({"mode": "datetime"}, "datetime needs one key"),
        ({"mode": "datetime", "keys": ["made", "updated_at"]}, "datetime needs one key"),
        ({"mode": "column"}, "column needs keys"),
        ({"mode": "column", "keys": ["name", "name"]}, "a column is named twice"),
        ({"mode": "md5", "count": 4, "keys": ["nobody"]}, "the SCHEMA has no column nobody"),
        ({"mode": "md5", "count": 4, "keys": ["tags"]}, "md5 cannot read the column tags, a json"),
        ({"mode": "datetime", "keys": ["updated_at"], "immutable": True}, "updated_at is a column that changes"),
        ({"mode": "column", "keys": ["name", "updated_at"]}, "column cannot read the column updated_at, a instant"),
        ({"mode": "datetime", "keys": ["made"]}, "made is the bookmark, which changes with its row"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_by_name(said: dict[str, Any], words: str) -> None:
    """What a mode lacks or cannot read, and a column that changes, is refused with its name."""
    with pytest.raises(SettingsError, match=words):
        wanted(described(bookmark="made"), said)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("id",), {"mode": "datetime", "keys": ["made"], "immutable": True}),
        (("id",), {"mode": "datetime", "keys": ["statement"]}),
        (("id", "updated_at"), {"mode": "datetime", "keys": ["updated_at"]}),
        ((), {"mode": "datetime", "keys": ["updated_at"]}),
    ],
    ids=["declared", "another name", "a key", "no keys"],
)
def test_what_does_not_change(keys: tuple[str, ...], said: dict[str, Any]) -> None:
    """A column is taken where it is a key, where no row is ever changed, or where it is declared immutable."""
    assert wanted(described(keys, bookmark="made"), said).partitioning.keys == tuple(said["keys"])


def test_setting_is_completed_by_the_hint() -> None:
    """What the setting leaves open, a hint of the same mode says; the table later has to have only what was set."""
    found = wanted(described(mode="md5", keys=["id"], count=8), {"mode": "md5"})

    assert (found.partitioning, found.said) == (Partitioning("md5", ("id",), count=8), {"mode": "md5"})


# tables

EVENTS = schema("events", ["id"], id="integer", at=TIME, v="integer")
BY_MD5 = {"partitioning": {"mode": "md5", "count": 4}}
BY_MONTH = {"partitioning": {"mode": "datetime", "keys": ["at"]}}
FOR_GOOD = {"partitioning": {"mode": "datetime", "keys": ["at"], "immutable": True}}
BY_COLUMN = {"partitioning": {"ev*": {"mode": "column", "keys": ["v"]}}}


def event(number: int, month: int | None, value: int) -> dict[str, Any]:
    return record("events", id=number, at=month and f"2024-{month:02}-02T00:00:00Z", v=value)


def partitions(folder: Path) -> list[str]:
    """Return the partition values of the live files, sorted."""
    actions = pa.table(DeltaTable(folder).get_add_actions(flatten=True))
    name = next(name for name in actions.column_names if name.startswith("partition."))
    return sorted(map(str, actions[name].to_pylist()))


def by_id(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(folder / "events").to_pyarrow_table().sort_by("id").to_pylist()
    return found


def hide(folder: Path, partition: str) -> None:
    """Make the data files of a partition unreadable: who looks into them fails."""
    for path in folder.rglob("*.parquet"):
        if partition in str(path.parent):
            path.write_bytes(b"")


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (BY_MD5, ["0", "2", "3"]),
        ({"partitioning": {"events": {"mode": "numerical", "size": 2}}}, ["0", "1", "2"]),
        (BY_MONTH, ["2024-01", "2024-02", "null"]),
        (BY_COLUMN, ["0", "1"]),
        ({"partitioning": {"other": {"mode": "none"}}}, None),
    ],
    ids=["md5", "numerical", "datetime", "column", "none"],
)
@pytest.mark.parametrize("method", ["append-only", "upsert", "overwrite"])
def test_rows_lie_in_their_partitions(load: Load, warehouse: Path, config: Any, found: Any, method: str) -> None:
    """However rows come, they are in the partition of their columns, and the table remembers why it has them."""
    messages = [EVENTS, *(event(number, number % 3 or None, number % 2) for number in range(5))]

    load(messages, load_method=method, **config)

    delta = DeltaTable(warehouse / "events")
    assert sorted(row["id"] for row in delta.to_pyarrow_table().to_pylist()) == [0, 1, 2, 3, 4]
    assert json.loads(delta.metadata().configuration[PROPERTY])["reason"]
    assert found is None or partitions(warehouse / "events") == found


def hinted(count: int) -> dict[str, Any]:
    hint = {"x-partition": {"mode": "md5", "keys": ["id"], "count": count}}
    return {**EVENTS, "schema": {**EVENTS["schema"], **hint}}


def test_record_and_batch_agree(load: Load, warehouse: Path, tmp_path: Path) -> None:
    """A value is in the same partition whether it comes as JSON or in a file, in whatever width the file has it."""
    described = schema("s", ["day", "id"], day={"type": "string", "format": "date"}, id="integer", v="integer")
    days = [date(2024, 1, number + 1) for number in range(20)]
    records = [record("s", day=str(day), id=number, v=1) for number, day in enumerate(days)]
    file = tmp_path / "rows.parquet"
    ids = pa.array(range(20), pa.int16())
    pq.write_table(pa.table({"day": pa.array(days), "id": ids, "v": ids}), file)
    manifest = [f"file://{file}"]
    batch = {"type": "BATCH", "stream": "s", "encoding": {"format": "parquet"}, "manifest": manifest}

    load([described, *records], partitioning={"mode": "md5", "count": 7})
    first = {row["id"]: row["_sdc_partition"] for row in DeltaTable(warehouse / "s").to_pyarrow_table().to_pylist()}
    load([described, batch], partitioning={"mode": "md5", "count": 7})

    found = DeltaTable(warehouse / "s").to_pyarrow_table().to_pylist()
    assert {row["id"]: row["_sdc_partition"] for row in found} == first
    assert sorted(row["v"] for row in found) == list(range(20))
    assert first[5] == str(int(hashlib.md5(b"2024-01-06|5").hexdigest(), 16) % 7)


def test_decision_stays(load: Load, warehouse: Path) -> None:
    """A hint that comes later changes nothing; a setting that differs stops the run, and says what to do."""
    load([EVENTS, event(1, 1, 1)])
    load([hinted(4), event(2, 1, 1)])
    assert DeltaTable(warehouse / "events").metadata().partition_columns == []

    with pytest.raises(
        SafetyStopError,
        match=r"other partitions than the settings.*table=none, settings=md5 id count=4\); .*repartition",
    ):
        load([EVENTS, event(3, 1, 1)], **BY_MD5)

    assert DeltaTable(warehouse / "events").count() == 2


def test_setting_that_the_table_has(load: Load, warehouse: Path) -> None:
    """A setting is compared by what it says itself: a hint whose count has grown changes nothing, a set one stops."""
    load([hinted(4), event(1, 1, 1)], partitioning={"mode": "md5"})
    load([hinted(9), event(1, 1, 2)], partitioning={"mode": "md5"})
    assert DeltaTable(warehouse / "events").count() == 1

    with pytest.raises(SafetyStopError, match="table=md5 id count=4, settings=md5 id count=8"):
        load([EVENTS, event(1, 1, 3)], partitioning={"mode": "md5", "count": 8})


@pytest.mark.parametrize("config", [BY_MONTH, BY_COLUMN], ids=["derived", "column"])
def test_key_that_turns_up_elsewhere_has_moved(load: Load, warehouse: Path, config: Any) -> None:
    """A key that is found in another partition is there once, in the new one."""
    load([EVENTS, event(1, 1, 1), event(2, 1, 1)], **config)

    load([EVENTS, event(1, 2, 2)], **config)

    assert [(row["id"], row["v"]) for row in by_id(warehouse)] == [(1, 2), (2, 1)]


def test_partition_that_follows_from_the_keys(load: Load, warehouse: Path) -> None:
    """An upsert opens files of the partitions of its own keys alone, whatever the bounds of the others."""
    load([EVENTS, *(event(number, 1, 1) for number in range(12))], **BY_MD5)
    hide(warehouse / "events", "_sdc_partition=2")  # 0, 9 and 11

    load([EVENTS, event(4, 1, 2), event(99, 2, 2)], **BY_MD5)

    assert partitions(warehouse / "events") == ["0", "1", "2", "3", "3"]


def test_partition_that_is_declared_immutable(load: Load, warehouse: Path) -> None:
    """With the promise an upsert opens the partitions of its rows alone; without it, all that may hold the keys."""
    load([EVENTS, *(event(number, 1 + number % 2, 1) for number in range(10))], **FOR_GOOD)
    hide(warehouse / "events", "_sdc_partition=2024-02")

    load([EVENTS, event(4, 1, 2)], **FOR_GOOD)

    assert partitions(warehouse / "events") == ["2024-01", "2024-02"]
    with pytest.raises(StoreError):
        load([EVENTS, event(4, 1, 2)], **BY_MONTH)


@pytest.mark.parametrize(
    "later",
    [
        [event(3, None, 2)],
        [record("events", id=3, v=2, _sdc_omitted=["at"])],
        [event(7, 2, 2), record("events", id=3, v=2)],
    ],
    ids=["NULL", "omitted", "one of them"],
)
def test_immutable_and_not_said(load: Load, warehouse: Path, later: Messages) -> None:
    """A row that does not say its partition is looked for everywhere; one that was stored so is found again."""
    load([EVENTS, *(event(number, 1 + number % 2, 1) for number in range(10))], **FOR_GOOD)

    load([EVENTS, *later], **FOR_GOOD)
    assert [row["id"] for row in by_id(warehouse)] == list(range(10))
    assert by_id(warehouse)[3]["v"] == 2

    load([EVENTS, event(3, 2, 3)], **FOR_GOOD)
    assert [row["id"] for row in by_id(warehouse)] == list(range(10))
    assert (by_id(warehouse)[3]["v"], by_id(warehouse)[3]["_sdc_partition"]) == (3, "2024-02")


def test_promise_is_about_its_own_columns(load: Load, warehouse: Path) -> None:
    """What a hint says of its columns says nothing of a table that is partitioned by others."""
    write_deltalake(warehouse / "events", pa.table({"id": [1], "v": [1]}), partition_by=["v"])
    hint = {"x-partition": {"mode": "datetime", "keys": ["at"], "immutable": True}}

    load([{**EVENTS, "schema": {**EVENTS["schema"], **hint}}, event(1, 1, 2)])

    assert [(row["id"], row["v"]) for row in by_id(warehouse)] == [(1, 2)]


def test_stored_value_decides_the_partition(load: Load, warehouse: Path) -> None:
    """A row that omits the column of its partition stays where it was."""
    load([EVENTS, event(1, 1, 1)], **BY_MONTH)

    load([EVENTS, record("events", id=1, v=2, _sdc_omitted=["at"])], **BY_MONTH)

    assert [(row["v"], row["_sdc_partition"]) for row in by_id(warehouse)] == [(2, "2024-01")]


def test_deleted_rows_leave_their_partition(load: Load, warehouse: Path) -> None:
    """A row that says no more than its key and that it was deleted is found, whatever its partition."""
    described = schema("events", ["id"], id="integer", at=TIME, v="integer", _sdc_deleted_at=TIME)
    load([described, event(1, 1, 1), event(2, 2, 1)], hard_delete=True, **FOR_GOOD)

    load([described, record("events", id=1, _sdc_deleted_at="2024-03-01T00:00:00Z")], hard_delete=True, **FOR_GOOD)

    assert [row["id"] for row in by_id(warehouse)] == [2]


@pytest.mark.slow
@pytest.mark.parametrize("config", [BY_MD5, BY_MONTH, BY_COLUMN], ids=["md5", "datetime", "column"])
@pytest.mark.parametrize("method", ["upsert", "overwrite-stale"])
def test_full_load_keeps_the_partitions(load: Load, warehouse: Path, config: Any, method: str) -> None:
    """A full load is staged in the table's partitions, with new columns; a key that comes twice is there once."""
    load([EVENTS, event(1, 1, 1), event(2, 2, 1)], **config)
    wider = schema("events", ["id"], id="integer", at=TIME, v="integer", note="string")
    messages = [wider, activate("events", 5), event(2, 1, 1), event(3, None, 2), event(2, 3, 2), activate("events", 5)]

    load([*messages, state(events=1)], load_method=method, stale_threshold=100, hard_delete=True, **config)

    delta = DeltaTable(warehouse / "events")
    found = sorted((row["id"], row["v"], row["note"]) for row in delta.to_pyarrow_table().to_pylist())
    assert found == [(2, 2, None), (3, 2, None)]
    assert PROPERTY in delta.metadata().configuration
    assert len(delta.metadata().partition_columns) == 1


def test_full_load_without_the_partition_column(load: Load, warehouse: Path) -> None:
    """A full load that lacks a column of the partitions is refused by name, and the table is as it was."""
    load([EVENTS, event(1, 1, 1)], **BY_COLUMN)
    narrow = schema("events", ["id"], id="integer")

    with pytest.raises(SafetyStopError, match=r"lacks a column by which the table is partitioned .*column=v"):
        load([narrow, activate("events", 5), record("events", id=2), activate("events", 5)])

    assert DeltaTable(warehouse / "events").count() == 1


def test_column_of_that_name(load: Load, warehouse: Path) -> None:
    """A SCHEMA's own `_sdc_partition` is an ordinary column, but not in a table that keeps its partitions there."""
    own = schema("events", ["id"], id="integer", created_at=TIME, _sdc_partition="string")
    load([own, record("events", id=1, _sdc_partition="mine")])
    assert DeltaTable(warehouse / "events").to_pyarrow_table()["_sdc_partition"].to_pylist() == ["mine"]

    load([schema("s", ["id"], id="integer"), record("s", id=1)], partitioning={"mode": "md5", "count": 2})
    with pytest.raises(SafetyStopError, match="has a column _sdc_partition, in which the table keeps"):
        load([schema("s", ["id"], id="integer", _sdc_partition="string"), record("s", id=1, _sdc_partition="x")])


def test_partitions_of_other_programs(load: Load, warehouse: Path) -> None:
    """Partition columns of a table count as they are; `_sdc_partition` without the property says nothing."""
    folder = warehouse / "s"
    write_deltalake(folder, pa.table({"id": [1], "_sdc_partition": ["x"]}), partition_by=["_sdc_partition"])

    with pytest.raises(SafetyStopError, match="does not say how"):
        load([schema("s", ["id"], id="integer"), record("s", id=1)])

    assert DeltaTable(folder).count() == 1


def test_table_that_was_made_meanwhile(load: Load, warehouse: Path) -> None:
    """Rows that were staged for other partitions than the table has by now are not committed to it."""
    begin = [state(), EVENTS, activate("events", 5), event(1, 1, 1)]
    progress = state(events={"full_load": {"version": 5, "below": 1}})
    with pytest.raises(SafetyStopError, match="before the second"):
        load([*begin, progress])
    load([EVENTS, event(7, 1, 7)], activate_version="ignore", **BY_MD5)

    with pytest.raises(SafetyStopError, match="files were written for other partitions than the table has by now"):
        load([progress, EVENTS, activate("events", 5), event(2, 1, 1), activate("events", 5)])

    assert DeltaTable(warehouse / "events").to_pyarrow_table()["id"].to_pylist() == [7]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"mode": "sometimes"}, "partitioning.mode: must be auto or none"),
        ({"mode": "md5", "count": 0}, "partitioning.count: must be at least 1"),
        ({"events": {"count": 4}}, "mode: missing"),
        ({"mode": "md5", "cuont": 4}, "cuont: unknown"),
        ({"events": "md5"}, "partitioning.events: must be an object"),
    ],
    ids=str,
)
def test_bad_settings(load: Load, said: Any, words: str) -> None:
    """What cannot be meant is refused before anything is read."""
    with pytest.raises(SettingsError, match=words):
        load([], partitioning=said)
