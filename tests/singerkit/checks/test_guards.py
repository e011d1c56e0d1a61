"""What is looked at before the first record: how many rows would come, and whether keys name one row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.pages import Offset

from .conftest import Line, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from singerkit.testing.fake_api import FakeApi

ROWS = [{"id": n, "at": f"2024-01-{n:02}T00:00:00Z"} for n in range(1, 21)]


def test_more_than_max_rows_by_the_servers_total(line: Line, api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    """Where the server says how many there are and that is too many, the run ends by 4 before its first record."""
    pages = Offset(param="offset", size_param="limit", size=5, total="$.total")
    line.rows(row("a", pages=pages, records="$.rows"), row("b"))
    line.config["max_rows"] = 10
    api.route("/a", lambda asked: _page(asked.query))
    api.route("/b", ROWS[:1])

    code, text = line()

    assert (code, text) == (4, "")
    assert "more rows are to come than max_rows allows: a about 20 (max_rows=10)" in caplog.text


def test_total_below_max_rows(line: Line, api: FakeApi) -> None:
    """A stream within its limit is read whole; what is expected stands in the report."""
    pages = Offset(param="offset", size_param="limit", size=5, total="$.total")
    line.rows(row("a", pages=pages, records="$.rows"))
    line.config |= {"max_rows": 20, "report_file": str(line.file.with_name("report.json"))}
    api.route("/a", lambda asked: _page(asked.query))

    code, text = line()

    said = json.loads(line.file.with_name("report.json").read_text())["streams"]["a"]
    assert (code, text.count('"RECORD"')) == (0, 20)
    assert (said["rows_to_sync"], said["read"], said["written"], said["bytes"] > 1000) == (20, 20, 20, True)


def test_unknown_total_stops_well(line: Line, api: FakeApi) -> None:
    """Where nobody knows the number, the stream stops at max_rows, and the next run goes on from its STATE."""
    line.rows(row("a", bookmarks=(Bookmark(field="at", param="since", order="asc"),)))
    line.config |= {"max_rows": 8, "report_file": str(line.file.with_name("report.json"))}
    api.route("/a", lambda asked: _since(asked.query))

    code, text = line()

    messages = [json.loads(said) for said in text.splitlines()]
    said = json.loads(line.file.with_name("report.json").read_text())["streams"]["a"]
    assert (code, sum(message["type"] == "RECORD" for message in messages)) == (0, 8)
    assert messages[-1]["value"]["bookmarks"]["a"]["replication_key_value"] == "2024-01-08T00:00:00Z"
    assert (said["capped"], said["bookmark_after"]["replication_key_value"]) == (1, "2024-01-08T00:00:00Z")


def _page(query: Mapping[str, str]) -> Any:
    from singerkit.testing.fake_api import Reply

    start, size = int(query.get("offset", 0)), int(query["limit"])
    return Reply({"rows": ROWS[start : start + size], "total": len(ROWS)})


def _since(query: Mapping[str, str]) -> Any:
    from singerkit.testing.fake_api import Reply

    return Reply([one for one in ROWS if str(one["at"]) >= query.get("since", "")])
