"""Parents and their own streams: one walk for both, windows of parents, places that parents have moved from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Parent, Window
from singerkit.testing.fake_api import Asked, FakeApi, Reply
from singerkit.testing.served import Collection

Schema = Callable[..., dict[str, Any]]
AT = Bookmark(field="at", param="since", until_param="until")
ABOVE = (Parent(stream="items", params={"item_id": "id"}),)


def item(number: int) -> dict[str, Any]:
    return {"id": number, "at": f"2024-01-{number:02}T00:00:00Z"}


def items(made: Schema, **more: Any) -> Endpoint:
    given: dict[str, Any] = {
        "name": "items",
        "path": "/items",
        "keys": ("id",),
        "schema": made(id="integer", at="date-time"),
    }
    return Endpoint(
        **(given | {"records": "data", "pages": pages.Offset(size_param="limit", size=2, total="total")} | more)
    )


def parts(made: Schema, **more: Any) -> Endpoint:
    given: dict[str, Any] = {
        "name": "a_parts",
        "path": "/items/{item_id}/parts",
        "keys": ("item_id", "id"),
        "parents": ABOVE,
    }
    return Endpoint(**(given | {"schema": made(id="integer", at="date-time")} | more))


def serve(api: FakeApi, count: int = 5) -> None:
    api.route("/items", Collection(rows=[item(n) for n in range(1, count + 1)], bookmark="at"))
    for n in range(1, count + 1):
        api.route(f"/items/{n}/parts", [{"id": 1}])


def asked(api: FakeApi, path: str = "/items") -> int:
    return sum(one.path == path for one in api.asked)


@pytest.mark.parametrize("bookmarks", [(), (AT,)], ids=["full", "first-run"])
def test_one_walk_serves_the_parent_and_its_children(bookmarks: Any, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A parent that is read from its beginning is read once, for its own stream and for its children."""
    serve(api)

    done = tries.run(parts(schema), items(schema, bookmarks=bookmarks))

    assert asked(api) == 3
    assert [r["id"] for r in done.records("items")] == [1, 2, 3, 4, 5]
    assert [r["item_id"] for r in done.records("a_parts")] == [1, 2, 3, 4, 5]


def test_three_levels_are_one_walk_each(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A child that is a parent itself is read once too, with what it has from its own parent."""
    serve(api, 3)
    api.route("/bits", lambda one: Reply([{"id": int(one.query["of"])}]))
    above = (Parent(stream="a_parts", params={"item_id": "item_id", "part_id": "id"}),)
    bits = Endpoint(
        name="bits",
        path="/bits",
        params={"of": "{item_id}"},
        keys=("item_id", "part_id", "id"),
        parents=above,
        schema=schema(id="integer"),
    )

    done = tries.run(bits, parts(schema), items(schema))

    assert (asked(api), asked(api, "/items/1/parts"), asked(api, "/bits")) == (2, 1, 3)
    assert [(r["item_id"], r["id"]) for r in done.records("bits")] == [(1, 1), (2, 2), (3, 3)]


def test_half_a_walk_serves_no_child(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Where the parent's own stream reads only what is new, or lacks what children ask for, they walk all parents."""
    serve(api)
    rows = (parts(schema), items(schema, bookmarks=(AT,)))
    first = tries.run(*rows)
    api.asked.clear()

    again = tries.run(*rows, state=first.state)
    unnamed = tries.run(parts(schema), items(schema, bookmarks=(AT,), schema=schema(at="date-time"), keys=()))

    assert [r["id"] for r in again.records("items")] == [5]
    assert [r["item_id"] for r in again.records("a_parts")] == [1, 2, 3, 4, 5]
    assert str(unnamed.error).startswith("a column that comes from the parent has no type")


def test_a_parents_failure_does_not_reach_its_children(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Pages that the parent's own stream read before it failed are not taken for all of them."""
    serve(api)
    whole = api.routes["/items"]
    calls = iter(range(99))
    api.route("/items", lambda one: Reply({"message": "not now"}, 403) if next(calls) == 1 else whole(one))

    done = tries.run(parts(schema), items(schema))

    assert "the server refuses this: not now (stream=items" in done.log
    assert [r["item_id"] for r in done.records("a_parts")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("total", ["total", None], ids=["with-total", "counted"])
def test_parents_are_walked_by_windows_where_the_vendor_caps(
    total: str | None, api: FakeApi, tries: Any, schema: Schema
) -> None:
    """A cap that would hide parents hides none from their children either, and no child is read twice."""
    every = Collection(rows=[item(n) for n in range(1, 21)], style="single", bookmark="at")
    for n in range(1, 21):
        api.route(f"/items/{n}/parts", [{"id": 1}])

    def capped(one: Asked) -> Reply:
        found = every.wanted(one)
        return Reply({"data": found[:3], "total": len(found)})

    api.route("/items", capped)
    window = Window(days=4000, cap=3, total=total)
    above = items(schema, bookmarks=(AT,), window=window, pages=pages.Single(), selected=False)

    done = tries.run(above, parts(schema), start_date="2023-12-31T00:00:00Z")

    assert done.error is None
    assert sorted(r["item_id"] for r in done.records("a_parts")) == list(range(1, 21))


def moved_to_the_front(api: FakeApi, number: int) -> None:
    rows = [item(number), *(item(n) for n in range(1, 6) if n != number)]
    api.route("/items", Collection(rows=rows))


def cut_behind(done: Any, stream: str, key: str, place: Callable[[dict[str, Any]], Any]) -> Any:
    return next(s for s in done.states() if place(s["bookmarks"].get(stream, {})) == key)


@pytest.mark.parametrize("limit", [None, 1], ids=["full-load", "one-bookmark-for-all"])
def test_a_parent_that_moved_before_the_place_is_not_lost(
    limit: int | None, api: FakeApi, tries: Any, schema: Schema
) -> None:
    """A list that changed its order since a run was cut is walked from its beginning: its place means nothing more."""
    serve(api)
    own = (Bookmark(field="at", order="asc"),) if limit else ()
    for n in range(1, 6):
        api.route(f"/items/{n}/parts", [{"id": 1, "at": f"2024-02-0{n}T00:00:00Z"}])
    rows = (items(schema, selected=False), parts(schema, bookmarks=own))
    source = replace(tries.tap(*rows).source_row, parents_with_bookmark=1)
    first = tries.run(*rows, source=source)
    state = cut_behind(first, "a_parts", "3", lambda mark: mark.get("full_load", mark).get("after"))
    moved_to_the_front(api, 5)

    again = tries.run(*rows, source=source, state=state)

    assert [r["item_id"] for r in again.records("a_parts")] == [5, 1, 2, 3, 4]
    assert again.error is None


def test_a_load_that_begins_anew_has_a_number_of_its_own(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Rows of a load that was cut are not in the table beside the same rows, read again for a list that changed."""
    serve(api)
    rows = (items(schema, selected=False), parts(schema))
    state = cut_behind(tries.run(*rows), "a_parts", "3", lambda mark: mark.get("full_load", mark).get("after"))
    moved_to_the_front(api, 5)

    again = tries.run(*rows, state=state)

    told = [m.get("version", m["type"]) for m in again.messages if m["type"] in {"ACTIVATE_VERSION", "RECORD"}]
    cut, own = told[:2]
    assert cut == state["bookmarks"]["a_parts"]["full_load"]["version"]
    assert told == [cut, own, *["RECORD"] * 5, own]


def test_the_place_behind_a_parent_holds_while_the_order_does(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Parents that came at the end, or went there, leave the place as it is."""
    serve(api)
    rows = (items(schema, selected=False), parts(schema))
    first = tries.run(*rows)
    state = cut_behind(first, "a_parts", "3", lambda mark: mark.get("full_load", mark).get("after"))
    serve(api, 6)

    again = tries.run(*rows, state=state)

    assert [r["item_id"] for r in again.records("a_parts")] == [4, 5, 6]


def test_a_parent_that_was_renamed(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A parent known by its id keeps its bookmark under another name; a new one of the old name has none."""
    api.route("/items", [{"id": 1, "at": "old"}, {"id": 2, "at": "other"}])
    for name in ("old", "new", "other"):
        served = [{"id": n, "at": f"2024-02-0{n}T00:00:00Z"} for n in (1, 2, 3)]
        api.route(f"/items/{name}/parts", Collection(rows=served, style="link", bookmark="at"))
    above = (Parent(stream="items", params={"name": "at"}, fields={"item_id": "id"}, known_by="id"),)
    mark = Bookmark(field="at", param="since", order="asc")
    words: dict[str, Any] = {"path": "/items/{name}/parts", "parents": above, "bookmarks": (mark,)}
    rows = (
        items(schema, selected=False, records="$", pages=pages.Link(), schema=schema(id="integer", at="string")),
        parts(schema, pages=pages.Link(), **words),
    )
    first = tries.run(*rows)
    api.route("/items", [{"id": 1, "at": "new"}, {"id": 3, "at": "old"}])

    again = tries.run(*rows, state=first.state)

    read = [(record["item_id"], record["id"]) for record in again.records("a_parts")]
    assert read == [(1, 3), (3, 1), (3, 2), (3, 3)]
    assert {*again.state["bookmarks"]["a_parts"]["parents"]} == {"1", "3"}


def test_a_parent_on_two_pages_does_not_double_rows_without_a_key(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row that comes first moves all others while their list is walked: each parent's children are asked for once."""
    served = {"0": [item(1), item(2)], "2": [item(2), item(3)]}
    api.route("/items", lambda asked: Reply({"data": served.get(asked.query["offset"], [])}))
    for n in (1, 2, 3):
        api.route(f"/items/{n}/parts", [{"id": n}])

    done = tries.run(items(schema, selected=False), parts(schema, keys=()))

    assert [row["id"] for row in done.records("a_parts")] == [1, 2, 3]
