"""Tables that are partitioned by columns of their own."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.files import Layout
from target_delta.parts import PartitionedWriter
from target_delta.store import Store

from .conftest import Load, activate, record, schema
from .test_upsert import upsert

SCHEMA = pa.schema([("id", pa.int64()), ("p", pa.string()), ("d", pa.date32()), ("v", pa.int64())])
ODD = ["a b", "a:b", "a%b", "ü", "a/b", "a=b", "a'b", "a%20b", 'q"\\{}[]^~#|<>?*`;,&@!$()+', "plain", None]


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read(folder: Path) -> list[dict[str, Any]]:
    return list(DeltaTable(folder).to_pyarrow_table().select(SCHEMA.names).to_pylist())


ROW = st.fixed_dictionaries({
    "id": st.integers(0, 8), "p": st.sampled_from(ODD), "d": st.sampled_from([date(2024, 1, 1), date(1, 1, 1), None]),
    "v": st.integers(0, 99),
})  # fmt: skip


@pytest.mark.slow
@settings(max_examples=12)
@given(
    st.lists(st.lists(ROW, min_size=1, max_size=8), min_size=1, max_size=4), st.sampled_from([["p"], ["d"], ["p", "d"]])
)
def test_model_is_a_dictionary(batches: list[list[dict[str, Any]]], by: list[str]) -> None:
    """In any partitioning, with any values, every key is there once: one that comes in another partition has moved."""
    model: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_deltalake(folder, SCHEMA.empty_table(), partition_by=by)
        for batch in batches:
            model |= {row["id"]: row for row in as_table(batch).to_pylist()}
            upsert(Path(folder), as_table(batch), ["id"])

        found = read(Path(folder))

    assert sorted(map(str, found)) == sorted(map(str, model.values()))


@pytest.mark.parametrize("value", ODD)
def test_files_of_another_writer_are_replaced(tmp_path: Path, value: str | None) -> None:
    """A file that delta-rs wrote, under a path that it encodes, goes when its row is replaced."""
    write_deltalake(tmp_path, as_table([{"id": 1, "p": value, "v": 1}]), partition_by=["p"])

    change = upsert(tmp_path, as_table([{"id": 1, "p": value, "v": 2}]), ["id"])

    assert (change.updated, [row["v"] for row in read(tmp_path)]) == (1, [2])


def test_empty_text_is_refused(tmp_path: Path) -> None:
    """Delta would read an empty partition value back as NULL."""
    write_deltalake(tmp_path, SCHEMA.empty_table(), partition_by=["p"])

    with pytest.raises(SafetyStopError, match="a partition column holds an empty text, which Delta would read back"):
        upsert(tmp_path, as_table([{"id": 1, "p": "", "v": 1}]), ["id"])


@pytest.mark.parametrize("keys", [(), ("id",)], ids=["append", "upsert"])
def test_partitioned_table_takes_rows_and_full_loads(load: Load, warehouse: Path, keys: tuple[str, ...]) -> None:
    """A table that was made with partitions keeps them."""
    described = schema("s", keys, id="integer", p="string", v="integer")
    write_deltalake(warehouse / "s", SCHEMA.empty_table(), partition_by=["p"])

    load([described, record("s", id=1, p="x", v=1), record("s", id=2, p="y", v=1)])
    load([described, record("s", id=3, p="x", v=2)])
    assert sorted(row["id"] for row in read(warehouse / "s")) == [1, 2, 3]

    rows = [record("s", id=5, p="x", v=1), record("s", id=5, p="y", v=2)]
    load([described, activate("s", 5), *rows, activate("s", 5)])

    delta = DeltaTable(warehouse / "s")
    assert delta.metadata().partition_columns == ["p"]
    found = sorted((row["id"], row["p"]) for row in delta.to_pyarrow_table().to_pylist())
    assert found == ([(5, "y")] if keys else [(5, "x"), (5, "y")])


@pytest.mark.slow
def test_many_partitions_with_large_rows(tmp_path: Path) -> None:
    """However many partitions are written at once, few files are open and memory stays small; every row is there."""
    kinds = pa.schema([("p", pa.int64()), ("content", pa.binary())])
    with PartitionedWriter(Store(str(tmp_path), {}), kinds, ["p"], (), Layout()) as out:
        for start in range(0, 300, 10):
            content = pa.array([bytes([start % 256]) * 1_000_000] * 10)
            out.write(pa.table({"p": [start + number for number in range(10)], "content": content}))
            assert len(list(Path("/proc/self/fd").iterdir())) < 200
        files = out.finish()

    assert sorted(int(file.partition["p"] or 0) for file in files) == list(range(300))
    assert sum(file.rows for file in files) == 300
