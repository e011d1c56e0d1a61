"""Tables that only delta-rs itself may write."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from singerkit.errors import SafetyStopError, StoreError
from target_delta.foreign import predicate

from .conftest import Load, activate, record, schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer", name="string")
ROWS = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["a", "b"]})


def with_change_feed(folder: Path) -> None:
    write_deltalake(folder, ROWS, configuration={"delta.enableChangeDataFeed": "true"})


def with_constraint(folder: Path) -> None:
    write_deltalake(folder, ROWS)
    DeltaTable(folder).alter.add_constraint({"positive": "id > 0"})


def with_deletion_vector(folder: Path) -> None:
    """The first of three rows is deleted by a vector in the log, as Spark does it."""
    write_deltalake(folder, pa.table({"id": pa.array([0, 1, 2], pa.int64()), "name": ["gone", "a", "b"]}))
    bitmap = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, 0)  # one container, with the row 0
    content = struct.pack("<Iqi", 1681511377, 1, 0) + bitmap
    vector = {
        "storageType": "i", "pathOrInlineDv": in_base85(content), "sizeInBytes": len(content), "cardinality": 1,
    }  # fmt: skip
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    edit(folder, protocol={"minReaderVersion": 3, "minWriterVersion": 7, **features}, add={"deletionVector": vector})


def with_column_mapping(folder: Path) -> None:
    """The columns have other names in the files than in the table."""
    write_deltalake(folder, ROWS.rename_columns(["c1", "c2"]))
    names = [
        {"name": name, "metadata": {"delta.columnMapping.id": place, "delta.columnMapping.physicalName": f"c{place}"}}
        for place, name in enumerate(ROWS.column_names, 1)
    ]
    mapped = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "2"}
    edit(folder, names, protocol={"minReaderVersion": 2, "minWriterVersion": 5}, metaData={"configuration": mapped})


def with_generated_column(folder: Path) -> None:
    """A column follows from another one."""
    write_deltalake(folder, ROWS.append_column("twice", pa.array([2, 4], pa.int64())))
    edit(
        folder,
        [{}, {}, {"metadata": {"delta.generationExpression": "id * 2"}}],
        protocol={"minReaderVersion": 1, "minWriterVersion": 4},
    )


def with_invariant(folder: Path) -> None:
    """A column may not be NULL, as an old program says it."""
    write_deltalake(folder, ROWS)
    rule = json.dumps({"expression": {"expression": "name is not null"}})
    edit(
        folder, [{}, {"metadata": {"delta.invariants": rule}}], protocol={"minReaderVersion": 1, "minWriterVersion": 2}
    )


def edit(folder: Path, fields: Sequence[dict[str, Any]] = (), **actions: dict[str, Any]) -> None:
    """Give the first log entry of a table what delta-rs itself does not write."""
    entry = folder / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in entry.read_text().splitlines()]
    for line in lines:
        for name in line:
            line[name] |= actions.get(name, {})
        if "metaData" in line:
            described = json.loads(line["metaData"]["schemaString"])
            for field, more in zip(described["fields"], fields, strict=False):
                field.update(more)
            line["metaData"]["schemaString"] = json.dumps(described)
    entry.write_text("".join(json.dumps(line) + "\n" for line in lines))


def in_base85(content: bytes) -> str:
    """Return bytes in the letters of ZeroMQ, in which a log holds them."""
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    words = struct.iter_unpack(">I", content + bytes(-len(content) % 4))
    return "".join(letters[word // 85**place % 85] for (word,) in words for place in (4, 3, 2, 1, 0))


def stored(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a table as delta-rs itself reads them, which knows all these features."""
    reader = QueryBuilder().register("stored", DeltaTable(folder)).execute("select * from stored order by id")
    found: list[dict[str, Any]] = pa.table(reader.read_all()).to_pylist()
    return found


TABLES = [
    *(with_change_feed, with_constraint, with_deletion_vector, with_column_mapping),
    *(with_generated_column, with_invariant),
]


@pytest.mark.parametrize("make", TABLES)
def test_upsert(load: Load, warehouse: Path, make: Any) -> None:
    """Rows are merged by delta-rs, with the last row of a key."""
    make(warehouse / "people")

    load([PEOPLE, record("people", id=2, name="x"), record("people", id=2, name="y"), record("people", id=3, name="c")])

    found = stored(warehouse / "people")
    assert [(row["id"], row["name"]) for row in found] == [(1, "a"), (2, "y"), (3, "c")]
    assert [row.get("twice", 2 * row["id"]) for row in found] == [2, 4, 6]
    assert DeltaTable(warehouse / "people").history(1)[0]["operation"] == "MERGE"


def test_generated_column_that_does_not_follow(load: Load, warehouse: Path) -> None:
    """A value that the table's own rule would not make ends the run; none is changed."""
    with_generated_column(warehouse / "people")

    with pytest.raises(StoreError, match="failed validation"):
        load([schema("people", ["id"], id="integer", twice="integer"), record("people", id=3, twice=7)])

    assert [row["id"] for row in stored(warehouse / "people")] == [1, 2]


@pytest.mark.parametrize("make", TABLES)
def test_append(load: Load, warehouse: Path, make: Any) -> None:
    """Rows are appended by delta-rs, several batches in one."""
    make(warehouse / "people")

    load([PEOPLE, *(record("people", id=n, name="x") for n in (1, 2, 3))], load_method="append-only")

    found = stored(warehouse / "people")
    assert [row["id"] for row in found] == [1, 1, 2, 2, 3]
    assert [row.get("twice", 2 * row["id"]) for row in found] == [2, 2, 4, 4, 6]


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
