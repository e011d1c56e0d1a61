"""Tables read by an engine that is not delta-rs: the kernel of Delta Sharing, which reads log and files by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from delta_kernel_rust_sharing_wrapper import PythonInterface, ScanBuilder, Table
from deltalake import write_deltalake

from .conftest import Load, Messages, Rows, activate, read_table, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

TIME = {"type": ["string", "null"], "format": "date-time"}
PEOPLE = schema(
    "people", ["id"],
    id="integer", name="string", score="number", ok="boolean", at=TIME,
    local=TIME | {"x-timestamp": "local"}, born={"type": ["string", "null"], "format": "date"},
    price={"type": ["number", "null"], "x-decimal": {"precision": 20, "scale": 3}},
    tags={"type": ["array", "null"], "items": {"type": "string"}},
    home={"type": ["object", "null"], "properties": {"city": {"type": "string"}}},
    photo={"type": ["string", "null"], "contentEncoding": "base64"},
)  # fmt: skip
WIDER = PEOPLE | {"schema": {"properties": PEOPLE["schema"]["properties"] | {"more": {"type": ["integer", "null"]}}}}


def person(number: int, **more: Any) -> dict[str, Any]:
    values = {
        "id": number, "name": f"ü {number}", "score": number / 3, "ok": number % 2 == 0,
        "at": "2024-01-02T03:04:05.678901Z",
        "local": "9999-12-31T23:59:59.999999", "born": "0001-01-01", "price": 12345678901234567.125, "tags": ["a", "ß"],
        "home": {"city": "Köln"}, "photo": "AAH/",
    }  # fmt: skip
    return record("people", **values | more)


def read(folder: Path) -> pa.Table:
    """Return a table as that engine sees it."""
    interface = PythonInterface(folder.as_uri() + "/")
    snapshot = Table(folder.as_uri() + "/").snapshot(interface)
    return pa.table(ScanBuilder(snapshot).build().execute(interface).read_all())


CASES: dict[str, list[tuple[Messages, dict[str, Any]]]] = {
    "appends": [([PEOPLE, person(1), person(2), state(people=1)], {"load_method": "append-only"})] * 2,
    "upserts": [([PEOPLE, *map(person, range(50))], {}), ([PEOPLE, person(7, score=None), person(60)], {})],
    "a new column": [([PEOPLE, person(1)], {}), ([WIDER, person(2, more=5)], {})],
    "a full load": [([PEOPLE, person(1)], {}), ([PEOPLE, activate("people", 5), person(2), activate("people", 5)], {})],
    "deleted rows": [
        ([PEOPLE, person(1), person(2)], {}),
        ([PEOPLE, person(2)], {"load_method": "overwrite-stale", "stale_threshold": 50}),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_same_rows(case: str, load: Load, rows: Rows, warehouse: Path) -> None:
    """The rows are those that the log and the files say to Arrow alone, with every type."""
    for messages, config in CASES[case]:
        load(messages, **config)

    found = read(warehouse / "people")

    assert sorted(found.to_pylist(), key=str) == rows("people")


def test_partitions_with_odd_values(load: Load, warehouse: Path) -> None:
    """Files that an upsert wrote again under partition values of any letters are found, and the old ones are not."""
    first = [{**person(number)["record"], "name": name} for number, name in enumerate(["pä /x", "50%:", "c", "pä /x"])]
    load([PEOPLE, *(record("people", **row) for row in first)])
    table = read_table(warehouse / "people")
    write_deltalake(warehouse / "people", table, mode="overwrite", partition_by=["name"], schema_mode="overwrite")

    load([PEOPLE, record("people", **first[0] | {"score": 9.5}), record("people", **first[1] | {"name": "c"})])

    found = sorted((row["id"], row["name"], row["score"]) for row in read(warehouse / "people").to_pylist())
    assert found == [(0, "pä /x", 9.5), (1, "c", 1 / 3), (2, "c", 2 / 3), (3, "pä /x", 1.0)]
