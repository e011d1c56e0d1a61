"""A store that fails: one line, a code that names it, a readable table, and no newer STATE."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SCHEMA = {"type": "SCHEMA", "stream": "s", "key_properties": [], "schema": {"properties": {"v": {"type": "string"}}}}


def lines(count: int, size: int, number: int) -> bytes:
    """Return rows that no codec makes small, and a STATE behind them."""
    messages: list[dict[str, Any]] = [SCHEMA]
    messages += [{"type": "RECORD", "stream": "s", "record": {"v": os.urandom(size // 2).hex()}} for _ in range(count)]
    messages.append({"type": "STATE", "value": {"bookmarks": {"s": number}}})
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def run(folder: Path, content: bytes, **process: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the executable as a process of its own."""
    (folder / "config.json").write_text(json.dumps({"path": str(folder / "warehouse")}))
    command = [sys.executable, "-m", "target_delta", "--config", str(folder / "config.json")]
    return subprocess.run(command, input=content, capture_output=True, check=False, **process)


def errors(ended: subprocess.CompletedProcess[bytes]) -> list[str]:
    return [line for line in ended.stderr.decode().splitlines() if "ERROR" in line or "Traceback" in line]


def test_full_disk(tmp_path: Path) -> None:
    """A file that cannot grow ends the run with 7; the table is as it was, and the next run is good."""
    assert run(tmp_path, lines(3, 10, 1)).returncode == 0

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    ended = run(tmp_path, lines(40, 10_000, 2), preexec_fn=little_room)

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert len(errors(ended)) == 1
    assert "the store failed (stream=s" in errors(ended)[0]
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 3
    assert run(tmp_path, lines(2, 10, 3)).returncode == 0
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_read_only(tmp_path: Path) -> None:
    """A folder that may not be written ends the run with 7 and changes nothing."""
    assert run(tmp_path, lines(3, 10, 1)).returncode == 0
    (tmp_path / "warehouse" / "s").chmod(0o555)

    ended = run(tmp_path, lines(3, 10, 2))

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert "Permission denied" in errors(ended)[0]
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 3


def test_path_below_a_file(tmp_path: Path) -> None:
    """A path that can be no folder ends the run with 7."""
    (tmp_path / "warehouse").write_text("")

    ended = run(tmp_path, lines(1, 10, 1))

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert len(errors(ended)) == 1
