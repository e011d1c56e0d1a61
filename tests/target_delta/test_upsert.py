"""Upserts against a dictionary by key, and against delta-rs MERGE."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from target_delta.commit import Committer, check
from target_delta.files import Layout
from target_delta.loaders import SoFar, Upserter
from target_delta.plan import Change
from target_delta.snapshot import LiveFile
from target_delta.store import Store
from target_delta.table import Table

from .conftest import read_table

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string()), ("v", pa.int64()), ("t", pa.timestamp("us", "UTC"))])
KEYS = ["a", "b"]


def upserter(folder: Path, schema: pa.Schema = SCHEMA, keys: list[str] = KEYS) -> Upserter:
    committer = Committer(Table(Store(str(folder), {}), "stream"), "run")
    return Upserter(committer, schema, keys, Layout())


def upsert(folder: Path, rows: pa.Table, keys: list[str] = KEYS) -> Change:
    loader = upserter(folder, rows.schema, keys)
    loader.write(rows)
    return loader.settle(SoFar())


ROW = st.fixed_dictionaries({
    "a": st.integers(-3, 8),
    "b": st.sampled_from(["", "x", "X", "x" * 40, "x" * 40 + "y", "ü"]),
    "v": st.integers(0, 99),
    "t": st.none() | st.integers(0, 2**40).map(lambda us: datetime.fromtimestamp(us / 1e6, UTC)),
})  # fmt: skip
BATCHES = st.lists(st.lists(ROW, min_size=1, max_size=12), min_size=1, max_size=6)


def as_table(batch: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(batch, schema=SCHEMA)


@settings(max_examples=15)
@given(BATCHES)
def test_model_is_a_dictionary(batches: list[list[dict[str, Any]]]) -> None:
    """After any batches the table holds the last row of every key, and every key once."""
    model: dict[tuple[Any, ...], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for batch in batches:
            for row in as_table(batch).to_pylist():
                model[row["a"], row["b"]] = row
            upsert(Path(folder), as_table(batch))

        found = read_table(Path(folder)).to_pylist()

    assert sorted(map(str, found)) == sorted(map(str, model.values()))


@settings(max_examples=12)
@given(st.lists(ROW, min_size=1, max_size=20), st.lists(ROW, min_size=1, max_size=20))
def test_oracle_is_merge(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Our own rewriting of files and delta-rs MERGE leave equal tables."""
    from target_delta.keys import last_per_key

    start, change = (last_per_key(as_table(rows), KEYS) for rows in (first, second))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
        for path in (ours, theirs):
            write_deltalake(path, start)

        upsert(ours, change)
        merge = DeltaTable(theirs).merge(change, "t.a = s.a and t.b = s.b", source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()

        assert sorted(map(str, read_table(ours).to_pylist())) == sorted(map(str, read_table(theirs).to_pylist()))


def numbered(low: int, high: int, value: int) -> pa.Table:
    return pa.table({"id": pa.array(range(low, high), pa.int64()), "v": pa.array([value] * (high - low), pa.int64())})


def test_only_files_with_affected_keys_are_touched(tmp_path: Path) -> None:
    """A file whose statistics or whose keys rule it out stays as it is."""
    for low in (0, 100, 200):
        upsert(tmp_path, numbered(low, low + 50, 0), ["id"])
    before = set(DeltaTable(tmp_path).file_uris())

    change = upsert(tmp_path, numbered(110, 112, 1), ["id"])

    assert (change.updated, change.inserted, len(change.removes), len(change.adds)) == (2, 0, 1, 1)
    assert len(before & set(DeltaTable(tmp_path).file_uris())) == 2


def test_bound_that_was_cut_to_milliseconds(tmp_path: Path) -> None:
    """A key is found in a file whose greatest instant another program wrote in whole milliseconds, cut off."""
    at = datetime(2024, 1, 2, 3, 4, 5, 678_901, UTC)
    rows = pa.table({"at": pa.array([at], pa.timestamp("us", "UTC")), "v": [1]})
    upsert(tmp_path, rows, ["at"])
    entry = tmp_path / "_delta_log" / f"{1:020}.json"
    entry.write_text(entry.read_text().replace("05.679Z", "05.678Z"))

    change = upsert(tmp_path, rows, ["at"])

    assert (change.updated, change.inserted) == (1, 0)


def test_key_that_is_named_like_a_field_of_a_struct(tmp_path: Path) -> None:
    """Bounds of the field `b` of `a` are not those of the key `a.b`."""
    rows = pa.table({"a": [{"b": 7}], "a.b": pa.array([1], pa.int64())})
    upsert(tmp_path, rows, ["a.b"])

    change = upsert(tmp_path, rows, ["a.b"])

    assert (change.updated, change.inserted) == (1, 0)


def test_new_keys_are_an_append(tmp_path: Path) -> None:
    """A batch of new keys removes nothing, also where its range crosses the files'."""
    upsert(tmp_path, numbered(0, 100, 0).filter(pa.array([n % 2 == 0 for n in range(100)])), ["id"])

    change = upsert(
        tmp_path, pa.table({"id": pa.array([1, 51], pa.int64()), "v": pa.array([1, 1], pa.int64())}), ["id"]
    )

    assert (change.inserted, change.updated, list(change.removes)) == (2, 0, [])


def test_table_that_held_a_key_twice_holds_it_once(tmp_path: Path) -> None:
    """A key that another program had doubled is replaced by one row."""
    for _ in range(2):
        write_deltalake(tmp_path, numbered(0, 3, 0), mode="append")

    upsert(tmp_path, numbered(1, 2, 9), ["id"])

    assert sorted(row["id"] for row in read_table(tmp_path).to_pylist()) == [0, 0, 1, 2, 2]


@pytest.mark.slow
def test_every_row_group_of_a_large_file(tmp_path: Path) -> None:
    """Rows are found and kept across row groups and batches of a file."""
    upsert(tmp_path, numbered(0, 300_000, 0), ["id"])

    change = upsert(tmp_path, pa.concat_tables([numbered(131_071, 131_073, 1), numbered(299_999, 300_001, 1)]), ["id"])

    found = read_table(tmp_path)
    assert (change.updated, change.inserted) == (3, 1)
    assert found.num_rows == 300_001
    assert sorted(row["id"] for row in found.to_pylist() if row["v"]) == [131_071, 131_072, 299_999, 300_000]


def test_new_column_reaches_the_table(tmp_path: Path) -> None:
    """A batch with a new column widens the table first; older rows have NULL there."""
    upsert(tmp_path, numbered(0, 2, 0), ["id"])

    upsert(tmp_path, numbered(1, 3, 1).append_column("more", pa.array(["m", "n"])), ["id"])

    assert [row["more"] for row in sorted(read_table(tmp_path).to_pylist(), key=lambda row: row["id"])] == [
        None,
        "m",
        "n",
    ]


def test_remove_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A Remove that names no live file stops the commit."""
    from singerkit.errors import SafetyStopError

    upsert(tmp_path, numbered(0, 2, 0), ["id"])
    snapshot = Table(Store(str(tmp_path), {}), "stream").snapshot()
    assert snapshot is not None

    with pytest.raises(SafetyStopError, match="should be replaced is not in the table; nothing was committed"):
        check(Change((), [LiveFile("part%20x.parquet", 1, 1)]), snapshot)
