"""One ceiling for the process: whatever the number of streams and columns, its peak stays by max_memory_mb."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

LIMIT_MB = 256  # the least that the setting takes
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""  # a small process between: the peak of a child begins with what its parent weighs


def many_streams() -> Iterator[dict[str, Any]]:
    """Yield 300 streams with keys, a row of each in turn."""
    columns = {"id": {"type": "integer"}} | {f"c{place}": {"type": "string"} for place in range(9)}
    for stream in range(300):
        schema = {"properties": columns}
        yield {"type": "SCHEMA", "stream": f"s{stream}", "key_properties": ["id"], "schema": schema}
    for number in range(100):
        texts = {f"c{place}": f"{number * 7919 + place:040d}" for place in range(9)}
        for stream in range(300):
            yield {"type": "RECORD", "stream": f"s{stream}", "record": {"id": number} | texts}


def wide_rows() -> Iterator[dict[str, Any]]:
    """Yield rows of 1,000 columns."""
    columns = {"id": {"type": "integer"}} | {f"c{place}": {"type": "string"} for place in range(999)}
    yield {"type": "SCHEMA", "stream": "s0", "key_properties": ["id"], "schema": {"properties": columns}}
    for number in range(3000):
        texts = {f"c{place}": f"{number * 7919 + place}" for place in range(999)}
        yield {"type": "RECORD", "stream": "s0", "record": {"id": number} | texts}


def many_partitions() -> Iterator[dict[str, Any]]:
    """Yield rows of 36 months, in turn."""
    columns = {"id": {"type": "integer"}, "created_at": {"type": "string", "format": "date-time"}}
    columns |= {"text": {"type": "string"}}
    yield {"type": "SCHEMA", "stream": "s0", "key_properties": [], "schema": {"properties": columns}}
    for number in range(200_000):
        at = f"{2022 + number % 3}-{number % 12 + 1:02}-01T00:00:00Z"
        text = f"{number * 7919:0300d}"
        yield {"type": "RECORD", "stream": "s0", "record": {"id": number, "created_at": at, "text": text}}


@pytest.mark.parametrize(
    ("messages", "rows"),
    [(many_streams, 100), (wide_rows, 3000), (many_partitions, 200_000)],
    ids=["streams", "columns", "partitions"],
)
def test_peak(messages: Any, rows: int, tmp_path: Path) -> None:
    """300 streams open at once, rows of 1,000 columns, or of many partitions, stay within a fifth over the setting."""
    with (tmp_path / "input").open("w") as file:
        file.writelines(json.dumps(message) + "\n" for message in messages())
    (tmp_path / "config.json").write_text(json.dumps({"path": str(tmp_path / "w"), "max_memory_mb": LIMIT_MB}))

    loader = [sys.executable, "-m", "target_delta", "--config", str(tmp_path / "config.json")]
    command = [sys.executable, "-c", PEAK, *loader]
    with (tmp_path / "input").open() as source:
        ended = subprocess.run(command, stdin=source, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert DeltaTable(tmp_path / "w" / "s0").count() == rows
    assert int(ended.stdout.splitlines()[-1]) / 1024 <= LIMIT_MB * 1.2
