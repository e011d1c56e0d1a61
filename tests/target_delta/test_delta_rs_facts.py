"""What delta-rs does that our own commits are built around; a case that fails here is a reason to build less."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

if TYPE_CHECKING:
    from pathlib import Path

ONE = pa.table({"id": pa.array([1], pa.int64())})
NO_RETRY = CommitProperties(max_commit_retries=0)


def add(folder: Path, name: str, table: pa.Table = ONE, partition: dict[str, str | None] | None = None) -> AddAction:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return AddAction(name, path.stat().st_size, partition or {}, 0, True, json.dumps({"numRecords": table.num_rows}))


def commit(delta: DeltaTable, actions: list[Any], **properties: Any) -> None:
    delta.create_write_transaction(
        actions, mode="append", schema=delta.schema(), commit_properties=CommitProperties(**properties)
    )


def count(folder: Path) -> int:
    return int(DeltaTable(folder).count())


def test_two_inserts_from_one_snapshot(tmp_path: Path) -> None:
    """With its own retries delta-rs lets both commit, and a key is there twice; with none the second fails."""
    write_deltalake(tmp_path, ONE)
    first, second, third = (DeltaTable(tmp_path) for _ in range(3))

    commit(first, [add(tmp_path, "a.parquet")])
    commit(second, [add(tmp_path, "b.parquet")])

    assert count(tmp_path) == 3
    with pytest.raises(CommitFailedError):
        commit(third, [add(tmp_path, "c.parquet")], max_commit_retries=0)


def test_transaction_is_recorded_and_not_refused(tmp_path: Path) -> None:
    """The same transaction version commits twice: reading it before writing is up to the writer."""
    write_deltalake(tmp_path, ONE)

    for name in ("a.parquet", "b.parquet"):
        commit(DeltaTable(tmp_path), [add(tmp_path, name)], app_transactions=[Transaction("x", 1)])

    assert count(tmp_path) == 3


def test_handle_is_not_refreshed_by_its_own_commit(tmp_path: Path) -> None:
    """The snapshot that a commit was made from stays what it was."""
    write_deltalake(tmp_path, ONE)
    delta = DeltaTable(tmp_path)

    commit(delta, [add(tmp_path, "a.parquet")])

    assert delta.version() == 0
    delta.update_incremental()
    assert delta.version() == 1


@pytest.mark.parametrize("value", ["a b", "a:b", "a%b", "ü"])
def test_remove_by_the_path_of_the_log_removes_nothing(tmp_path: Path, value: str) -> None:
    """The path that get_add_actions shows is encoded; a Remove encodes it again, commits, and nothing is removed."""
    table = pa.table({"id": pa.array([1], pa.int64()), "p": [value]})
    write_deltalake(tmp_path, table, partition_by="p")
    delta = DeltaTable(tmp_path)
    path = pa.table(delta.get_add_actions(flatten=True))["path"][0].as_py()

    remove = RemoveAction(path, data_change=True, deletion_timestamp=0, size=1, partition_values={"p": value})
    delta.create_write_transaction([remove], mode="append", schema=delta.schema(), partition_by=["p"])

    assert count(tmp_path) == 1


def test_append_with_a_new_column_loses_it(tmp_path: Path) -> None:
    """A transaction in append mode leaves the table's schema as it was."""
    write_deltalake(tmp_path, ONE)
    wider = ONE.append_column("more", pa.array(["x"]))
    delta = DeltaTable(tmp_path)

    delta.create_write_transaction(
        [add(tmp_path, "a.parquet", wider)], mode="append", schema=Schema.from_arrow(wider.schema)
    )

    assert [field.name for field in DeltaTable(tmp_path).schema().fields] == ["id"]


def test_folder_with_an_encoded_name(tmp_path: Path) -> None:
    """Of a folder whose name looks encoded delta-rs writes one and reads another."""
    with pytest.raises(DeltaError, match="File not found"):
        write_deltalake(tmp_path / "a%20b", ONE)

    assert [path.name for path in tmp_path.iterdir()] == ["a%20b"]


def test_overwrite_changes_the_schema_in_the_same_commit(tmp_path: Path) -> None:
    """A transaction in overwrite mode removes all files and takes the new columns at once."""
    write_deltalake(tmp_path, ONE)
    other = pa.table({"name": ["x"]})
    delta = DeltaTable(tmp_path)

    delta.create_write_transaction(
        [add(tmp_path, "a.parquet", other)], mode="overwrite", schema=Schema.from_arrow(other.schema)
    )

    assert DeltaTable(tmp_path).version() == 1
    assert [field.name for field in DeltaTable(tmp_path).schema().fields] == ["name"]


def test_overwrite_with_a_first_local_timestamp_breaks_the_table(tmp_path: Path) -> None:
    """An overwrite does not enable the table feature that its schema needs: the commit lands, no reader opens it."""
    write_deltalake(tmp_path, ONE)
    delta = DeltaTable(tmp_path)
    local = pa.schema([("t", pa.timestamp("us"))])

    with pytest.raises(DeltaError):
        delta.create_write_transaction([], mode="overwrite", schema=Schema.from_arrow(local))

    with pytest.raises(DeltaError, match="TIMESTAMP_NTZ"):
        DeltaTable(tmp_path)


def test_appends_and_merge_cast_silently(tmp_path: Path) -> None:
    """1.5 becomes 1: whatever reaches delta-rs must already have the table's types."""
    write_deltalake(tmp_path, ONE)

    write_deltalake(tmp_path, pa.table({"id": [1.5]}), mode="append", schema_mode="merge")

    assert sorted(pa.table(DeltaTable(tmp_path).to_pyarrow_table())["id"].to_pylist()) == [1, 1]


def test_merge_inserts_a_new_key_twice(tmp_path: Path) -> None:
    """MERGE refuses two source rows for a key that is there, and inserts both for one that is not."""
    write_deltalake(tmp_path, ONE)
    twice = pa.table({"id": pa.array([2, 2], pa.int64())})

    merge = DeltaTable(tmp_path).merge(twice, "t.id = s.id", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()

    assert count(tmp_path) == 3


def test_empty_partition_value_is_null(tmp_path: Path) -> None:
    """An empty text in a partition column is read back as NULL."""
    write_deltalake(tmp_path, pa.table({"id": [1], "p": [""]}), partition_by="p")

    assert DeltaTable(tmp_path).to_pyarrow_table()["p"].to_pylist() == [None]


def test_overwrite_changes_partitions_and_no_property(tmp_path: Path) -> None:
    """An overwrite with its own schema changes the partition columns in its one commit, and leaves the properties."""
    write_deltalake(tmp_path, ONE, configuration={"delta.appendOnly": "false"}, name="people")
    rows = ONE.append_column("p", pa.array(["x"]))

    write_deltalake(
        DeltaTable(tmp_path), rows, mode="overwrite", schema_mode="overwrite", partition_by=["p"],
        configuration={"delta.appendOnly": "true"}, commit_properties=NO_RETRY,
    )  # fmt: skip

    found = DeltaTable(tmp_path)
    assert (found.version(), found.metadata().partition_columns, found.metadata().name) == (1, ["p"], "people")
    assert found.metadata().configuration == {"delta.appendOnly": "false"}
