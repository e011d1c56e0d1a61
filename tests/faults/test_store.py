"""A store that fails: one line, a code that names it, a readable table, and no newer STATE."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

DROP_CAPABILITY, OVERRIDE_PERMISSIONS = 24, 1  # PR_CAPBSET_DROP and CAP_DAC_OVERRIDE of Linux
SCHEMA = {"type": "SCHEMA", "stream": "s", "key_properties": [], "schema": {"properties": {"v": {"type": "string"}}}}


def lines(count: int, size: int, number: int) -> bytes:
    """Return rows that no codec makes small, and a STATE behind them."""
    messages: list[dict[str, Any]] = [SCHEMA]
    messages += [{"type": "RECORD", "stream": "s", "record": {"v": os.urandom(size // 2).hex()}} for _ in range(count)]
    messages.append({"type": "STATE", "value": {"bookmarks": {"s": number}}})
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def run(
    folder: Path, content: bytes, *, preexec_fn: Callable[[], None] | None = None, **config: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the executable as a process of its own."""
    (folder / "config.json").write_text(json.dumps({"path": str(folder / "warehouse"), **config}))
    command = [sys.executable, "-m", "target_delta", "--config", str(folder / "config.json")]
    return subprocess.run(command, input=content, capture_output=True, check=False, preexec_fn=preexec_fn)


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


def test_disk_that_is_full_at_the_log_entry(tmp_path: Path) -> None:
    """A log entry that cannot be written ends the run with 7: none of its rows is in the table, no STATE has left."""
    schema = {**SCHEMA, "schema": {"properties": {"v": {"type": "integer"}}}}
    messages = [schema, *({"type": "RECORD", "stream": "s", "record": {"v": number}} for number in range(99))]
    content = b"".join(json.dumps(one).encode() + b"\n" for one in [*messages, {"type": "STATE", "value": {"n": 1}}])
    many: dict[str, Any] = {"partitioning": {"mode": "numerical", "keys": ["v"], "size": 1}}
    assert run(tmp_path, json.dumps(schema).encode() + b"\n", **many).returncode == 0

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    ended = run(tmp_path, content, preexec_fn=little_room, **many)

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert len(errors(ended)) == 1
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 0
    assert run(tmp_path, content, **many).returncode == 0
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 99


def obey() -> None:
    """Let root ask for permission as others do: it writes everywhere by a capability, which is given up here."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(DROP_CAPABILITY, OVERRIDE_PERMISSIONS) == 0


def test_folder_that_is_read_only(tmp_path: Path) -> None:
    """A folder that may not be written ends the run with 7 and changes nothing."""
    assert run(tmp_path, lines(3, 10, 1)).returncode == 0
    (tmp_path / "warehouse" / "s").chmod(0o555)

    ended = run(tmp_path, lines(3, 10, 2), preexec_fn=obey)

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert "Permission denied" in errors(ended)[0]
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 3


def test_path_below_a_file(tmp_path: Path) -> None:
    """A path that can be no folder ends the run with 7."""
    (tmp_path / "warehouse").write_text("")

    ended = run(tmp_path, lines(1, 10, 1))

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert len(errors(ended)) == 1


def test_folder_that_vanishes(tmp_path: Path) -> None:
    """A table whose folder goes while the loader runs ends it with 7; no STATE leaves for rows that are nowhere."""
    (tmp_path / "config.json").write_text(json.dumps({"path": str(tmp_path / "warehouse"), "batch_size_rows": 20}))
    command = [sys.executable, "-m", "target_delta", "--config", str(tmp_path / "config.json")]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as loader:
        assert loader.stdin
        assert loader.stdout
        loader.stdin.write(lines(20, 10, 1))
        loader.stdin.flush()
        first = json.loads(loader.stdout.readline())
        shutil.rmtree(tmp_path / "warehouse")
        out, log = loader.communicate(lines(30, 10, 2))

    assert first == {"bookmarks": {"s": 1}}
    assert (loader.returncode, out) == (7, b"")
    assert log.decode().count("ERROR") == 1
    assert "the store failed (stream=s" in log.decode()
    assert run(tmp_path, lines(2, 10, 3)).returncode == 0
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"add": {"pa', "the table cannot be read"), (b"", "the newest entry of the table's log is empty")],
    ids=["torn", "empty"],
)
def test_corrupt_log_entry(tmp_path: Path, content: bytes, words: str) -> None:
    """A log entry that is torn or empty ends the run with 7 before anything is written; the table is as it was."""
    assert run(tmp_path, lines(3, 10, 1)).returncode == 0
    log = tmp_path / "warehouse" / "s" / "_delta_log"
    before = sorted(log.iterdir())
    (log / f"{len(before):020}.json").write_bytes(content)

    ended = run(tmp_path, lines(3, 10, 2))

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert len(errors(ended)) == 1
    assert words in errors(ended)[0]
    (log / f"{len(before):020}.json").unlink()
    assert sorted(log.iterdir()) == before
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 3


def test_corrupt_entry_that_only_a_resume_reads(tmp_path: Path) -> None:
    """A torn entry behind a checkpoint, which the table itself does not need, ends a resume with 7."""
    assert run(tmp_path, lines(3, 10, 1)).returncode == 0
    table = DeltaTable(tmp_path / "warehouse" / "s")
    (entry,) = (path for path in (tmp_path / "warehouse" / "s" / "_delta_log").glob("*2.json"))
    table.create_checkpoint()
    entry.write_bytes(b'{"commitInfo": {"target-de')

    ended = run(tmp_path, lines(3, 10, 2))

    assert (ended.returncode, ended.stdout) == (7, b"")
    assert "a file of the table cannot be read" in errors(ended)[0]
    assert DeltaTable(tmp_path / "warehouse" / "s").count() == 3
