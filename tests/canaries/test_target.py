"""The loader with keys of an object store: a store that is away, tables on a disk, broken input, a crash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_delta.target import TargetDelta

from .commands import verbs_of
from .marks import mark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .conftest import Line

pytestmark = pytest.mark.slow
AWAY = {
    "aws_access_key_id": mark("id"),
    "aws_secret_access_key": mark("secret"),
    "aws_session_token": mark("session"),
    "aws_endpoint_url": "http://127.0.0.1:9",
    "aws_allow_http": "true",
    "aws_region": "us-east-1",
    "max_retries": "0",
}
SCHEMA = {"properties": {"id": {"type": "integer"}}}
INPUT: Sequence[dict[str, Any]] = (
    {"type": "SCHEMA", "stream": "s", "schema": SCHEMA, "key_properties": ["id"]},
    {"type": "RECORD", "stream": "s", "record": {"id": 1}},
    {"type": "STATE", "value": {"bookmarks": {"s": {"id": 1}}}},
)
LINES = b"".join(json.dumps(message).encode() + b"\n" for message in INPUT)


def config(path: Path | str) -> dict[str, Any]:
    return {"path": str(path), "storage_options": AWAY, "report_file": "report.json"}


def test_a_store_that_is_away(line: Line) -> None:
    """The store's client says what it tried, and not with which keys."""
    away = config("s3://bucket/warehouse")

    assert line(TargetDelta, away, stdin=LINES) == 7
    for words in verbs_of(TargetDelta, "s"):
        line(TargetDelta, away, *words, stdin=LINES)


def test_tables_on_a_disk(line: Line) -> None:
    """Tables, their logs, STATEs and reports hold nothing of the settings."""
    there = config(line.folder / "warehouse")

    assert line(TargetDelta, there, stdin=LINES) == 0
    for words in verbs_of(TargetDelta, "s"):
        line(TargetDelta, there, *words, stdin=LINES)


def test_a_state_that_is_exported_is_word_for_word(line: Line) -> None:
    """What an option of the store has in common with the name of a stream is no reason to change a STATE."""
    there = {**config(line.folder / "warehouse"), "storage_options": {"azure_storage_account_name": "orders"}}
    lines = LINES.replace(b'"s"', b'"orders"')

    assert line(TargetDelta, there, stdin=lines) == 0
    assert line(TargetDelta, there, "state", "export") == 0
    assert json.loads(line.said.splitlines()[0])["bookmarks"] == {"orders": {"id": 1}}


@pytest.mark.parametrize("broken", [b"{", b"[]\n", b'{"type": "RECORD", "stream": "x", "record": {}}\n'])
def test_broken_input(broken: bytes, line: Line) -> None:
    """What is wrong with the input is said without the settings."""
    assert line(TargetDelta, config(line.folder / "warehouse"), stdin=LINES + broken) == 4


def test_a_crash(line: Line) -> None:
    """A traceback whose text holds the whole configuration holds no secret of it."""

    class Crashing(TargetDelta):
        def account(self) -> Any:
            raise RuntimeError(f"{self.config} {self.settings} {vars(self.settings)}")

    assert line(Crashing, config(line.folder / "warehouse"), stdin=LINES) == 1
    assert "Traceback" in line.said
