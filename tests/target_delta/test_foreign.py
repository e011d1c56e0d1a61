"""Tables that only delta-rs itself may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from singerkit.errors import SafetyStopError, StoreError
from target_delta.foreign import predicate

from .conftest import Load, Rows, activate, record, schema

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer", name="string")
ROWS = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["a", "b"]})


def with_change_feed(folder: Path) -> None:
    write_deltalake(folder, ROWS, configuration={"delta.enableChangeDataFeed": "true"})


def with_constraint(folder: Path) -> None:
    write_deltalake(folder, ROWS)
    DeltaTable(folder).alter.add_constraint({"positive": "id > 0"})


TABLES = [with_change_feed, with_constraint]


@pytest.mark.parametrize("make", TABLES)
def test_upsert(load: Load, rows: Rows, warehouse: Path, make: Any) -> None:
    """Rows are merged by delta-rs, with the last row of a key."""
    make(warehouse / "people")

    load([PEOPLE, record("people", id=2, name="x"), record("people", id=2, name="y"), record("people", id=3, name="c")])

    found = DeltaTable(warehouse / "people").to_pyarrow_table().to_pylist()
    assert sorted((row["id"], row["name"]) for row in found) == [(1, "a"), (2, "y"), (3, "c")]


@pytest.mark.parametrize("make", TABLES)
def test_append(load: Load, warehouse: Path, make: Any) -> None:
    """Rows are appended by delta-rs, several batches in one."""
    make(warehouse / "people")

    load([PEOPLE, *(record("people", id=n, name="x") for n in (1, 2, 3))], load_method="append-only")

    assert DeltaTable(warehouse / "people").count() == 5


def test_change_feed_is_written(load: Load, warehouse: Path) -> None:
    """The feed of the table says what an upsert changed."""
    with_change_feed(warehouse / "people")

    load([PEOPLE, record("people", id=2, name="x")])

    changes = pa.table(DeltaTable(warehouse / "people").load_cdf(1, 1).read_all())
    assert sorted(changes["_change_type"].to_pylist()) == ["update_postimage", "update_preimage"]


def test_constraint_is_kept(load: Load, warehouse: Path) -> None:
    """A row that breaks a constraint ends the run and is not in the table."""
    with_constraint(warehouse / "people")

    with pytest.raises(StoreError, match=r"positive|constraint|invariant"):
        load([PEOPLE, record("people", id=-1, name="x")])

    assert DeltaTable(warehouse / "people").count() == 2


def test_full_load_is_refused(load: Load, warehouse: Path) -> None:
    """A swap would pass by what the table promises to its readers."""
    with_change_feed(warehouse / "people")

    with pytest.raises(SafetyStopError, match="cannot replace a table with these features"):
        load([PEOPLE, activate("people", 5), record("people", id=9, name="x"), activate("people", 5)])

    assert DeltaTable(warehouse / "people").count() == 2


def test_derived_partitions(load: Load, warehouse: Path) -> None:
    """A table whose partitions follow from the keys keeps them, each key once, also where delta-rs writes it."""
    how = {"partitioning": {"mode": "md5", "count": 3}}
    load([PEOPLE, *(record("people", id=number, name="a") for number in range(6))], **how)
    DeltaTable(warehouse / "people").alter.set_table_properties({"delta.enableChangeDataFeed": "true"})

    load([PEOPLE, record("people", id=2, name="b"), record("people", id=9, name="b")], **how)

    found = DeltaTable(warehouse / "people").to_pyarrow_table().sort_by("id").to_pylist()
    assert [(row["id"], row["name"]) for row in found] == [*((n, "b" if n == 2 else "a") for n in range(6)), (9, "b")]
    assert [row["_sdc_partition"] for row in found] == ["1", "1", "0", "1", "2", "0", "2"]


def test_partition_values_are_literals() -> None:
    """MERGE prunes by literals; quotes in names and values are doubled."""
    rows = pa.table({'a"b': [1], "p": ["it's"]})

    assert predicate(rows, ['a"b', "p"], ["p"]) == 't."a""b" = s."a""b" and t."p" = s."p" and t."p" in (\'it\'\'s\')'
