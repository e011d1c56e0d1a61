"""Children that are read where their parent moved: a cut run is gone on with, whatever moved meanwhile."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.covered import Covered
from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.rest.family import Context, bound_since
from singerkit.testing.fake_api import FakeApi
from singerkit.testing.runner import cut
from singerkit.testing.served import Collection

Schema = Callable[..., dict[str, Any]]
NOW = datetime(2027, 1, 1, tzinfo=UTC)
OLD, MIDDLE, LATE = ((NOW - timedelta(days=days)) for days in (90, 60, 1))


def mark(order: Literal["asc", "desc"] | None, **more: Any) -> Bookmark:
    return Bookmark(field="at", type="integer", order=order, **more)


def context(value: Any, family: str = "f") -> Context:
    return Context({"id": value}, {}, value, family)


@given(
    order=st.sampled_from(["asc", "desc"]),
    values=st.sets(st.integers(0, 40), min_size=1),
    cuts=st.lists(st.integers(1, 15), max_size=4),
    moved=st.lists(st.integers(0, 40), max_size=12),
)
def test_every_parent_is_walked_as_it_is_last(
    order: Literal["asc", "desc"], values: set[int], cuts: list[int], moved: list[int]
) -> None:
    """However often a run is cut and whichever parents move meanwhile, each is walked with its last value."""
    parents, clock = {value: value for value in values}, 100
    held: dict[str, Any] = {}
    walked: set[tuple[int, int]] = set()
    for most in [*cuts, 10**6]:
        covered = Covered(mark(order), held, NOW)
        ordered = sorted(parents.items(), key=lambda one: one[1], reverse=order == "desc")
        left = (one for one in ordered if not covered.holds(context(one[1])))
        for name, value in itertools.islice(left, most):
            walked.add((name, value))
            covered.done(context(value))
        held = covered.state()
        mine, moved = (moved[:3], moved[3:]) if most < 10**6 else ([], moved)
        for name in mine:
            clock += 1
            parents[name] = clock

    assert {*parents.items()} <= walked


def test_what_was_walked_is_not_walked_again() -> None:
    """Only the borders are, and what has moved; a family that is complete needs no interval."""
    covered = Covered(mark("desc"), {}, NOW)
    complete = [covered.done(one) for one in (context(9), context(7), context(5), context(8, "g"), context(6, "g"))]
    again = Covered(mark("desc"), covered.state(), NOW)

    assert complete == [None, None, None, "f", None]
    assert covered.state() == {"g": [6, 8]}
    assert [again.holds(context(value, "g")) for value in (9, 8, 7, 6, 5)] == [False, False, True, False, False]
    assert not again.holds(context(7, "f"))


@pytest.mark.parametrize("values", [(9, 5, 7), (5, 9, 7)])
def test_parents_out_of_order(values: tuple[int, ...]) -> None:
    """They leave no interval, which would hide one that has not been walked, and none of them is passed over."""
    covered = Covered(mark("desc"), {}, NOW)
    held = []
    for value in values:
        held.append(covered.holds(context(value)))
        covered.done(context(value))

    assert covered.state() == {}
    assert held == [False, False, False]


def test_what_each_run_walks_again() -> None:
    """A parent within the lookback may have changed without a new value: it is walked by the run that goes on, too."""
    by_time = Bookmark(field="at", order="desc", lookback_s=30 * 86_400)
    covered = Covered(by_time, {"f": [OLD.isoformat(), NOW.isoformat()]}, NOW)

    assert covered.holds(context(MIDDLE))
    assert not covered.holds(context(LATE))


@pytest.mark.parametrize(
    ("last", "looked", "order", "since"),
    [
        (NOW, NOW, "desc", LATE),
        (MIDDLE, NOW, "desc", MIDDLE),
        (NOW, MIDDLE, "desc", LATE),
        (MIDDLE, NOW, None, MIDDLE - timedelta(days=1)),
        (MIDDLE, None, "desc", MIDDLE - timedelta(days=1)),
        (None, NOW, "desc", None),
    ],
    ids=["busy", "at rest", "long ago", "no order", "first look", "never read"],
)
def test_how_far_a_lookback_reaches(last: Any, looked: Any, order: Any, since: Any) -> None:
    """Parents are walked again while they may have changed since the last look, not as long as none is newer."""
    made = Bookmark(field="at", order=order, lookback_s=86_400)
    above = Endpoint(name="items", path="/items", bookmarks=(made,))
    state = {"f": last and last.isoformat()}

    bound = bound_since(
        Parent(stream="items", params={"item": "id"}, changed_by="at"), above, state, NOW, None, looked and str(looked)
    )

    assert bound is not None
    assert bound.of("f") == since


def item(team: int, number: int, day: int) -> dict[str, Any]:
    return {"id": team * 100 + number, "at": f"2024-01-{day:02}T00:00:00Z"}


def serve(api: FakeApi, **moved: int) -> None:
    api.route("/teams", [{"id": 1}, {"id": 2}, {"id": 3}])
    for team in (1, 2, 3):
        rows = [item(team, n, moved.get(f"i{team * 100 + n}", n)) for n in range(1, 8)]
        newest_first = sorted(rows, key=lambda row: row["at"], reverse=True)
        api.route(f"/teams/{team}/items", Collection(rows=newest_first, style="link", size=3))
        for row in rows:
            api.route(f"/items/{row['id']}/parts", [{"id": 1}])


def rows(schema: Schema) -> tuple[Endpoint, ...]:
    teams = Endpoint(name="teams", path="/teams", keys=("id",), schema=schema(id="integer"), selected=False)
    items = Endpoint(
        name="items",
        path="/teams/{team}/items",
        keys=("id",),
        own_keys=True,
        parents=(Parent(stream="teams", params={"team": "id"}),),
        bookmarks=(Bookmark(field="at", order="desc"),),
        pages=pages.Link(),
        schema=schema(id="integer", at="date-time"),
        selected=False,
    )
    above = Parent(stream="items", params={"item": "id"}, fields={"item_id": "id", "item_at": "at"}, changed_by="at")
    by_parent = Bookmark(field="item_at", of_parent=True)
    words: dict[str, Any] = {"keys": ("item_id", "id"), "parents": (above,), "bookmarks": (by_parent,)}
    return teams, items, Endpoint(name="parts", path="/items/{item}/parts", schema=schema(id="integer"), **words)


def walked(api: FakeApi) -> list[int]:
    found = [int(one.path.split("/")[2]) for one in api.asked if one.path.endswith("/parts")]
    api.asked.clear()
    return found


@pytest.mark.slow  # runs of a tap
def test_a_run_that_was_cut_while_parents_moved(api: FakeApi, tries: Any, schema: Schema) -> None:
    """The families before the cut are not walked again, nor the parents of the family that was cut; what moved is."""
    serve(api)
    whole = tries.run(*rows(schema))
    state = next(
        s
        for s in whole.states()
        if len(s["bookmarks"]["parts"].get("covered", {}).get("2", [])) == 2
        and s["bookmarks"]["parts"]["covered"]["2"][0].startswith("2024-01-03")
    )
    walked(api)
    serve(api, i101=20, i205=21)

    again = tries.run(*rows(schema), state=state)

    asked = walked(api)
    assert {101, 205} <= {*asked}
    assert {202, 201, *range(301, 308)} <= {*asked}
    assert not {*asked} & {102, 103, 104, 105, 106, 204, 206}
    assert again.state["bookmarks"]["parts"]["changed"]["1"].startswith("2024-01-20")
    assert "covered" not in again.state["bookmarks"]["parts"]


@pytest.mark.slow  # a run for each STATE
def test_cut_at_every_state(api: FakeApi, tries: Any, schema: Schema) -> None:
    """What was written before a cut and what the next run writes are together every child of every parent."""
    serve(api)
    whole = tries.run(*rows(schema))
    every = {(record["item_id"], record["id"]) for record in whole.records("parts")}

    for before, state in list(cut(whole))[::3]:
        written = {(m["record"]["item_id"], m["record"]["id"]) for m in before if m["type"] == "RECORD"}
        again = tries.run(*rows(schema), state=state)
        assert written | {(record["item_id"], record["id"]) for record in again.records("parts")} == every
        assert again.state["bookmarks"]["parts"] == whole.state["bookmarks"]["parts"]
