"""singer-sdk's own suite for targets, and what its files leave in the tables, value by value."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable
from singer_sdk.testing import get_target_test_class

from target_delta.names import folder_name
from target_delta.target import TargetDelta

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = tempfile.mkdtemp(prefix="target-delta-suite-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_STREAMS = files("singer_sdk.testing") / "target_test_streams"
_REFUSED = {"invalid_schema", "record_before_schema", "record_missing_key_property", "record_missing_required_property"}


class TestTargetDelta(get_target_test_class(TargetDelta, config={"path": _FOLDER, "add_record_metadata": False})):  # type: ignore[misc]
    """Every case of the suite."""


def _names() -> list[str]:
    return sorted(path.name.removesuffix(".singer") for path in _STREAMS.iterdir() if path.name.endswith(".singer"))


@pytest.mark.parametrize("name", [name for name in _names() if name not in _REFUSED])
def test_values_of_the_suite(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a file of the suite says is what the tables hold: the last row of a key, every row without keys."""
    path = _STREAMS / f"{name}.singer"
    target = TargetDelta(config={"path": str(tmp_path)})

    with path.open() as source:
        target.listen(source)

    for stream, expected in _expected(path.read_text()).items():
        found = _rows(tmp_path / folder_name(stream))
        assert sorted(map(str, found)) == sorted(map(str, expected)), stream


def _expected(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return by plain dictionaries what the messages mean."""
    keys: dict[str, list[str]] = {}
    columns: dict[str, dict[str, Any]] = {}
    tables: dict[str, dict[Any, dict[str, Any]]] = {}
    for number, message in enumerate(json.loads(line) for line in text.splitlines() if line.strip()):
        stream = message.get("stream")
        if message["type"] == "SCHEMA":
            keys[stream] = message.get("key_properties") or []
            columns.setdefault(stream, {}).update(message["schema"]["properties"])
        elif message["type"] == "RECORD":
            row = message["record"]
            key = tuple(row[name] for name in keys[stream]) if keys[stream] else number
            tables.setdefault(stream, {})[key] = row
    return {
        stream: [
            {name: _value(row.get(name), node) for name, node in columns[stream].items()} for row in table.values()
        ]
        for stream, table in tables.items()
    }


def _value(value: Any, node: dict[str, Any]) -> Any:
    """Return a value as its column holds it."""
    if value is None:
        return None
    if "number" in str(node.get("type")):
        return float(value)
    if isinstance(value, dict) and not node.get("properties"):
        return json.dumps(value)  # the text as the file has it
    if isinstance(value, dict):
        return {name: _value(value.get(name), inner) for name, inner in node["properties"].items()}
    return value


def _rows(folder: Path) -> list[dict[str, Any]]:
    return list(DeltaTable(folder).to_pyarrow_table().to_pylist())
