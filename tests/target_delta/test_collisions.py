"""Columns whose names readers of Delta take for one: which column a property fills, whatever came first."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.collisions import apart, distinct, folded

from .conftest import Load, Rows, activate, record, schema

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Verb

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@settings(max_examples=50)
@given(st.lists(st.text("aAbB\u00e9e\u0301_", min_size=1, max_size=3), unique=True, max_size=6), st.data())
def test_names_are_told_apart(names: list[str], data: st.DataObject) -> None:
    """No two columns are taken for one, each property has one, and a key keeps its name."""
    first = data.draw(st.lists(st.sampled_from(names), max_size=1)) if names else []

    found = distinct(names, first)

    assert len({folded(column) for column in found.values()}) == len(names)
    assert [*found] == names
    assert all(found[name] == name for name in first)
    assert all(column in {name, apart(name)} for name, column in found.items())


def test_rule_is_stated() -> None:
    """The digits follow from the name alone."""
    assert apart("ID") == "ID__384397"
    assert distinct(["id", "ID", "Id", "x"]) == {"id": "id", "ID": "ID__384397", "Id": apart("Id"), "x": "x"}
    assert distinct([COMPOSED, DECOMPOSED])[DECOMPOSED] == apart(DECOMPOSED)


@pytest.mark.slow
def test_order_changes_nothing(load: Load, rows: Rows) -> None:
    """Whatever order a SCHEMA names its properties in, and whichever it names, a property fills one column for ever."""
    for number, names in enumerate([["a"], *permutations(["a", "A"]), ["A"]]):
        values = {name: f"{name}{number}" for name in names}
        load([schema("t", ["id"], id="integer", **dict.fromkeys(names, "string")), record("t", id=number, **values)])

    assert [(row["a"], row[apart("A")]) for row in rows("t")] == [
        ("a0", None), ("a1", "A1"), ("a2", "A2"), (None, "A3"),
    ]  # fmt: skip


def test_table_says_what_was_renamed(load: Load, warehouse: Path) -> None:
    """The column names its property, for programs and as its comment, also where the table had its likeness before."""
    load([schema("t", ["id"], id="integer", a="string", A="string"), record("t", id=1, a="x", A="y")])
    load([schema("t", ["id"], id="integer", ID="string"), record("t", id=2, ID="z")])

    fields = {
        one["name"]: one["metadata"] for one in json.loads(DeltaTable(warehouse / "t").schema().to_json())["fields"]
    }
    assert fields == {
        "id": {}, "a": {},
        apart("A"): {"target-delta.property": "A", "comment": "the property A"},
        apart("ID"): {"target-delta.property": "ID", "comment": "the property ID"},
    }  # fmt: skip


def test_objects(load: Load, rows: Rows) -> None:
    """It is the same for the fields of an object, for values read in bulk and one by one."""
    inner = {"type": "object", "properties": {"a": {"type": "integer"}, "A": {"type": "integer"}}}

    load([schema("t", ["id"], id="integer", o=inner, L={"type": "array", "items": inner}),
          record("t", id=1, o={"a": 1, "A": 2}, L=[{"A": 3}]), record("t", id=2.0, o={"A": 4.0})])  # fmt: skip

    assert rows("t") == [
        {"id": 1, "o": {"a": 1, apart("A"): 2}, "L": [{"a": None, apart("A"): 3}]},
        {"id": 2, "o": {"a": None, apart("A"): 4}, "L": None},
    ]  # fmt: skip


def test_files(load: Load, rows: Rows, tmp_path: Path) -> None:
    """A BATCH file fills the same columns as records do."""
    pq.write_table(pa.table({"id": [1], "A": ["y"], "a": ["x"]}), tmp_path / "rows.parquet")
    batch = {
        "type": "BATCH",
        "stream": "t",
        "encoding": {"format": "parquet"},
        "manifest": [str(tmp_path / "rows.parquet")],
    }

    load([schema("t", ["id"], id="integer", a="string", A="string"), batch])

    assert rows("t") == [{"id": 1, "a": "x", apart("A"): "y"}]


def test_values_that_stay(load: Load, rows: Rows) -> None:
    """A record says by the property's name what it omits, and an upsert keeps it, also where the table renames it."""
    load([schema("t", ["id"], id="integer", a="string"), record("t", id=1, a="x")])
    both = schema("t", ["id"], id="integer", A="string", a="string", b="string")
    load([both, record("t", id=1, a="x", A="y", b="1")])

    load([both, record("t", id=1, b="2", _sdc_omitted=["a", "A"])], history=True)

    assert rows("t") == [{"id": 1, "a": "x", apart("A"): "y", "b": "2"}]
    assert [row[apart("A")] for row in rows("t__history")] == ["y", "y"]


def test_full_load(load: Load, rows: Rows, verb: Verb) -> None:
    """A full load brings its own columns: of those that are taken for one, the first keeps its name."""
    load([schema("t", ["id"], id="integer", a="string"), record("t", id=1, a="x")])

    load([schema("t", ["id"], id="integer", A="string", a="string"), activate("t", 2),
          record("t", id=1, a="x", A="y"), activate("t", 2)])  # fmt: skip

    assert rows("t") == [{"id": 1, "A": "y", apart("a"): "x"}]
    assert all(row["good"] for row in verb("verify"))


def test_keys_of_another_case(load: Load, rows: Rows) -> None:
    """A key that the table knows in other letters ends the run: the rows would have two keys."""
    message: dict[str, Any] = schema("t", ["ID"], ID="integer")
    load([schema("t", ["id"], id="integer"), record("t", id=1)])

    with pytest.raises(SafetyStopError, match="a key differs from a column of the table by case or encoding only"):
        load([message, record("t", ID=1)])

    assert rows("t") == [{"id": 1}]
