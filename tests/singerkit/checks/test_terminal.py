"""What a person sees on a terminal: the table of `--discover`, a preview, a check, the line of progress."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from singerkit import shell
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.pages import Offset
from singerkit.testing.fake_api import FakeApi, Reply
from tests.terminal import terminal

from .conftest import Line, row

if TYPE_CHECKING:
    from singerkit.testing.fake_api import Asked

ROWS = [{"id": n, "at": "2024-01-01T00:00:00Z"} for n in range(1, 13)]


def shown(line: Line, *words: str) -> list[str]:
    """Run words on a terminal of 80 columns; return the lines on it."""
    line.file.write_text(json.dumps(line.config))
    with terminal(80) as screen, contextlib.redirect_stdout(screen.stream):
        assert shell.run("tests.singerkit.checks.conftest:TapLooked", [*words, "--config", str(line.file)]) == 0
    return [text.rstrip() for text in screen.text().splitlines()]


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width that a shell exports, since stdout of this process is not the terminal itself."""
    monkeypatch.setenv("COLUMNS", "80")


def test_discover(line: Line) -> None:
    """A table of streams, and no JSON."""
    line.rows(row("orders", bookmarks=(Bookmark(field="at", param="since"),), warnings=("deletes are not seen",)))

    assert shown(line, "--discover") == [
        "stream  keys  method       replication key",
        "orders  id    INCREMENTAL  at",
        "    ! deletes are not seen",
        "1 stream",
    ]


def test_discover_in_a_pipe(line: Line) -> None:
    """The Singer catalog, as always."""
    line.rows(row("orders"))

    code, text = line("--discover")

    assert (code, [stream["tap_stream_id"] for stream in json.loads(text)["streams"]]) == (0, ["orders"])


def test_preview(line: Line, api: FakeApi) -> None:
    """A table of the first rows."""
    line.rows(row("orders"))
    api.route("/orders", ROWS)

    assert shown(line, "preview", "orders", "--limit", "2") == [
        "id  at",
        " 1  2024-01-01T00:00:00Z",
        " 2  2024-01-01T00:00:00Z",
        "2 rows",
    ]


def test_a_preview_shows_no_secret(line: Line, api: FakeApi) -> None:
    """A vendor that repeats the credential in its rows is masked in what a person is shown, before it is cut."""
    line.rows(row("orders", schema={"properties": {"id": {"type": "integer"}, "by": {"type": "string"}}}))
    api.route("/orders", lambda asked: Reply([{"id": 1, "by": "x" * 30 + asked.headers["authorization"]}]))

    assert shown(line, "preview", "orders")[1] == f" 1  {'x' * 30}Bearer ***"


@pytest.mark.slow
def test_progress(line: Line, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """While rows go into a pipe one line says how far the run is, and of how many, where the server knows."""
    pages = Offset(param="offset", size_param="limit", size=2, total="$.total")
    line.rows(row("orders", pages=pages, records="$.rows"))
    api.latency_s = 0.15
    api.route("/orders", _page)
    line.file.write_text(json.dumps(line.config))

    with terminal(80) as screen, contextlib.redirect_stderr(screen.stream):
        code = shell.run("tests.singerkit.checks.conftest:TapLooked", ["--config", str(line.file)])

    drawn = [text for text in screen.text().split("\r\x1b[2K") if text.startswith("orders  ")]
    assert code == 0
    assert capsys.readouterr().out.count('"RECORD"') == 12
    assert [text for text in drawn if "%" in text and "left" in text]
    assert max(map(len, drawn)) < 80


def _page(asked: Asked) -> Reply:
    start, size = int(asked.query.get("offset", 0)), int(asked.query["limit"])
    return Reply({"rows": ROWS[start : start + size], "total": len(ROWS)})
