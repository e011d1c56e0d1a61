"""Columns that a row omits keep their stored value."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.loaders import SoFar
from target_delta.omitted import COLUMN

from .conftest import Load, Rows, read_table, record, schema
from .test_upsert import upserter

PEOPLE = schema("people", ["id"], id="integer", name="string", note="string")
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("note", pa.string())])


def test_stored_value_stays(load: Load, rows: Rows) -> None:
    """An absent column is NULL, unless the row names it as omitted."""
    load([PEOPLE, record("people", id=1, name="a", note="x"), record("people", id=2, name="b", note="y")])

    load([PEOPLE, record("people", id=1, name="c", _sdc_omitted=["note"]), record("people", id=2, name="d")])

    assert rows("people") == [{"id": 1, "name": "c", "note": "x"}, {"id": 2, "name": "d", "note": None}]


def test_value_of_the_same_batch_stays(load: Load, rows: Rows) -> None:
    """A value that came earlier in the batch is the stored one."""
    load([PEOPLE, record("people", id=1, name="a", note="x"), record("people", id=1, name="b", _sdc_omitted=["note"])])

    assert rows("people") == [{"id": 1, "name": "b", "note": "x"}]


def test_new_key_has_null(load: Load, rows: Rows) -> None:
    """Where nothing is stored, an omitted column is NULL."""
    load([PEOPLE, record("people", id=1, name="b", _sdc_omitted=["note"])])

    assert rows("people") == [{"id": 1, "name": "b", "note": None}]


def test_table_that_delta_rs_must_write(load: Load, warehouse: Path) -> None:
    """MERGE would put NULL in the place of the stored value: refused."""
    write_deltalake(warehouse / "people", SCHEMA.empty_table(), configuration={"delta.enableChangeDataFeed": "true"})

    with pytest.raises(SafetyStopError, match="rows omit columns whose stored value stays"):
        load([PEOPLE, record("people", id=1, name="b", _sdc_omitted=["note"])])


ROW = st.fixed_dictionaries({
    "id": st.integers(0, 4), "name": st.sampled_from(["a", "b", None]), "note": st.sampled_from(["x", "y", None]),
    COLUMN: st.none() | st.lists(st.sampled_from(["name", "note", "other"]), max_size=2),
})  # fmt: skip


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(st.lists(ROW, min_size=1, max_size=8), min_size=1, max_size=4))
def test_model_is_a_dictionary(batches: list[list[dict[str, Any]]]) -> None:
    """Row by row, a dictionary keeps what is omitted and takes what is given; so does the table, batch by batch."""
    model: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for batch in batches:
            for row in batch:
                old, omitted = model.get(row["id"], {}), row[COLUMN] or []
                model[row["id"]] = {n: old.get(n) if n in omitted else row[n] for n in SCHEMA.names}
            loader = upserter(Path(folder), SCHEMA, ["id"])
            loader.write(pa.Table.from_pylist(batch, SCHEMA.append(pa.field(COLUMN, pa.list_(pa.string())))))
            loader.settle(SoFar())

        found = read_table(Path(folder)).to_pylist()

    assert sorted(map(str, found)) == sorted(map(str, model.values()))
