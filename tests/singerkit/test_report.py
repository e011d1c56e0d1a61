"""The report of a run: a table for the log, JSON for a file, warnings by their kind."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from singerkit.report import Report
from singerkit.settings.secrets import hide
from singerkit.warned import KINDS, SHOWN

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

logger = logging.getLogger("singerkit.tests")


def reported() -> Report:
    report = Report("tap-x", "run-1")
    report.add("orders", read=1000, written=1000, bytes=52_000, seconds=2.0, requests=11)
    report.note("orders", bookmark_before=None, bookmark_after={"replication_key_value": 7})
    report.took("the source", 1.5, "orders")
    report.took("writing", 0.5, "orders")
    report.add("users", read=2, written=0, capped=1)
    report.took("writing", 3.0, "users")
    return report


def test_table() -> None:
    """A line a stream; columns without a count are left out."""
    assert reported().table() == [
        "stream   read  written  capped  requests   bytes  seconds  rate  bottleneck",
        "orders  1,000    1,000                11  52,000     2.00   500  the source",
        "users       2        0       1                                   writing",
    ]


def test_json(tmp_path: Path) -> None:
    """The file holds the same, with bookmarks, what was warned of, and where the time of the whole run went."""
    report = reported()
    report.write(tmp_path / "a" / "report.json", "good")

    said = json.loads((tmp_path / "a" / "report.json").read_text())
    assert (said["plugin"], said["run"], said["outcome"], said["bottleneck"]) == ("tap-x", "run-1", "good", "writing")
    assert said["streams"] == {
        "orders": {
            "read": 1000,
            "written": 1000,
            "bytes": 52_000,
            "seconds": 2.0,
            "requests": 11,
            "rate": 500,
            "bottleneck": "the source",
            "bookmark_after": {"replication_key_value": 7},
        },
        "users": {"read": 2, "written": 0, "capped": 1, "bottleneck": "writing"},
    }


def test_unwritable_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A report that cannot be written is a warning: the run's own outcome stays."""
    (tmp_path / "file").touch()

    reported().write(tmp_path / "file" / "report.json", "good")

    assert "the report could not be written" in caplog.messages[0]


def test_warnings_are_grouped(caplog: pytest.LogCaptureFixture) -> None:
    """A kind of warning has one sample and its true total; a storm of it is in the log a few times only."""
    report = Report("tap-x", "run-1")
    with report.listening():
        for number in range(1000):
            logger.warning("page cap reached stream=%s", f"s{number}")
        logger.warning("another")
        logger.info("page cap reached")
    logger.warning("after the run")

    assert report.warned.counts() == [("page cap reached stream=s0", 1000), ("another", 1)]
    assert len([message for message in caplog.messages if message.startswith("page cap")]) == SHOWN
    assert [*report.lines()] == ["1,000 times: page cap reached stream=s0"]


def test_many_kinds_of_warnings() -> None:
    """A plugin whose every warning is another does not fill the memory."""
    report = Report("tap-x", "run-1")
    with report.listening():
        for number in range(2 * KINDS):
            logger.warning(f"odd {number}")  # noqa: G004  # a plugin that does not know better

    assert report.warned.counts()[-1] == ("warnings of further kinds", KINDS)
    assert len(report.warned.counts()) == KINDS + 1


def test_no_secret_is_reported(tmp_path: Path) -> None:
    """Neither a sample nor a bookmark nor an outcome carries a secret out."""
    hide(["canary-8812"])
    report = Report("tap-x", "run-1")
    with report.listening():
        logger.warning("asked with canary-8812")
    report.note("orders", bookmark_after={"next": "canary-8812"})
    report.write(tmp_path / "report.json", "refused canary-8812")

    assert "canary-8812" not in (tmp_path / "report.json").read_text() + "".join(report.lines())
