"""Walks from the newest record down that were cut: they go on at their place, and lose nothing that moved meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark, seen
from singerkit.rest.descending import Descending
from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.rest.marks import Marks
from singerkit.rest.message import Request
from singerkit.rest.rules import Rule
from singerkit.testing.fake_api import FakeApi, Reply
from singerkit.testing.runner import cut
from singerkit.testing.served import Collection

Schema = Callable[..., dict[str, Any]]
NOW = datetime(2027, 1, 1, tzinfo=UTC)
CHANGED = Bookmark(field="at", type="integer", order="desc")
SIZE = 3


def walked(rows: dict[int, int], state: dict[str, Any]) -> Iterator[tuple[set[tuple[int, int]], dict[str, Any], int]]:
    """Yield, for each page of a run over a list of numbers with their changes, its rows, the STATE and its number."""
    steps = Descending(Marks(CHANGED, state, "items", NOW, fingerprint="f"))
    listed = sorted(rows.items(), key=lambda row: -row[1])
    for span in steps.spans():
        number = int(span.token["params"]["page"]) if span.token else 0
        while True:
            page = listed[number * SIZE : (number + 1) * SIZE]
            number += 1
            more = Request("GET", "u", {"page": number}) if number * SIZE < len(listed) else None
            found = seen(CHANGED, [{"id": one, "at": at} for one, at in page], "items")
            steps.saw(found, more)
            yield {*page}, steps.state(), number
            if more is None or steps.enough(found):
                break
    yield set(), steps.finished(), 0


@given(
    before=st.integers(1, 30),
    cuts=st.lists(st.integers(1, 6), max_size=3),
    changes=st.lists(st.tuples(st.sampled_from(["new", "changed", "gone"]), st.integers(0, 29)), max_size=12),
)
def test_whatever_happens_to_a_list_while_a_walk_is_cut(
    before: int, cuts: list[int], changes: list[tuple[str, int]]
) -> None:
    """All that the list holds at the end has been read as it is, however often the run was cut and rows moved."""
    rows, clock = {number: number for number in range(before)}, 100
    read: set[tuple[int, int]] = set()
    state: dict[str, Any] = {}
    for place in [*cuts, 10**6]:
        for count, (page, reached, _) in enumerate(walked(rows, state), 1):
            read |= page
            last = reached
            if count == place:
                break
        state = last
        mine, changes = (changes[:4], changes[4:]) if place < 10**6 else ([], changes)
        for what, number in mine:
            clock += 1
            if what == "gone":
                rows.pop(number, None)
            elif what == "new" or number in rows:
                rows[clock if what == "new" else number] = clock

    assert {*rows.items()} <= read
    assert state.keys() <= {"replication_key", "replication_key_value"}
    newest = max(rows.values(), default=None)  # where a row that is gone was the newest of a walk that was cut
    assert state.get("replication_key_value") in {newest, max(at for _, at in read)}


def test_a_page_is_read_twice_and_no_more() -> None:
    """The run after a cut asks for the last page again and goes on, then looks at the top for what is new."""
    rows = {number: number for number in range(30)}
    state = [reached for _, reached, _ in walked(rows, {})][6]

    again = [number for _, _, number in walked(rows, state)]

    assert again == [7, 8, 9, 10, 1, 0]
    assert state["resume"] == {"url": "u", "params": {"page": 6}}


def test_a_list_that_lost_more_than_a_page() -> None:
    """What stood below the place may stand above it now: the walk begins again."""
    rows = {number: number for number in range(30)}
    state = [reached for _, reached, _ in walked(rows, {})][6]
    left = {number: at for number, at in rows.items() if not 20 <= number < 24}

    again = [*walked(left, state)]

    assert [number for *_, number in again] == [7, *range(1, 10), 0]
    assert {*left.items()} <= set().union(*(page for page, *_ in again))
    assert "resume" not in again[0][1]


def item(n: int) -> dict[str, Any]:
    return {"id": n, "at": f"2024-01-{n:02}T00:00:00Z"}


def served(api: FakeApi, path: str, *numbers: int) -> None:
    api.route(path, Collection(rows=[item(n) for n in numbers][::-1], style="link"))


def newest_first(schema: Schema, **more: Any) -> Endpoint:
    words: dict[str, Any] = {"name": "items", "path": "/items", "keys": ("id",), "pages": pages.Link()}
    words |= {"schema": schema(id="integer", at="date-time"), "bookmarks": (Bookmark(field="at", order="desc"),)}
    return Endpoint(**(words | more))


def below_teams(schema: Schema) -> tuple[Endpoint, Endpoint]:
    teams = Endpoint(name="teams", path="/teams", keys=("id",), schema=schema(id="integer"), selected=False)
    parent = Parent(stream="teams", params={"team": "id"})
    return teams, newest_first(schema, path="/teams/{team}/items", keys=("team", "id"), parents=(parent,))


def asked(api: FakeApi, path: str) -> list[str]:
    found = [one.query.get("at", "0") for one in api.asked if one.path == path]
    api.asked.clear()
    return found


def test_a_stream_goes_on_at_its_place(api: FakeApi, tries: Any, schema: Schema) -> None:
    """No filter of the server is needed: the STATE holds the page."""
    served(api, "/items", *range(1, 12))
    whole = tries.run(newest_first(schema))
    state = [state for _, state in cut(whole)][3]
    asked(api, "/items")

    again = tries.run(newest_first(schema), state=state)

    assert asked(api, "/items") == ["6", "8", "10", "0"]
    assert again.state == whole.state


@pytest.mark.slow  # a run for each STATE
@pytest.mark.parametrize("limit", [1000, 1], ids=["each-parent", "one-for-all"])
def test_the_walk_of_one_parent_goes_on_at_its_place(limit: int, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A run that is cut within a large parent does not begin that parent again; every row comes, wherever it is cut."""
    api.route("/teams", [{"id": 1}, {"id": 2}, {"id": 3}])
    for team, count in ((1, 3), (2, 11), (3, 5)):
        served(api, f"/teams/{team}/items", *range(1, count + 1))
    rows = below_teams(schema)
    source = replace(tries.tap(*rows).source_row, parents_with_bookmark=limit)
    whole = tries.run(*rows, source=source)
    every = {(r["team"], r["id"]) for r in whole.records("items")}
    asked(api, "")

    walks = []
    for before, state in cut(whole):
        written = {(m["record"]["team"], m["record"]["id"]) for m in before if m["type"] == "RECORD"}
        again = tries.run(*rows, source=source, state=state)
        walks.append(asked(api, "/teams/2/items"))
        assert written | {(r["team"], r["id"]) for r in again.records("items")} == every
        assert again.state["bookmarks"] == whole.state["bookmarks"]

    assert ["6", "8", "10", "0"] in walks


def test_a_place_that_the_server_forgot(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A refused place is given up, and the walk begins again in the same run."""
    served(api, "/items", *range(1, 12))
    whole = tries.run(newest_first(schema))
    state = [state for _, state in cut(whole)][3]
    known, refusals = api.routes["/items"], iter([Reply({"message": "?"}, 422)])
    api.route("/items", lambda one: next(refusals, known(one)))
    asked(api, "/items")

    again = tries.run(newest_first(schema), state=state)

    assert asked(api, "/items") == ["6", "0", "2", "4", "6", "8", "10"]
    assert again.error is None
    assert again.state == whole.state


def test_a_walk_with_other_settings_begins_again(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A place in pages of another size or of another list means nothing."""
    served(api, "/items", *range(1, 12))
    state = [state for _, state in cut(tries.run(newest_first(schema)))][3]
    asked(api, "/items")

    tries.run(newest_first(schema, params={"kind": "other"}), state=state)

    assert asked(api, "/items")[0] == "0"


def test_a_place_with_a_secret_in_it(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Some vendors put the token into the next address: it is used, and not stored."""
    known = Collection(rows=[item(n) for n in range(1, 12)][::-1], style="link")

    def answer(one: Any) -> Reply:
        reply = known(one)
        link = reply.headers["Link"].replace("?at=", "?token=canary-4711&at=")
        return Reply(reply.body, headers={"Link": link})

    api.route("/items", answer)

    done = tries.run(newest_first(schema))

    assert len(done.records("items")) == 11
    assert "canary-4711" not in done.stdout
    assert not [state for state in done.states() if "resume" in state["bookmarks"]["items"]]


@pytest.mark.parametrize("below", [False, True], ids=["alone", "below a parent"])
def test_a_list_that_is_hidden_in_the_middle_of_its_walk(below: bool, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row's rule passes over what is not to be seen; what was not read of it comes when it can be seen again."""
    parent = Endpoint(name="lists", path="/lists", keys=("id",), schema=schema(id="integer"), selected=False)
    served = Collection(rows=[{"id": n, "at": n} for n in range(9, 0, -1)], style="page_number", size=3)
    hidden = [True]

    def answer(asked: Any) -> Reply:
        gone = hidden[0] and asked.query["page"] == "2"
        return Reply({"message": "Not Found"}, 404) if gone else served(asked)

    api.route("/lists", [{"id": 1}])
    api.route("/items", answer)
    items = Endpoint(
        name="items",
        path="/items",
        records="$.data",
        keys=("id",),
        schema=schema(id="integer", at="integer"),
        bookmarks=(CHANGED,),
        rules=(Rule(action="ignore", status=404),),
        parents=(Parent(stream="lists", params={"list": "id"}),) if below else (),
        own_keys=True,
        pages=pages.PageNumber(size_param="limit", size=3),
    )

    first = tries.run(parent, items)
    hidden[0] = False
    second = tries.run(parent, items, state=first.state)

    assert first.error is None
    read = [*first.records("items"), *second.records("items")]
    assert {row["id"] for row in read} == {*range(1, 10)}
