"""`output: batch`: files of JSON Lines, which hold what RECORD lines would, digit by digit."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from singerkit.errors import StoreError
from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint
from singerkit.testing.fake_api import FakeApi, Reply
from singerkit.testing.runner import cut
from singerkit.testing.served import Collection
from target_delta.target import TargetDelta
from tests.target_delta.conftest import read_table

Schema = Callable[..., dict[str, Any]]


def items(made: Schema, **more: Any) -> Endpoint:
    given = {"name": "items", "path": "/items", "keys": ("id",), "schema": made(id="integer", at="date-time")}
    return Endpoint(**(given | more))


def path_of(message: dict[str, Any]) -> Path:
    return Path(message["manifest"][0].removeprefix("file://"))


def test_files_hold_the_rows_and_no_state_is_ahead_of_them(
    api: FakeApi, tries: Any, schema: Schema, tmp_path: Path
) -> None:
    """A file has so many rows at most; a STATE stands behind the message of the file that holds its rows."""
    rows = [{"id": n, "at": f"2024-01-0{n}T00:00:00Z", "more": {"n": n / 4}} for n in range(1, 8)]
    api.route("/items", Collection(rows=rows, bookmark="at"))
    row = items(
        schema,
        records="$.data",
        pages=pages.Offset(size_param="limit", size=2),
        bookmarks=(Bookmark(field="at", param="since", order="asc"),),
        schema=schema(id="integer", at="date-time", more="object"),
    )

    done = tries.run(row, output="batch", batch_dir=str(tmp_path), batch_size_rows=3)

    batches = [m for m in done.messages if m["type"] == "BATCH"]
    assert batches[0]["encoding"] == {"format": "jsonl", "compression": None}
    read = [[json.loads(line) for line in path_of(m).read_text().splitlines()] for m in batches]
    assert [len(one) for one in read] == [3, 3, 1]
    assert sum(read, []) == rows  # noqa: RUF017  # three lists
    for before, state in cut(done):
        named = sum(len(path_of(m).read_text().splitlines()) for m in before if m["type"] == "BATCH")
        mark = state["bookmarks"].get("items", {}).get("replication_key_value")
        assert mark is None or int(mark[8:10]) <= named


def test_a_full_disk_is_the_stores_matter(api: FakeApi, tries: Any, schema: Schema, tmp_path: Path) -> None:
    """A folder that cannot be made is said with its path and the setting, and the run ends with exit 7."""
    api.route("/items", [{"id": 1}])
    (tmp_path / "taken").write_text("")

    done = tries.run(items(schema), output="batch", batch_dir=str(tmp_path / "taken"))

    assert isinstance(done.error, StoreError)
    assert str(done.error).startswith("batch files cannot be written: Not a directory (path=")
    assert str(done.error).endswith("; free the disk or set batch_dir elsewhere")


VALUES: dict[str, tuple[dict[str, Any], bytes]] = {
    "whole": ({"type": ["integer", "null"]}, b"7.0"),
    "unsigned": ({"type": ["integer", "null"], "maximum": 2**64 - 1}, b"18446744073709551615"),
    "money": ({"type": ["number", "null"], "multipleOf": 0.01}, b"12.30"),
    "exact": ({"type": "number", "x-decimal": {"precision": 38, "scale": 10}}, b"1234567890123456.0123456789"),
    "longer": ({"type": "number", "x-decimal": {"precision": 50, "scale": 10}}, b"1234567890123456.0123456789"),
    "either": ({"type": ["integer", "number", "null"]}, b"1.5"),
    "text_too": ({"type": ["integer", "string", "null"]}, b"5"),
    "moment": ({"type": "string", "format": "date-time"}, b'"2024-01-01T10:00:00.123456+02:00"'),
    "local": ({"type": "string", "format": "date-time", "x-timestamp": "local"}, b'"2024-01-01T10:00:00"'),
    "bytes": ({"type": "string", "contentEncoding": "base64"}, b'"AAEC"'),
    "parts": ({"type": "object", "properties": {"n": {"type": "integer"}}}, b'{"n":1}'),
    "many": ({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}}, b'[{"n":0.5}]'),
    "free": ({"type": ["object", "null"]}, b'{"deep":[0.12345678901234567890]}'),
    "mixed": ({"type": ["array", "null"]}, b'[1,"x"]'),
    "perhaps": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, b"5"),
    "anything": ({}, b'"text"'),
}


@pytest.mark.slow  # two loads into Delta
def test_a_table_is_the_same_by_records_and_by_batches(
    api: FakeApi, tries: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the type of a column, both ways give the same column with the same values."""
    members = b",".join(b'"%s":%s' % (name.encode(), literal) for name, (_, literal) in VALUES.items())
    api.route("/items", Reply(b'[{"id":1,%s},{"id":2}]' % members))
    row = Endpoint(
        name="items",
        path="/items",
        keys=("id",),
        schema={"properties": {"id": {"type": "integer"}, **{name: prop for name, (prop, _) in VALUES.items()}}},
    )
    tables = {}
    for output in ("records", "batch"):
        done = tries.run(row, output=output, batch_dir=str(tmp_path / "batches"))
        assert done.error is None
        monkeypatch.setattr("sys.stdout", io.StringIO())
        target = TargetDelta(config={"path": str(tmp_path / output)}, validate_config=True)
        target.listen(io.BytesIO(done.stdout.encode()))  # type: ignore[arg-type]  # bytes and text both work
        tables[output] = read_table(tmp_path / output / "items").sort_by("id")

    assert tables["batch"].equals(tables["records"])
    assert tables["batch"].to_pylist()[0]["free"] == '{"deep":[0.12345678901234567890]}'
