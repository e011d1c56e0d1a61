"""Walks that would not end, or end too soon: circles of pages, ways on that are missing, errors with status 200."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from singerkit.rest import pages
from singerkit.rest.circle import Circle
from singerkit.rest.endpoint import Endpoint
from singerkit.rest.message import Request
from singerkit.rest.rules import Rule
from singerkit.testing.fake_api import Asked, FakeApi, Reply

Schema = Callable[..., dict[str, Any]]
FIRST = Request("GET", "http://h")


def items(made: Schema, **more: Any) -> Endpoint:
    return Endpoint(**({"name": "items", "path": "/items", "keys": ("id",), "schema": made(id="integer")} | more))


@given(st.integers(0, 40), st.integers(1, 40))
def test_a_circle_of_any_length_is_found(before: int, length: int) -> None:
    """Pages that come again are found, wherever the circle begins and however long it is; requests may all differ."""
    found = Circle("items", FIRST)

    def walk() -> None:
        for n in range(4 * (before + length) + 2):
            page = n if n < before else before + (n - before) % length
            found.look([{"id": page}], Request("GET", f"http://h/{n}"))

    with pytest.raises(SafetyStopError):
        walk()


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), max_size=30, unique_by=str))
def test_pages_that_differ_are_no_circle(walked: list[list[int]]) -> None:
    """Pages that begin and end alike, or hold records that were there before, are pages like any other."""
    found = Circle("items", FIRST)

    for n, page in enumerate(walked):
        found.look(page, Request("GET", f"http://h/{n}"))


@pytest.mark.parametrize("count", [1, 2, 5], ids=["one-record", "two", "five"])
def test_a_server_that_knows_no_pages(count: int, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A server that gives the same page whatever page is asked for is found out at the second, also with one record."""
    api.route("/items", [{"id": n} for n in range(count)])

    done = tries.run(items(schema, pages=pages.PageNumber()))

    assert str(done.error) == (
        "the pages go round in a circle (stream=items, pages=2); "
        "check the page style of the row: the server gave the same page, or the same way on, twice"
    )
    assert len(api.asked) == 2


def test_a_server_that_begins_again(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A server that goes back to the first page after the last is found out, with every record read."""
    api.route("/items", lambda asked: Reply([{"id": int(asked.query["page"]) % 3}]))

    done = tries.run(items(schema, pages=pages.PageNumber()))

    assert "the pages go round in a circle (stream=items, pages=" in str(done.error)
    assert {one["id"] for one in done.records("items")} == {0, 1, 2}
    assert len(api.asked) <= 8


LOST = {
    "cursor": (pages.Cursor(param="c", path="next", more="more"), {"data": [{"id": 1}], "more": True}),
    "last-id": (pages.LastId(field="idd", more="more"), {"data": [{"id": 1}], "more": True}),
    "last-id-without-flag": (pages.LastId(field="idd", more=None), {"data": [{"id": 1}]}),
    "last-id-of-nothing": (pages.LastId(more="more"), {"data": [], "more": True}),
    "graphql": (pages.GraphQL(page_info="info"), {"data": [{"id": 1}], "info": {"hasNextPage": True}}),
    "graphql-info": (pages.GraphQL(page_info="inf"), {"data": [{"id": 1}], "info": {"hasNextPage": False}}),
}


@pytest.mark.parametrize("case", LOST)
def test_more_that_cannot_be_reached(case: str, api: FakeApi, tries: Any, schema: Schema) -> None:
    """Where a server says that there is more and the row looks for the way on in the wrong place, nothing is cut."""
    style, body = LOST[case]
    api.route("/items", body)

    done = tries.run(items(schema, records="data", pages=style, method="POST", body={}))

    assert str(done.error) == (
        f"the server says that there is more, but not how to go on (stream=items, pages={style.style}); "
        "check where the page style of the row looks for it"
    )


def connection(asked: Asked) -> Reply:
    """Answer a GraphQL query of one page."""
    return Reply({"data": {"nodes": [{"id": 1}], "pageInfo": {"hasNextPage": False}}})


GRAPH = {"method": "POST", "body": {"query": "{}"}, "records": "data.nodes"}


def test_errors_of_graphql_are_said_in_the_vendors_words(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A refusal with status 200 is a refusal, also beside half of the data; a row's own rule comes first."""
    error = {"message": "Could not resolve\nto a node", "type": "NOT_FOUND"}
    api.route("/items", {"data": {"nodes": [{"id": 1}, None], "pageInfo": {}}, "errors": [error]})
    row = items(schema, pages=pages.GraphQL(page_info="data.pageInfo"), **GRAPH)
    gone = items(
        schema,
        pages=pages.GraphQL(page_info="data.pageInfo"),
        rules=(Rule(action="ignore", body="errors", matches="NOT_FOUND"),),
        **GRAPH,
    )

    refused, ignored = tries.run(row), tries.run(gone)

    assert str(refused.error) == (
        "the server refuses this: Could not resolve to a node (stream=items, request=POST /items, host=127.0.0.1, "
        "status=200); check the stream's row and the settings"
    )
    assert refused.records("items") == []
    assert ignored.error is None


def test_a_throttled_query_is_asked_again(api: FakeApi, tries: Any, schema: Schema) -> None:
    """GraphQL servers say by a body what others say by 429; an empty list of errors is none."""
    busy = Reply({"errors": [{"message": "wait", "extensions": {"code": "THROTTLED"}}]})
    limited = Reply({"errors": [{"message": "wait", "type": "RATE_LIMITED"}]})
    good = connection(Asked("POST", "/items", {}, None, {}))
    answers = iter([busy, limited, Reply({**good.body, "errors": []})])
    api.route("/items", lambda asked: next(answers))

    done = tries.run(items(schema, pages=pages.GraphQL(page_info="data.pageInfo"), **GRAPH))

    assert (done.error, done.records("items")) == (None, [{"id": 1}])
