"""BATCH files become rows of the SCHEMA's types, whatever wrote them, or are refused by name."""

from __future__ import annotations

import gzip
import io
import os
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from singerkit.errors import CredentialsError, SafetyStopError, SettingsError
from target_delta.batches import ROWS, delete, read_batches
from target_delta.schema import stream_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from target_delta.errors import InvalidRecordError

NOBODY = 65534
SCHEMA = stream_schema(
    {
        "stream": "s",
        "key_properties": ["id"],
        "schema": {
            "properties": {
                "id": {"type": "integer"},
                "at": {"type": "string", "format": "date-time"},
                "on": {"type": "string", "format": "date"},
                "price": {"type": "number", "multipleOf": 0.01},
                "picture": {"type": "string", "contentEncoding": "base64"},
                "extra": {"type": ["object", "null"]},
                "note": {"type": "string"},
            }
        },
    }
)
ROW = {
    "id": 1,
    "at": datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "on": date(2024, 1, 2),
    "price": Decimal("1.50"),
    "picture": b"hi",
    "extra": '{"a":[1,2.50,"x"],"b":null}',
    "note": None,
}
LINE = (
    b'{"id":1,"at":"2024-01-02T03:04:05.000006Z","on":"2024-01-02","price":1.5,'
    b'"picture":"aGk=","extra":{"a":[1,2.50,"x"],"b":null}}\n'
)
TYPED = pa.table([[value] for value in ROW.values()], schema=SCHEMA.arrow)
# What singer-sdk's own Parquet batches hold: texts as JSON has them, in types that Arrow inferred, in any order.
INFERRED = pa.table(
    {
        "note": pa.nulls(1),
        "unknown": [1],
        "picture": ["aGk="],
        "at": pa.array(["2024-01-02T03:04:05.000006Z"], pa.large_string()),
        "on": ["2024-01-02"],
        "price": ["1.50"],
        "extra": ['{"a":[1,2.50,"x"],"b":null}'],
        "id": pa.array([1], pa.int32()),
    }
)


def message(kind: str, *files: Path | str, **more: Any) -> dict[str, Any]:
    """Return a BATCH message about files."""
    urls = [file if isinstance(file, str) else file.as_uri() for file in files]
    return {"type": "BATCH", "stream": "s", "encoding": {"format": kind}, "manifest": urls, **more}


def rows(of: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a BATCH message."""
    batches = [parsed.rows for parsed in read_batches(of, SCHEMA)]
    assert all(batch.schema == SCHEMA.arrow for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("table", [TYPED, INFERRED], ids=["typed", "inferred"])
def test_parquet(table: pa.Table, tmp_path: Path) -> None:
    """Parquet columns go by name, in types or in JSON's texts."""
    pq.write_table(table, tmp_path / "one.parquet")

    assert rows(message("parquet", tmp_path / "one.parquet")) == [ROW]


@pytest.mark.parametrize("table", [TYPED, INFERRED], ids=["typed", "inferred"])
@pytest.mark.parametrize("written", ["file", "stream"])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_arrow(table: pa.Table, written: str, compression: str | None, tmp_path: Path) -> None:
    """Arrow IPC is read as file and as stream, compressed or not."""
    new = pa.ipc.new_file if written == "file" else pa.ipc.new_stream
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with new(tmp_path / "one.arrow", table.schema, options=options) as writer:
        writer.write_table(table)

    assert rows(message("arrow", tmp_path / "one.arrow")) == [ROW]


@pytest.mark.parametrize("compression", ["none", "gzip", "gzip twice", "zstd"])
def test_json_lines(compression: str, tmp_path: Path) -> None:
    """JSON Lines are bare records; the file says how it is compressed, not the message."""
    path = tmp_path / "one.jsonl"
    content = LINE + LINE.rstrip()
    match compression:
        case "gzip":
            path.write_bytes(gzip.compress(content))
        case "gzip twice":
            path.write_bytes(gzip.compress(LINE) + gzip.compress(LINE))
        case "zstd":
            path.write_bytes(pa.compress(content, codec="zstd", asbytes=True))
        case _:
            path.write_bytes(content)

    assert rows(message("jsonl", path)) == [ROW, ROW]


def test_nested_values_for_a_json_column(tmp_path: Path) -> None:
    """Arrow structs, lists and maps become JSON text where the SCHEMA says JSON, with every digit."""
    values = [
        {"a": Decimal("1.50"), "t": datetime(2024, 1, 2, tzinfo=UTC), "c": time(1, 2), "m": [("k", 1)]},
        None,
    ]
    words = pa.map_(pa.string(), pa.int8())
    kind = pa.struct({"a": pa.decimal128(9, 2), "t": pa.timestamp("us", "UTC"), "c": pa.time64("us"), "m": words})
    pq.write_table(pa.table({"id": [1, 2], "extra": pa.array(values, kind)}), tmp_path / "one.parquet")

    got = [row["extra"] for row in rows(message("parquet", tmp_path / "one.parquet"))]

    assert got == ['{"a":1.50,"t":"2024-01-02T00:00:00Z","c":"01:02:00","m":{"k":1}}', None]


def test_several_files_and_row_groups(tmp_path: Path) -> None:
    """Files come in the order of the manifest, large ones in pieces."""
    pq.write_table(pa.table({"id": range(ROWS + 1)}), tmp_path / "a.parquet", row_group_size=1000)
    pq.write_table(pa.table({"id": [-1]}), tmp_path / "b.parquet")

    of = message("parquet", tmp_path / "a.parquet", tmp_path / "b.parquet")
    batches = [parsed.rows for parsed in read_batches(of, SCHEMA)]

    assert max(batch.num_rows for batch in batches) <= ROWS
    assert [number for batch in batches for number in batch["id"].to_pylist()] == [*range(ROWS + 1), -1]


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_remote_file(kind: str) -> None:
    """Any address that fsspec opens is read."""
    content = io.BytesIO()
    if kind == "jsonl":
        content.write(LINE)
    elif kind == "parquet":
        pq.write_table(TYPED, content)
    else:
        with pa.ipc.new_file(content, TYPED.schema) as writer:
            writer.write_table(TYPED)
    UPath(f"memory://remote/one.{kind}").write_bytes(content.getvalue())

    assert rows(message(kind, f"memory://remote/one.{kind}")) == [ROW]


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_file_that_is_not_there(kind: str, tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(SafetyStopError, match=r"is not there \(stream=s, file=file:.*/gone\)"):
        rows(message(kind, tmp_path / "gone"))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("parquet", b"PAR1 but no more PAR1"),
        ("parquet", b""),
        ("arrow", b"ARROW1 but no more"),
        ("arrow", b"hello"),
        ("jsonl", gzip.compress(LINE)[:-12]),
        ("jsonl", pa.compress(LINE * 9, codec="zstd", asbytes=True)[:-5]),
    ],
)
def test_file_that_is_broken(kind: str, content: bytes, tmp_path: Path) -> None:
    """A file that is cut short or something else is named."""
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(SafetyStopError, match="is broken, or not what its encoding says"):
        rows(message(kind, tmp_path / "file"))


def test_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    """A folder is no file."""
    with pytest.raises(SafetyStopError, match="is broken"):
        rows(message("jsonl", tmp_path))


def test_file_in_a_store_without_its_package() -> None:
    """An address that needs a package of fsspec's says so."""
    with pytest.raises(SettingsError, match="install fsspec's package"):
        rows(message("jsonl", "gs://bucket/one.jsonl"))


def test_unknown_encoding(tmp_path: Path) -> None:
    """An encoding that nothing here reads is named, with those that are read."""
    with pytest.raises(SafetyStopError, match=r"format=avro\); let the tap write jsonl, parquet or arrow"):
        rows(message("avro", tmp_path / "x"))


def test_value_that_does_not_fit(tmp_path: Path) -> None:
    """A column that would change is refused, as everywhere."""
    pq.write_table(pa.table({"id": [1.0]}), tmp_path / "one.parquet")

    with pytest.raises(SafetyStopError, match=r"column=id, column_type=int64, incoming_type=double"):
        rows(message("parquet", tmp_path / "one.parquet"))


def test_text_that_does_not_fit(tmp_path: Path) -> None:
    """A text that its column cannot take is refused by column."""
    pq.write_table(pa.table({"id": [1], "on": ["yesterday"]}), tmp_path / "one.parquet")

    with pytest.raises(SafetyStopError, match="column=on"):
        rows(message("parquet", tmp_path / "one.parquet"))


def test_bad_record_in_json_lines(tmp_path: Path) -> None:
    """A bad line of a JSON Lines file is an invalid record, which the caller may set aside."""
    (tmp_path / "one.jsonl").write_bytes(LINE + b'{"id": "x"}\n' + LINE)
    bad: list[InvalidRecordError] = []

    batches = list(read_batches(message("jsonl", tmp_path / "one.jsonl"), SCHEMA, None, bad.append))

    assert [error.column for error in bad] == ["id"]
    assert sum(batch.rows.num_rows for batch in batches) == 2


OMITTING = pa.table({"id": [1, 2], "_sdc_omitted": [["note"], None]})
AS_TEXT = pa.table({"id": [1, 2], "_sdc_omitted": ['["note"]', None]})


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write_bytes(b'{"id": 1, "_sdc_omitted": ["note"]}\n{"id": 2}\n') and "jsonl",
        lambda file: pq.write_table(OMITTING, file) or "parquet",
        lambda file: pq.write_table(AS_TEXT, file) or "parquet",
    ],
    ids=["jsonl", "parquet", "parquet with JSON texts"],
)
def test_rows_that_omit_columns(write: Callable[[Path], str], tmp_path: Path) -> None:
    """A row of a file omits columns as a RECORD does, by their names in `_sdc_omitted`."""
    kind = write(tmp_path / "file")

    (parsed,) = read_batches(message(kind, tmp_path / "file"), SCHEMA)

    assert parsed.omitted is not None
    assert parsed.omitted.to_pylist() == [["note"], None]
    assert parsed.rows.schema == SCHEMA.arrow
    assert parsed.undeclared == ()


def test_names_of_omitted_columns_that_are_none(tmp_path: Path) -> None:
    """What `_sdc_omitted` holds must be names."""
    pq.write_table(pa.table({"id": [1], "_sdc_omitted": ["note"]}), tmp_path / "file")

    with pytest.raises(SafetyStopError, match="no array of column names"):
        list(read_batches(message("parquet", tmp_path / "file"), SCHEMA))


def test_columns_that_the_schema_does_not_declare(tmp_path: Path) -> None:
    """A column of a file that no column takes is passed over and named."""
    pq.write_table(INFERRED, tmp_path / "file")

    (parsed,) = read_batches(message("parquet", tmp_path / "file"), SCHEMA)

    assert parsed.undeclared == ("unknown",)


@pytest.mark.parametrize(("asked", "left"), [(True, False), (False, True), (None, True), ("true", True)])
def test_files_after_the_commit(asked: Any, left: bool, tmp_path: Path) -> None:
    """Files are deleted where the tap asked for it, and nowhere else; one that is gone is no error."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(LINE)
    about = message("jsonl", path, **{"x-delete-after-commit": asked})

    delete(about)
    delete(about)

    assert path.exists() == left


def test_unreadable_file(tmp_path: Path) -> None:
    """A file that this user may not read is a matter of permissions."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(LINE)
    path.chmod(0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)  # root reads everything

    try:
        with pytest.raises(CredentialsError, match="may not be read"):
            rows(message("jsonl", path))
    finally:
        os.seteuid(me)
