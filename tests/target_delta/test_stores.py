"""The same promises in every kind of store: rows, keys and STATE, with several writers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from target_delta.names import table_address
from target_delta.upkeep.tables import tables
from target_delta.upkeep.verify import verify
from tests.object_store import STORES

from .conftest import as_lines, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.object_store import Reached

pytestmark = pytest.mark.slow

WRITERS, ROWS, KEYS = 3, 60, 40
KEYED = schema("keyed ü", ["id"], id="integer", writer="integer", name="string")
PLAIN = schema("plain", (), id="integer", writer="integer")


@pytest.fixture(params=STORES)
def reached(request: pytest.FixtureRequest) -> Iterator[Reached]:
    """The address of a bucket and the storage options that reach it."""
    with STORES[request.param]() as found:
        yield found


def lines(writer: int) -> bytes:
    """Return what one of the writers sends: keys that all of them send, and rows that are its own."""
    messages: list[dict[str, Any]] = [KEYED, PLAIN]
    for number in range(ROWS):
        messages.append(record("keyed ü", id=number % KEYS, writer=writer, name=f"ü/% {number}"))
        messages.append(record("plain", id=number, writer=writer))
    return as_lines([*messages, state(**{"keyed ü": writer})])


def test_several_writers_at_once(reached: Reached, tmp_path: Path) -> None:
    """Programs that write the same tables at the same time leave each row of an append, and each key once."""
    address, options = reached
    chosen: dict[str, Any] = {"path": f"{address}/a b", "storage_options": options, "table_path": "x/{stream}"}
    chosen |= {"batch_size_rows": 20, "partitioning": {"keyed*": {"mode": "md5", "count": 2}}}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(chosen))

    writers = [started(config, lines(number), tmp_path / f"input{number}") for number in range(WRITERS)]
    ended = [(*writer.communicate(), writer.returncode) for writer in writers]

    assert [code for _, _, code in ended] == [0] * WRITERS, ended
    states = [json.loads(out.splitlines()[-1]) for out, _, _ in ended]
    assert states == [{"bookmarks": {"keyed ü": number}} for number in range(WRITERS)]
    assert Counter((row["writer"], row["id"]) for row in stored(chosen, "plain")) == {
        (writer, number): 1 for writer in range(WRITERS) for number in range(ROWS)
    }
    keyed = stored(chosen, "keyed ü")
    assert sorted(row["id"] for row in keyed) == [*range(KEYS)]
    assert {row["name"] for row in keyed} <= {f"ü/% {number}" for number in range(ROWS)}
    assert all(row["good"] for table in tables(chosen["path"], options) for row in verify(table))


def started(config: Path, content: bytes, path: Path) -> subprocess.Popen[bytes]:
    """Start the loader with its input in a file, so that none waits for another's."""
    path.write_bytes(content)
    command = [sys.executable, "-m", "target_delta", "--config", str(config)]
    with path.open("rb") as source:
        return subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def stored(chosen: dict[str, Any], stream: str) -> list[dict[str, Any]]:
    """Return the rows of a table, by delta-rs's own reading."""
    address = table_address(chosen["path"], stream, chosen["table_path"])
    rows: list[dict[str, Any]] = (
        DeltaTable(address, storage_options=chosen["storage_options"]).to_pyarrow_table().to_pylist()
    )
    return rows
