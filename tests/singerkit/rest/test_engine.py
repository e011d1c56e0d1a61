"""The engine over real sockets: every page style, every kind of bookmark, cut at every STATE."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Condition, Endpoint, Parent, Window
from singerkit.rest.rules import Rule
from singerkit.testing.fake_api import Asked, FakeApi, Reply, Trouble
from singerkit.testing.runner import cut
from singerkit.testing.served import Collection

Schema = Callable[..., dict[str, Any]]

STYLES = {
    "link": pages.Link(),
    "next_url": pages.NextUrl(path="links.next"),
    "cursor": pages.Cursor(param="cursor", path="$.meta.cursor"),
    "body_cursor": pages.Cursor(param="cursor", path="$.meta.cursor", into="body"),
    "offset": pages.Offset(size_param="limit", size=2, total="total"),
    "page_number": pages.PageNumber(size_param="limit", size=2),
    "last_id": pages.LastId(size_param="limit", size=2),
    "continue": pages.Continue(),
    "graphql": pages.GraphQL(page_info="data.items.pageInfo", size_param="first", size=2),
    "single": pages.Single(),
}


def item(n: int) -> dict[str, Any]:
    return {"id": n, "at": f"2024-01-{n:02}T00:00:00Z"}


def ids(records: list[dict[str, Any]]) -> list[int]:
    return [record["id"] for record in records]


def row(made: Schema, **more: Any) -> Endpoint:
    given: dict[str, Any] = {
        "name": "items",
        "path": "/items",
        "keys": ("id",),
        "schema": made(id="integer", at="date-time"),
    }
    return Endpoint(**(given | {"records": "$.data", "records_optional": True} | more))


@pytest.mark.parametrize("style", STYLES)
def test_every_page_style_reads_every_record_once(style: Any, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A walk of any style gives all records, in order, once."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)], style=style))
    places = {"link": "$", "single": "$", "graphql": "$.data.items.nodes"}
    method = "POST" if style in {"graphql", "body_cursor"} else "GET"
    items = row(schema, pages=STYLES[style], records=places.get(style, "$.data"), method=method)

    done = tries.run(items)

    assert done.error is None
    assert ids(done.records("items")) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("claimed", [0, 3, 7, 100], ids=["none", "too-low", "true", "too-high"])
def test_a_total_that_lies_loses_nothing(claimed: int, api: FakeApi, tries: Any, schema: Schema) -> None:
    """Offsets go on while pages are full, and end at an empty page, whatever the total says."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)], style="offset", total=claimed))

    done = tries.run(row(schema, pages=STYLES["offset"]))

    assert ids(done.records("items")) == [1, 2, 3, 4, 5, 6, 7]


def incremental(schema: Schema, **mark: Any) -> Endpoint:
    given: dict[str, Any] = {"field": "at", "param": "since", "until_param": "until", "order": "asc"}
    bookmark = Bookmark(**(given | mark))
    return row(schema, pages=STYLES["offset"], bookmarks=(bookmark,))


ORDERS: dict[str, dict[str, Any] | None] = {
    "asc": {},
    "desc": {"order": "desc"},
    "none": {"order": None},
    "no-server-filter": {"param": None, "until_param": None},
    "desc-no-until": {"order": "desc", "until_param": None},
    "desc-no-filter": {"order": "desc", "param": None, "until_param": None},
    "full": None,
}


@pytest.mark.parametrize("order", ORDERS)
def test_cut_at_every_state_and_resumed_nothing_is_missing(
    order: str, api: FakeApi, tries: Any, schema: Schema
) -> None:
    """Whatever STATE a run is cut at, what was written before it and the next run together hold every record."""
    mark = ORDERS[order]
    many = Collection(rows=[item(n) for n in range(1, 12)], bookmark="at", descending="desc" in order)
    api.route("/items", many)
    items = row(schema, pages=STYLES["offset"]) if mark is None else incremental(schema, **mark)
    whole = tries.run(items)

    for before, state in cut(whole):
        written = {m["record"]["id"] for m in before if m["type"] == "RECORD"}
        again = tries.run(items, state=state)
        assert again.error is None
        assert written | set(ids(again.records("items"))) == set(range(1, 12))


def test_a_desc_walk_that_was_cut_goes_on_below_and_then_reads_what_is_new_above(
    api: FakeApi, tries: Any, schema: Schema
) -> None:
    """The next run reads below the low mark, then above the high mark; what was read is not read again."""
    items = incremental(schema, order="desc")
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)], bookmark="at", descending=True))
    state = next(state for before, state in cut(tries.run(items)) if len(before) > 4)
    assert state["bookmarks"]["items"]["earliest"] == "2024-01-04T00:00:00Z"
    api.route("/items", Collection(rows=[item(n) for n in range(1, 10)], bookmark="at", descending=True))

    again = tries.run(items, state=state)

    assert ids(again.records("items")) == [4, 3, 2, 1, 9, 8, 7]
    assert again.state["bookmarks"]["items"] == {
        "replication_key": "at",
        "replication_key_value": "2024-01-09T00:00:00Z",
    }


def test_an_order_that_is_not_kept_holds_the_bookmark(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row that promises ascending order and breaks it moves its bookmark only at the end."""
    unsorted = [item(n) for n in (1, 5, 2, 6, 3, 4)]
    api.route("/items", Collection(rows=unsorted))

    done = tries.run(incremental(schema))

    values = [s["bookmarks"]["items"].get("replication_key_value") for s in done.states()]
    assert values == ["2024-01-05T00:00:00Z", None, "2024-01-06T00:00:00Z"]


def test_a_bookmark_is_sent_less_its_lookback_and_never_moves_back(api: FakeApi, tries: Any, schema: Schema) -> None:
    """The lookback is taken from the question, not from the bookmark."""
    api.route("/items", Collection(rows=[], bookmark="at"))
    state = {"bookmarks": {"items": {"replication_key": "at", "replication_key_value": "2024-01-05T00:00:00Z"}}}

    done = tries.run(incremental(schema, lookback_s=86400), state=state)

    assert api.asked[-1].query["since"] == "2024-01-04T00:00:00Z"
    assert done.state["bookmarks"]["items"]["replication_key_value"] == "2024-01-05T00:00:00Z"


def test_a_value_in_the_future_counts_as_now(api: FakeApi, tries: Any, schema: Schema) -> None:
    """One wrong record of the year 2999 does not hide all that follow."""
    api.route("/items", Collection(rows=[item(1), {"id": 2, "at": "2999-01-01T00:00:00Z"}], bookmark="at"))

    done = tries.run(incremental(schema))

    assert done.state["bookmarks"]["items"]["replication_key_value"] < "2999"


def test_a_window_that_meets_the_cap_is_halved(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A server that cuts every query at three records gives all of them by smaller windows."""
    every = Collection(rows=[item(n) for n in range(1, 29)], style="single", bookmark="at", descending=True)

    def capped(asked: Asked) -> Reply:
        found = every.wanted(asked)
        return Reply({"data": found[:3], "total": len(found)})

    api.route("/items", capped)
    items = incremental(schema, order=None)
    windowed = row(schema, bookmarks=items.bookmarks, window=Window(days=4000, cap=3, total="total"))
    counted = row(schema, bookmarks=items.bookmarks, window=Window(days=4000, cap=3))

    for one in (windowed, counted):
        done = tries.run(one, start_date="2023-12-31T00:00:00Z")
        assert done.error is None
        assert set(ids(done.records("items"))) == set(range(1, 29))


def child(schema: Schema, **more: Any) -> Endpoint:
    given: dict[str, Any] = {"name": "parts", "path": "/items/{item_id}/parts", "keys": ("item_id", "id")}
    given |= {"parents": (Parent(stream="items", params={"item_id": "id"}),), "pages": pages.Link(), "records": "$"}
    return row(schema, **(given | more))


def with_parts(api: FakeApi, parents: int, **more: Any) -> None:
    api.route("/items", Collection(rows=[item(n) for n in range(1, parents + 1)], bookmark="at"))
    for n in range(1, parents + 1):
        rows = [{"id": k, "at": f"2024-02-{k:02}T00:00:00Z"} for k in range(1, n % 4 + 2)]
        api.route(f"/items/{n}/parts", Collection(rows=rows, style="link", **more))


def pairs(records: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(record["item_id"], record["id"]) for record in records]


def test_children_come_in_their_parents_order(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Children are fetched at once and written in the order of the parents, with the parent's key in each."""
    with_parts(api, 9)

    done = tries.run(row(schema, pages=STYLES["offset"]), child(schema))

    assert pairs(done.records("parts")) == [(n, k) for n in range(1, 10) for k in range(1, n % 4 + 2)]
    assert done.schema("parts")["properties"]["item_id"] == {"type": ["integer", "null"]}


@pytest.mark.parametrize("limit", [1000, 3], ids=["each-parent", "one-for-all"])
def test_fan_out_cut_at_every_state(limit: int, api: FakeApi, tries: Any, schema: Schema) -> None:
    """Children with bookmarks of their own, or one for all, lose nothing wherever the run is cut."""
    with_parts(api, 6, bookmark="at")
    mark = Bookmark(field="at", param="since", order="asc")
    rows = (row(schema, pages=STYLES["offset"], selected=False), child(schema, bookmarks=(mark,)))
    source = tries.tap(*rows).source_row
    source = type(source)(base_url=source.base_url, auth=source.auth, parents_with_bookmark=limit)
    whole = tries.run(*rows, source=source)
    every = set(pairs(whole.records("parts")))

    for before, state in cut(whole):
        written = {(m["record"]["item_id"], m["record"]["id"]) for m in before if m["type"] == "RECORD"}
        again = tries.run(*rows, source=source, state=state)
        assert written | set(pairs(again.records("parts"))) == every
    last = whole.state["bookmarks"]["parts"]
    assert ("parents" in last, "global" in last) == (limit == 1000, limit == 3)


def asked_parents(api: FakeApi) -> int:
    return sum(asked.path == "/items" for asked in api.asked)


@pytest.mark.parametrize(("kept", "walks"), [(100, 1), (4, 2), (5, 1)], ids=["few", "too-many", "just"])
def test_parents_are_walked_once_for_all_children(
    kept: int, walks: int, api: FakeApi, tries: Any, schema: Schema
) -> None:
    """The second child of a parent finds its rows in memory, unless they are too many; the order is the same."""
    with_parts(api, 5)
    one = Parent(stream="items", params={"item_id": "id"})
    few = Parent(stream="items", params={"item_id": "id"}, fields={"item_id": "id", "seen": "at"}, only_if=(ABOVE_3,))
    rows = (
        row(schema, pages=STYLES["offset"], selected=False),
        child(schema, parents=(one,)),
        replace(
            child(schema, name="then", parents=(few,)), schema=schema(id="integer", at="date-time", seen="date-time")
        ),
    )
    source = replace(tries.tap(*rows).source_row, parents_kept=kept)

    done = tries.run(*rows, source=source)

    assert asked_parents(api) == 3 * walks
    assert pairs(done.records("parts")) == [(n, k) for n in range(1, 6) for k in range(1, n % 4 + 2)]
    assert pairs(done.records("then")) == [(n, k) for n in (4, 5) for k in range(1, n % 4 + 2)]
    assert {r["seen"] for r in done.records("then")} == {"2024-01-04T00:00:00Z", "2024-01-05T00:00:00Z"}
    assert ("too many parents to keep, walked again when needed stream=items kept=4" in done.log) == (walks == 2)


ABOVE_3 = Condition(field="id", is_=">", value=3)


def test_a_parents_walk_that_failed_is_not_kept(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Half of the parents would look like all of them: the next child walks anew."""
    with_parts(api, 5)
    api.trouble(Trouble(exactly="/items", status=200, body={"data": [item(1), item(2)]}))
    api.trouble(Trouble(exactly="/items", status=403, body={"message": "not now"}))
    rows = (
        row(schema, pages=STYLES["offset"], selected=False),
        child(schema),
        child(schema, name="then", parents=(Parent(stream="items", params={"item_id": "id"}),)),
    )

    done = tries.run(*rows)

    assert "the server refuses this: not now (stream=items" in done.log
    assert {n for n, _ in pairs(done.records("then"))} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("kept", [100, 2], ids=["kept", "walked-again"])
def test_two_parents_are_combined_without_holding_more_than_is_kept(
    kept: int, api: FakeApi, tries: Any, schema: Schema
) -> None:
    """The second parent's rows are held up to a number; beyond, they are walked once for each row of the first."""
    with_parts(api, 3)
    api.route("/months", [{"id": "jan"}, {"id": "feb"}, {"id": "mar"}])
    api.route("/reports", lambda asked: Reply([{"id": 1}]))
    rows = (
        row(schema, pages=STYLES["offset"], selected=False),
        Endpoint(name="months", path="/months", keys=("id",), schema=schema(id="string"), selected=False),
        row(
            schema,
            name="reports",
            path="/reports",
            params={"month": "{month}", "item": "{item_id}"},
            records="$",
            keys=("item_id", "month"),
            parents=(Parent(stream="items", params={"item_id": "id"}), Parent(stream="months", params={"month": "id"})),
        ),
    )

    done = tries.run(*rows, source=replace(tries.tap(*rows).source_row, parents_kept=kept))

    assert [(r["item_id"], r["month"]) for r in done.records("reports")] == [
        (n, month) for n in (1, 2, 3) for month in ("jan", "feb", "mar")
    ]
    assert sum(asked.path == "/months" for asked in api.asked) == (1 if kept == 100 else 3)


def test_a_family_goes_on_where_its_last_parent_is_gone(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A full load that was cut goes on behind its last parent; where that is gone, it walks all of them."""
    with_parts(api, 5)
    rows = (row(schema, pages=STYLES["offset"], selected=False), child(schema))
    state = next(s for s in tries.run(*rows).states() if s["bookmarks"]["parts"]["full_load"].get("after") == "2")
    gone = json.loads(json.dumps(state))
    gone["bookmarks"]["parts"]["full_load"]["after"] = "77"

    assert {n for n, _ in pairs(tries.run(*rows, state=state).records("parts"))} == {3, 4, 5}
    assert {n for n, _ in pairs(tries.run(*rows, state=gone).records("parts"))} == {1, 2, 3, 4, 5}


def test_a_vanished_parent_is_no_error(api: FakeApi, tries: Any, schema: Schema) -> None:
    """404 for a child means that its parent was deleted between the two calls."""
    with_parts(api, 3)
    del api.routes["/items/2/parts"]
    api.route("/items/2/parts", Reply({"message": "gone"}, 404))

    done = tries.run(row(schema, pages=STYLES["offset"]), child(schema))

    assert done.error is None
    assert {parent for parent, _ in pairs(done.records("parts"))} == {1, 3}


def test_parents_are_passed_over_by_a_condition(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A parent whose row does not meet the condition costs no request."""
    with_parts(api, 4)
    parent = Parent(stream="items", params={"item_id": "id"}, only_if=(Condition(field="id", is_=">", value=2),))

    done = tries.run(row(schema, pages=STYLES["offset"], selected=False), child(schema, parents=(parent,)))

    assert {n for n, _ in pairs(done.records("parts"))} == {3, 4}
    assert not any(asked.path == "/items/1/parts" for asked in api.asked)


def test_parents_are_bounded_by_their_own_bookmark(api: FakeApi, tries: Any, schema: Schema) -> None:
    """After a good run, only parents that moved since are walked."""
    with_parts(api, 5)
    mark = Bookmark(field="at", param="since", order="asc")
    parent = Parent(stream="items", params={"item_id": "id"}, changed_by="at")
    own = Bookmark(field="at", order="asc")
    rows = (
        row(schema, pages=STYLES["offset"], bookmarks=(mark,), selected=False),
        child(schema, parents=(parent,), bookmarks=(own,)),
    )
    first = tries.run(*rows)
    api.asked.clear()

    tries.run(*rows, state=first.state)

    assert [asked.path for asked in api.asked if "parts" in asked.path] == ["/items/5/parts"]


def test_a_full_load_walks_every_parent(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A child that is bounded by its parent's bookmark is not when it is read in full: the table is swapped."""
    with_parts(api, 3)
    mark = Bookmark(field="at", param="since", order="asc")
    parent = Parent(stream="items", params={"item_id": "id"}, changed_by="at")
    rows = (
        row(schema, pages=STYLES["offset"], bookmarks=(mark,), selected=False),
        child(schema, parents=(parent,), bookmarks=(Bookmark(field="at", order="asc"),)),
    )
    known = json.loads(tries.tap(*rows)(config=tries.config).catalog_json_text)
    entry = next(stream for stream in known["streams"] if stream["tap_stream_id"] == "parts")
    entry["replication_key"], entry["replication_method"] = None, "FULL_TABLE"
    root = next(one["metadata"] for one in entry["metadata"] if not one["breadcrumb"])
    root |= {"replication-key": None, "replication-method": "FULL_TABLE"}
    first = tries.run(*rows, catalog=known)

    again = tries.run(*rows, catalog=known, state=first.state)

    assert pairs(again.records("parts")) == pairs(first.records("parts"))


def test_three_levels_and_two_parents(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Parents have parents of their own, and two parents are combined."""
    api.route("/items", [item(1), item(2)])
    api.route("/months", [{"id": "jan"}, {"id": "feb"}])
    api.route("/items/*", lambda asked: Reply([{"id": int(asked.path.split("/")[2]) * 10}]))
    api.route("/parts/*", lambda asked: Reply([{"id": int(asked.path.split("/")[2]) + 1}]))
    api.route("/reports", lambda asked: Reply([{"id": 1, "month": asked.query["month"]}]))
    items = row(schema, records="$")
    months = Endpoint(name="months", path="/months", keys=("id",), schema=schema(id="string"))
    parts = child(schema, pages=pages.Single())
    bits = row(
        schema,
        name="bits",
        path="/parts/{part_id}/bits",
        records="$",
        keys=("part_id", "id"),
        parents=(Parent(stream="parts", params={"part_id": "id"}, fields={"part_id": "id", "item_id": "item_id"}),),
    )
    reports = row(
        schema,
        name="reports",
        path="/reports",
        params={"month": "{month}", "item": "{item_id}"},
        records="$",
        keys=("item_id", "month"),
        parents=(Parent(stream="items", params={"item_id": "id"}), Parent(stream="months", params={"month": "id"})),
    )

    done = tries.run(items, months, parts, bits, reports)

    assert done.records("bits") == [{"id": 11, "part_id": 10, "item_id": 1}, {"id": 21, "part_id": 20, "item_id": 2}]
    assert [(r["item_id"], r["month"]) for r in done.records("reports")] == [
        (1, "jan"),
        (1, "feb"),
        (2, "jan"),
        (2, "feb"),
    ]


def test_decimals_keep_their_digits(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A number leaves with the literal it came with, in whatever place it stands."""
    api.route("/items", Reply(b'[{"id": 1, "price": 0.1234567890123456789, "big": 123456789012345678901234567890}]'))
    items = row(schema, records="$", schema=schema(id="integer", price="number", big="integer"))

    done = tries.run(items)

    assert '"price":0.1234567890123456789,"big":123456789012345678901234567890' in done.stdout
    assert done.records("items")[0]["price"] == Decimal("0.1234567890123456789")


@pytest.mark.parametrize(
    ("rule", "status", "error"),
    [
        (Rule(action="ignore", status=409), 409, None),
        (Rule(action="end", status=400, matches="past the end"), 400, None),
        (Rule(action="stop", status=402), 402, None),
        (Rule(action="fail", status=400, say="raise the plan"), 400, "raise the plan"),
    ],
    ids=["ignore", "end", "stop", "fail"],
)
def test_rules_of_the_row(rule: Rule, status: int, error: str | None, api: FakeApi, tries: Any, schema: Schema) -> None:
    """What the vendor means by an answer is what the row says it means."""
    first = Reply({"data": [item(1), item(2)]})
    over = Reply({"message": "this is past the end"}, status)
    api.route("/items", lambda asked: first if asked.query["offset"] == "0" else over)

    done = tries.run(row(schema, pages=STYLES["offset"], rules=(rule,)))

    assert ids(done.records("items")) == [1, 2]
    assert (error in str(done.error)) if error else done.error is None
    swapped = [m for m in done.messages if m["type"] == "ACTIVATE_VERSION"]
    assert len(swapped) == (2 if rule.action in {"ignore", "end"} else 1)


def test_a_page_cap_warns_with_stream_and_parent(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A cap is never silent."""
    with_parts(api, 3)

    done = tries.run(row(schema, pages=STYLES["offset"], selected=False), child(schema, max_pages=1))

    assert "page cap reached stream=parts parent={'item_id': 3} pages=1" in done.log


def test_max_rows_ends_cleanly_and_the_next_run_goes_on(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row limit stops a stream without an error, where no total is known; with a bookmark the next run continues."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)], bookmark="at"))
    items = replace(incremental(schema), pages=pages.Offset())

    first = tries.run(items, max_rows=3)
    second = tries.run(items, state=first.state)

    assert first.error is None
    assert ids(first.records("items")) == [1, 2, 3]
    assert set(ids(first.records("items")) + ids(second.records("items"))) == set(range(1, 8))


def test_a_row_limit_below_the_page_still_gets_on(api: FakeApi, tries: Any, schema: Schema) -> None:
    """With ascending order the bookmark follows the rows that were written, not the pages."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)], bookmark="at", size=100))
    items = row(schema, pages=pages.Offset(), bookmarks=incremental(schema).bookmarks)
    state: dict[str, Any] = {}
    seen: list[int] = []

    for _ in range(4):
        done = tries.run(items, state=state, max_rows=3)
        state, seen = done.state, seen + ids(done.records("items"))

    assert seen == [1, 2, 3, 3, 4, 5, 5, 6, 7, 7]


@pytest.mark.parametrize("style", ["offset", "link", "single"])
def test_a_full_load_goes_on_inside_a_page(style: Any, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row limit below the page's size gets on: the place holds how many rows of the page are given."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)], style=style, size=5))
    items = row(
        schema, pages={**STYLES, "offset": pages.Offset()}[style], records="$.data" if style == "offset" else "$"
    )
    state: dict[str, Any] = {}
    seen: list[int] = []

    for _ in range(4):
        done = tries.run(items, state=state, max_rows=2)
        state, seen = done.state, seen + ids(done.records("items"))

    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert state["bookmarks"]["items"] == {}


def test_a_row_limit_that_cannot_get_on_says_so(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Where no order is promised, or a parent has more rows than a run wants, the next run begins at the same place."""
    with_parts(api, 4)
    unordered = tries.run(replace(incremental(schema, order=None), pages=pages.Offset()), max_rows=1)
    family = tries.run(row(schema, pages=STYLES["offset"], selected=False), child(schema), max_rows=1)

    said = "max_rows is reached before the place to go on from moved; the next run reads the same rows: raise max_rows"
    assert said in unordered.log
    assert said in family.log


@pytest.mark.parametrize(("wanted", "asked"), [(None, "4"), (3, "3"), (9, "4")], ids=["row", "lower", "higher"])
def test_a_person_may_lower_the_page_size(
    wanted: int | None, asked: str, api: FakeApi, tries: Any, schema: Schema
) -> None:
    """`page_size` makes pages shorter, never longer than the row says; all records come either way."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 8)]))
    items = row(schema, pages=pages.Offset(size_param="limit", size=4, max_size=10, short_is_last=True))

    done = tries.run(items, **({"page_size": wanted} if wanted else {}))

    assert {one.query["limit"] for one in api.asked} == {asked}
    assert ids(done.records("items")) == [1, 2, 3, 4, 5, 6, 7]


def test_a_page_size_above_the_vendors_maximum(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Many servers cut a page that is too long in silence: it is refused before anything is asked."""
    items = row(schema, pages=pages.Offset(size_param="limit", size=4, max_size=10))

    done = tries.run(items, page_size=11)

    assert str(done.error) == (
        "the rows cannot be used: items: the setting page_size 11 is above the vendor's maximum 10; correct them"
    )
    assert api.asked == []


def test_states_are_seconds_apart(api: FakeApi, tries: Any, schema: Schema) -> None:
    """By default at most one STATE in 5 s leaves between the pages: a quick run writes one at its end."""
    api.route("/items", Collection(rows=[item(n) for n in range(1, 12)], bookmark="at"))

    done = tries.run(incremental(schema), state_interval_s=5)

    assert [m["type"] for m in done.messages].count("STATE") <= 2
    assert done.messages[-1]["type"] == "STATE"


def test_what_the_vendor_forgets_is_merged(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A stream whose vendor keeps rows for a while is never swapped: no ACTIVATE_VERSION."""
    api.route("/items", [item(1)])

    done = tries.run(row(schema, records="$", vendor_keeps="90d"))

    assert [m["type"] for m in done.messages if m["type"] != "STATE"] == ["SCHEMA", "RECORD"]
    assert done.schema("items")["x-vendor-keeps"] == "90d"
