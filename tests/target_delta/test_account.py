"""How far a load is, where its time went, which bookmarks it began and ended with, and how it ended."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import SafetyStopError
from target_delta.target import TargetDelta
from tests.terminal import Terminal, terminal

from .conftest import Load, as_lines, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Where the report of a load goes."""
    return tmp_path / "report.json"


def said(report: Path) -> Any:
    return json.loads(report.read_text())


def test_bookmarks_before_and_after(load: Load, report: Path) -> None:
    """A STATE that comes before any row is what the run began with; the last one that left is what it ended with."""
    load([state(people=1), PEOPLE, record("people", id=2), state(people=2)], report_file=str(report))

    counts = said(report)["streams"]["people"]
    assert (counts["bookmark_before"], counts["bookmark_after"]) == (1, 2)


def test_a_bookmark_that_did_not_leave(load: Load, report: Path) -> None:
    """A load that fails ends with the bookmark that its table has, not with the newest that came."""
    with pytest.raises(SafetyStopError):
        load([state(people=1), PEOPLE, record("people", id=2), state(people=2), {"type": "X"}], report_file=str(report))

    assert said(report)["streams"]["people"].get("bookmark_after", 1) == 1


def test_how_it_ended(load: Load, report: Path) -> None:
    """A report of a load that failed holds the line that ended it."""
    with pytest.raises(SafetyStopError) as stopped:
        load([PEOPLE, {"type": "X"}], report_file=str(report))

    assert said(report)["outcome"] == str(stopped.value)


def test_where_the_time_went(load: Load, report: Path) -> None:
    """The parts are known, and the longest is the bottleneck."""
    load([PEOPLE, *(record("people", id=number) for number in range(100))], report_file=str(report))

    assert said(report)["bottleneck"] in {"the input", "reading", "writing"}


def test_the_table_of_a_load(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """The log holds a line a stream, with what came of its rows."""
    caplog.set_level("INFO")

    load([PEOPLE, record("people", id=1), record("people", id=2)])

    head = next(place for place, line in enumerate(caplog.messages) if line.startswith("stream "))
    assert [line.split()[:5] for line in caplog.messages[head : head + 2]] == [
        ["stream", "rows", "inserted", "files", "commits"],
        ["people", "2", "2", "1", "1"],
    ]


def test_warnings_of_a_load_are_grouped(load: Load, report: Path) -> None:
    """Each kind has a sample and its number."""
    load([PEOPLE, record("people", id=1, more=1)], report_file=str(report))

    assert [(one["sample"].partition(",")[0], one["count"]) for one in said(report)["warnings"]] == [
        ("properties that the SCHEMA does not declare are passed over", 1)
    ]


@pytest.mark.slow
def test_a_terminal_shows_how_far_it_is(warehouse: Path) -> None:
    """A loader that reads a file draws a line on the terminal while it waits or works, and takes it off at the end."""
    target = TargetDelta(config={"path": str(warehouse)}, validate_config=True)
    reading, writing = os.pipe()
    os.write(writing, as_lines([PEOPLE, record("people", id=1), record("people", id=2)]))
    with terminal() as screen, contextlib.redirect_stderr(screen.stream), contextlib.redirect_stdout(io.StringIO()):
        person = threading.Thread(target=_close_after, args=(screen, writing))
        person.start()
        with os.fdopen(reading, "rb") as source:
            target.listen(source)  # type: ignore[arg-type]  # bytes and text both work
        person.join()

    assert "loading people  2 rows" in screen.text()
    assert screen.text().endswith("\r\x1b[2K")


def _close_after(screen: Terminal, writing: int) -> None:
    """End the input once the terminal shows that all of it is read."""
    screen.wait_for("2 rows")
    os.close(writing)
