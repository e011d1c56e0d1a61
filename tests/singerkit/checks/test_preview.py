"""`preview`: the first rows of a stream, for a person and for a pipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.rest.endpoint import Parent
from singerkit.rest.pages import Offset
from singerkit.show.preview import preview_table
from singerkit.show.table import table

from .conftest import Line, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singerkit.testing.fake_api import FakeApi

ROWS = [{"id": n, "at": "2024-01-01T00:00:00Z"} for n in range(1, 31)]


def test_a_pipe_gets_json_lines(line: Line, api: FakeApi) -> None:
    """Outside of a terminal each row is a JSON object; no page is longer than the limit."""
    line.rows(row("a", pages=Offset(param="offset", size_param="limit", size=100)))
    api.route("/a", lambda asked: _reply(ROWS[: int(asked.query["limit"])]))

    code, text = line("preview", "a", "--limit", "3")

    assert code == 0
    assert [json.loads(said) for said in text.splitlines()] == ROWS[:3]
    assert api.asked[0].query["limit"] == "3"


def test_ten_rows_by_default(line: Line, api: FakeApi) -> None:
    """Without a limit there are ten."""
    line.rows(row("a"))
    api.route("/a", ROWS)

    assert len(line("preview", "a")[1].splitlines()) == 10


def test_children_of_several_parents(line: Line, api: FakeApi) -> None:
    """A child is shown below as many parents as it takes, with its parent's column."""
    parent = Parent(stream="forms", params={"form_id": "id"})
    line.rows(row("forms"), row("answers", path="/forms/{form_id}", parents=(parent,), own_keys=True))
    api.route("/forms", ROWS)
    api.route("/forms/*", ROWS[:2])

    said = [json.loads(one) for one in line("preview", "answers", "--limit", "3")[1].splitlines()]

    assert [(one["form_id"], one["id"]) for one in said] == [(1, 1), (1, 2), (2, 1)]


def test_unknown_stream(line: Line, api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    """A name that is no stream's is refused with the nearest ones."""
    line.rows(row("orders"), row("zip"))

    assert line("preview", "order")[0] == 2
    assert caplog.messages[-1] == "there is no stream order; choose one of: orders"


TABLES: dict[str, tuple[Sequence[dict[str, Any]], int, list[str]]] = {
    "fits": (
        [{"id": 1, "name": "Ann"}, {"id": 10, "name": None}],
        40,
        ["id  name", " 1  Ann", "10", "2 rows"],
    ),
    "nested and Asian": (
        [{"id": 1, "name": {"a": [1]}}, {"id": 2, "name": "東京\n"}],
        40,
        ["id  name", ' 1  {"a": [1]}', " 2  東京", "2 rows"],
    ),
    "too wide": (
        [{"id": 1, "name": "x" * 30}],
        20,
        ["-- row 1", "id    1", "name  xxxxxxxxxxxxx…", "1 row"],
    ),
    "nothing": ([], 20, ["id  name", "0 rows"]),
}


@pytest.mark.parametrize(("rows", "width", "lines"), TABLES.values(), ids=TABLES)
def test_a_terminal_gets_a_table(rows: list[dict[str, Any]], width: int, lines: list[str]) -> None:
    """Rows that fit stand side by side; wider ones one below the other, a column a line."""
    assert [line.rstrip() for line in preview_table(rows, ["id", "name"], width)] == lines


def test_numbers_stand_to_the_right() -> None:
    """Columns of numbers end at the same place, with marks for thousands where they are asked for."""
    assert [*table(["n", "what"], [[1, "a"], [12345, None]], grouped=True)] == ["     n  what", "     1  a", "12,345"]


def _reply(rows: list[dict[str, Any]]) -> Any:
    from singerkit.testing.fake_api import Reply

    return Reply(rows)
