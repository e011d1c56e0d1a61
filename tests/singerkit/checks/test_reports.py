"""What a run says at its end, however it ended: the lines of the log, and the file for a program."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.pages import Offset
from singerkit.shell import outcome_of
from singerkit.testing.fake_api import FakeApi, Reply

from .conftest import Line, row

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = [{"id": n, "at": f"2024-01-{n:02}T00:00:00Z"} for n in range(1, 21)]


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A plugin takes the signals of its process; the test run gets its own back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def reported(line: Line, *words: str) -> tuple[int, dict[str, Any]]:
    """Run the tap; return its exit code and its report."""
    file = line.file.with_name("report.json")
    line.config["report_file"] = str(file)
    code, _ = line(*words)
    return code, json.loads(file.read_text())


def test_a_good_run(line: Line, api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    """Counts, bookmarks before and after, requests, and what took the time; the log has the same as a table."""
    line.rows(row("a", bookmarks=(Bookmark(field="at", param="since", order="asc"),)))
    api.route("/a", ROWS)

    code, said = reported(line)

    counts = said["streams"]["a"]
    assert (code, said["outcome"], said["plugin"]) == (0, "good", "tap-looked")
    assert (counts["read"], counts["written"], counts["requests"], counts["retries"]) == (20, 20, 1, 0)
    assert counts["bookmark_after"]["replication_key_value"] == "2024-01-20T00:00:00Z"
    assert counts["bottleneck"] == said["bottleneck"]
    assert counts["rate"] > 0
    assert [text.split()[:4] for text in caplog.messages if text.startswith(("stream", "a "))] == [
        ["stream", "read", "written", "requests"],
        ["a", "20", "20", "1"],
    ]


def test_discovery_that_fails(line: Line) -> None:
    """A run that never got as far as its streams has a report too."""
    line.rows(row("a", keys=("nope",)))

    code, said = reported(line)

    assert code == 2
    assert said["outcome"] == (
        "the rows cannot be used: a: keys nope is not in the schema (known: at, id); correct them"
    )
    assert said["streams"] == {}


def test_a_refused_credential(line: Line, api: FakeApi) -> None:
    """The outcome is the line that ended the run, without the credential that the vendor repeats."""
    line.rows(row("a"))
    api.route("/a", lambda asked: Reply({"message": f"who is {asked.headers['authorization']}"}, 401))

    code, said = reported(line)

    assert code == 5
    assert said["outcome"] == (
        "the server refuses this: who is Bearer *** (request=GET /a, host=127.0.0.1, status=401); "
        "check the credentials, or deselect the stream"
    )


def test_some_streams_fail(line: Line, api: FakeApi) -> None:
    """The outcome names them; what the others did is counted."""
    line.rows(row("a"), row("b"))
    api.route("/a", Reply({"message": "no"}, 403))
    api.route("/b", ROWS)

    code, said = reported(line)

    assert (code, said["outcome"]) == (
        3,
        "1 of 2 streams failed: a; the reasons are above; the others are complete",
    )
    assert (said["streams"]["a"]["read"], said["streams"]["b"]["written"]) == (0, 20)


def test_too_many_rows(line: Line, api: FakeApi) -> None:
    """A run that is stopped before its first record says why."""
    line.rows(row("a", pages=Offset(param="offset", size_param="limit", size=5, total="$.total"), records="$.rows"))
    line.config["max_rows"] = 3
    api.route("/a", {"rows": ROWS[:1], "total": 20})

    code, said = reported(line)

    assert (code, said["outcome"].partition(" (")[0]) == (4, "more rows are to come than max_rows allows: a about 20")


def test_a_signal(line: Line, api: FakeApi) -> None:
    """A run that is told to stop counts what it has told until then; its bookmark is that of the last STATE, if any."""
    line.rows(
        row(
            "a",
            pages=Offset(param="offset", size_param="limit", size=5),
            bookmarks=(Bookmark(field="at", param="since", order="asc"),),
        )
    )
    line.config["state_interval_s"] = 0
    api.route("/a", _stopping)

    code, said = reported(line)

    states = [json.loads(text)["value"]["bookmarks"]["a"] for text in line.said.out.splitlines() if '"STATE"' in text]
    assert (code, said["outcome"]) == (143, "stopped by signal 15; the next run goes on from the last STATE")
    assert said["streams"]["a"]["written"] == line.said.out.count('"RECORD"')
    assert said["streams"]["a"].get("bookmark_after") == next((one for one in reversed(states) if one), None)


def _stopping(asked: Any) -> Reply:
    """Answer a page; before the second, tell the process to stop."""
    start = int(asked.query.get("offset", 0))
    if start == 5:
        os.kill(os.getpid(), signal.SIGTERM)
    return Reply(ROWS[start : start + 5])


ENDS = [
    (BrokenPipeError(), "the reader of this output has gone; see its own message"),
    (ZeroDivisionError("secret"), "a bug: ZeroDivisionError"),
]


@pytest.mark.parametrize(("error", "said"), ENDS)
def test_what_ended_a_run(error: Exception, said: str) -> None:
    """A reader that went away is said as the log says it; of a bug only its kind: its text may hold anything."""
    assert outcome_of(error) == said
