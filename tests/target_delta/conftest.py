"""A loader that runs in this process, and its tables read back."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from singerkit import shell
from target_delta.target import TargetDelta

if TYPE_CHECKING:
    from pathlib import Path

Messages = Sequence[Mapping[str, Any]]
Load = Callable[..., list[dict[str, Any]]]
Rows = Callable[[str], list[dict[str, Any]]]
Verb = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """A plugin takes the signals of its process; the test run gets its own back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """The folder of the tables; nothing is in it yet."""
    return tmp_path / "warehouse"


@pytest.fixture
def load(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> Load:
    """Run the loader over messages (or raw bytes) and return the STATE values that it printed."""

    def run(messages: Messages | bytes, **config: Any) -> list[dict[str, Any]]:
        lines = messages if isinstance(messages, bytes) else as_lines(messages)
        target = TargetDelta(config={"path": str(warehouse), **config}, validate_config=True)
        capsys.readouterr()
        target.listen(io.BytesIO(lines))  # type: ignore[arg-type]  # bytes and text both work
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.fixture
def rows(warehouse: Path) -> Rows:
    """Return the rows of a stream's table, sorted by their text."""

    def read(stream: str) -> list[dict[str, Any]]:
        return sorted(read_table(warehouse / stream).to_pylist(), key=str)

    return read


@pytest.fixture
def verb(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Run a verb on the warehouse, expect its exit code, and return the JSON lines that it printed."""

    def run(*argv: str, code: int = 0) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert command_line(*argv, "--path", str(warehouse)) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def command_line(*argv: str) -> int:
    """Run the loader's command line in this process and return its exit code."""
    return shell.run("target_delta.target:TargetDelta", [*argv])


def as_lines(messages: Messages) -> bytes:
    """Return messages as a tap prints them."""
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def read_table(folder: Path) -> pa.Table:
    """Return a table as its log says, read by Arrow alone: older files lack the newer columns."""
    delta = DeltaTable(folder)
    schema = pa.schema(delta.schema().to_arrow())
    files = [_plain(pq.read_table(path.removeprefix("file://"))) for path in delta.file_uris()]
    return pa.concat_tables([schema.empty_table(), *files], promote_options="default").cast(schema)


def _plain(table: pa.Table) -> pa.Table:
    """delta-rs writes string views."""
    kinds = [pa.string() if field.type == pa.string_view() else field.type for field in table.schema]
    return table.cast(pa.schema([field.with_type(kind) for field, kind in zip(table.schema, kinds, strict=True)]))


def schema(stream: str, keys: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    """Return a SCHEMA message; a property is a JSON Schema node or the name of a type."""
    nodes = {name: {"type": [kind, "null"]} if isinstance(kind, str) else kind for name, kind in properties.items()}
    return {"type": "SCHEMA", "stream": stream, "key_properties": list(keys), "schema": {"properties": nodes}}


def record(stream: str, **values: Any) -> dict[str, Any]:
    """Return a RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": values}


def state(**bookmarks: Any) -> dict[str, Any]:
    """Return a STATE message."""
    return {"type": "STATE", "value": {"bookmarks": bookmarks}}


def activate(stream: str, version: int) -> dict[str, Any]:
    """Return an ACTIVATE_VERSION message."""
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}
