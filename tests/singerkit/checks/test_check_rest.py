"""`check` of a REST tap: what stands between the settings and the rows, in a person's words."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.rest.auth import Bearer
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Condition, Parent, Source
from singerkit.rest.pages import Offset
from singerkit.testing.fake_api import FakeApi, Reply, Trouble

from .conftest import Line, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singerkit.testing.fake_api import Asked

ROWS = [{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "2024-01-02T00:00:00Z"}]


def test_all_is_well(line: Line, api: FakeApi) -> None:
    """Each step and each stream has its tick, and the exit code is 0."""
    line.rows(row("a"), row("b"))
    api.route("/a", ROWS)
    api.route("/b", [])

    code, text = line("check")

    assert (code, text.splitlines()) == (
        0,
        [
            "tap-looked",
            "  ✓ settings",
            f"  ✓ network      {api.url.removeprefix('http://')} answers",
            "  ✓ credentials",
            "  ✓ streams      2 streams",
            "streams: 2 of 2 can be read",
            "  ✓ a",
            "  ! b",
            "       there are no rows yet",
        ],
    )


def test_smallest_request(line: Line, api: FakeApi) -> None:
    """A stream is asked for one row, once; the first page of a parent is asked for once for all of its children."""
    pages = Offset(param="offset", size_param="limit", size=100)
    parent = Parent(stream="forms", params={"form_id": "id"})
    children = [row(f"c{n}", path="/forms/{form_id}/answers", parents=(parent,), own_keys=True) for n in range(5)]
    line.rows(row("forms", pages=pages), *children)
    api.route("/forms", ROWS)
    api.route("/forms/*", ROWS)

    code, _ = line.found()

    asked = [(one.query.get("limit"), one.query.get("offset")) for one in api.asked if one.path == "/forms"]
    assert code == 0
    assert asked.count(("1", "0")) == 1
    assert asked.count(("100", "0")) == 1
    assert {one.path for one in api.asked} == {"/", "/forms", "/forms/1/answers"}


def test_some_streams_are_refused(line: Line, api: FakeApi) -> None:
    """A key that may read some streams is a success; the others say which scope is missing and where it is granted."""
    line.rows(row("a"), row("b", scopes=("b:read",), scopes_help="https://example.com/keys"))
    api.route("/a", ROWS)
    api.route("/b", Reply({"message": "no canary-4711 for you"}, 403))

    code, found = line.found()

    assert code == 0
    assert found["a"] == {"outcome": "good"}
    assert found["b"] == {
        "outcome": "bad",
        "error": "Credentials",
        "said": "the server refuses this: no *** for you (request=GET /b, host=127.0.0.1, status=403)",
        "remedy": "grant b:read (https://example.com/keys), or deselect the stream",
    }


ANSWERS: Mapping[str, tuple[Reply, int]] = {
    "all forbidden": (Reply({"message": "no"}, 403), 5),
    "all gone": (Reply({"message": "no"}, 404), 2),
    "not records": (Reply({"oops": 1}), 4),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_no_stream_can_be_read(answer: Reply, expected: int, line: Line, api: FakeApi) -> None:
    """Where nothing can be read the check fails, with the exit code of what is wrong."""
    line.rows(row("a", records="$.rows"), row("b", records="$.rows"))
    api.route("/*", answer)

    code, found = line.found()

    assert code == expected
    assert [found[name]["outcome"] for name in "ab"] == ["bad", "bad"]


def test_unknown_key(line: Line, api: FakeApi) -> None:
    """A credential that the server does not know is said once, and streams that were not tried say so."""
    line.rows(*(row(f"s{n}") for n in range(20)))
    api.route("/s*", Reply({"message": "who is canary-4711"}, 401))

    code, found = line.found()

    assert code == 5
    assert found["credentials"]["outcome"] == "bad"
    assert "who is ***" in found["credentials"]["said"]
    assert {found[f"s{n}"]["outcome"] for n in range(20)} == {"untried"}
    assert len(api.asked) < 20


def test_nobody_answers(line: Line, api: FakeApi) -> None:
    """A server that is not there is found at the step of the network, and no stream is tried."""
    line.rows(row("a"))
    line.config["base_url"] = "http://127.0.0.1:9"

    code, found = line.found()

    assert code == 6
    assert list(found) == ["settings", "network"]
    assert found["network"]["said"].startswith("the server does not serve this: it cannot be reached")


def test_forbidden_address(line: Line, api: FakeApi) -> None:
    """A private address is refused by the host guard, with the setting that allows it."""
    line.rows(row("a"))
    line.config["allow_private_hosts"] = False

    code, found = line.found()

    assert (code, found["network"]["outcome"]) == (2, "bad")
    assert "allow_private_hosts" in found["network"]["remedy"]


def test_settings_are_refused(line: Line) -> None:
    """Settings that cannot be used are the first finding; nothing is asked of the server."""
    line.config = {"tokn": "x"}

    code, found = line.found()

    assert (code, found["settings"]["outcome"]) == (2, "bad")
    assert "tokn: unknown, did you mean token?" in found["settings"]["said"]
    assert "base_url: missing" in found["settings"]["said"]


def test_patience_is_short(line: Line, api: FakeApi) -> None:
    """A stream whose server is busy is given up after two attempts: a check is no sync."""
    line.rows(row("a"), row("b"))
    line.config["retry_base_s"] = 0.001
    api.route("/a", Reply({"message": "busy"}, 503))
    api.route("/b", ROWS)

    code, found = line.found()

    assert (code, found["a"]["outcome"], found["b"]["outcome"]) == (0, "bad", "good")
    assert sum(one.path == "/a" for one in api.asked) == 2


def test_child_without_a_fitting_parent(line: Line, api: FakeApi) -> None:
    """A child is not proved where no parent leads to it, and not searched for through all pages."""
    only = Condition(field="at", is_="=", value="never")
    parent = Parent(stream="forms", params={"form_id": "id"}, only_if=(only,))
    pages = Offset(param="offset", size_param="limit", size=1, total="$.total")
    line.rows(
        row("forms", pages=pages, records="$.rows"),
        row("answers", path="/forms/{form_id}", parents=(parent,), own_keys=True),
    )
    api.route("/forms", lambda asked: Reply({"rows": [{"id": int(asked.query["offset"])}], "total": 1000}))

    code, found = line.found()

    assert (code, found["answers"]["outcome"]) == (0, "remark")
    assert found["answers"]["remarks"] == ["not proved: none of the first rows of forms leads to it"]
    assert len(api.asked) < 30


def test_deep(line: Line, api: FakeApi) -> None:
    """`--deep` counts rows, names keys that come twice, and counts bookmarks that are NULL or in the future."""
    line.rows(row("a", bookmarks=(Bookmark(field="at"),)))
    api.route("/a", [*ROWS, ROWS[0], {"id": 3, "at": None}, {"id": 4, "at": "2999-01-01T00:00:00Z"}])

    code, found = line.found("--deep")

    assert (code, found["a"]["outcome"], found["a"]["said"]) == (0, "remark", "5 rows")
    assert {name: found["a"][name] for name in ("rows", "duplicate_keys", "null_bookmarks", "future_bookmarks")} == {
        "rows": 5,
        "duplicate_keys": ['{"id": 1}'],
        "null_bookmarks": 1,
        "future_bookmarks": 1,
    }
    assert [remark.partition(" ")[0] for remark in found["a"]["remarks"]] == ["keys", "1", "1"]


def test_fifty_streams(line: Line, api: FakeApi) -> None:
    """Fifty streams are looked at ten at once, as the source allows: five times as long as one, and one request each.

    So a server may need almost two seconds for an answer before a check takes ten.
    """
    line.rows(*(row(f"s{n}") for n in range(50)), source=_source(concurrency=10))
    together, most = threading.Barrier(10), []

    def answer(asked: Asked) -> Reply:
        most.append(together.wait(timeout=20))  # nobody is answered before ten have come
        return Reply(ROWS)

    api.route("/s*", answer)

    code, found = line.found()

    assert (code, len(found)) == (0, 54)
    assert len(most) == len(api.asked) - 1 == 50


def test_the_option_test(line: Line, api: FakeApi) -> None:
    """`--test` is the check in singer-sdk's words; `--test=schema` stays what it was."""
    line.rows(row("a"))
    api.route("/a", ROWS)

    code, text = line("--test")
    assert (code, text.splitlines()[-1]) == (0, "  ✓ a")

    code, text = line("--test=schema")
    assert code == 0
    assert '"type":"SCHEMA"' in text


def test_reset_connections_are_tried_again(line: Line, api: FakeApi) -> None:
    """One bad moment of the network is no finding."""
    line.rows(row("a"))
    line.config["retry_base_s"] = 0.001
    api.route("/a", ROWS)
    api.trouble(Trouble(reset=True, path="/a"))

    assert line.found()[1]["a"] == {"outcome": "good"}


def _source(**words: Any) -> Source:
    return Source(base_url="{base_url}", auth=Bearer(token="{token}"), **words)
