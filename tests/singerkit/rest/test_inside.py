"""Rows that are lists inside of records: one request brings many parents, each with its children."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.check import structure
from singerkit.rest.endpoint import Condition, Endpoint, Inside, Parent, Source
from singerkit.rest.shape import Shaper
from singerkit.testing.fake_api import FakeApi, Reply
from singerkit.testing.runner import cut
from singerkit.testing.served import Collection

Schema = Callable[..., dict[str, Any]]
LINES = Inside(path="lines.data", lifted={"sku": "article.sku"}, more="lines.has_more", rest="/orders/{order_id}/lines")


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "article": {"sku": f"a-{number}"}, **more}


def order(number: int, *lines: dict[str, Any], more: bool = False) -> dict[str, Any]:
    held = {"data": [*lines], "has_more": more}
    return {"number": number, "changed": f"2024-01-{number:02}T00:00:00Z", "lines": held}


def lines_of_orders(schema: Schema, **more: Any) -> Endpoint:
    words: dict[str, Any] = {"name": "lines", "path": "/orders", "keys": ("order_id", "id"), "pages": pages.Link()}
    words |= {"lifted": {"order_id": "number", "changed": "changed"}, "inside": LINES, "integers": ("id",)}
    words |= {"bookmarks": (Bookmark(field="changed", order="desc"),)}
    made = schema(id="integer", order_id="integer", sku="string", changed="date-time")
    return Endpoint(schema=made, **(words | more))


def pairs(records: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(one["order_id"], one["id"]) for one in records]


def test_one_row_a_member_of_the_list(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row has its own fields, those lifted from inside it, and those of its record; texts of numbers are numbers."""
    api.route("/orders", [order(2, line(7), line(8, kind="x")), order(1)])

    done = tries.run(lines_of_orders(schema, only_if=(Condition(field="kind", is_="absent"),)))

    row = {"id": 7, "order_id": 2, "sku": "a-7", "changed": "2024-01-02T00:00:00Z"}
    assert done.records("lines") == [row]
    assert done.state["bookmarks"]["lines"]["replication_key_value"] == "2024-01-02T00:00:00Z"


def test_a_list_that_is_not_whole_is_asked_for(api: FakeApi, tries: Any, schema: Schema) -> None:
    """One more request, with pages of its own, for a record whose list was cut; its rows come in their place."""
    api.route("/orders", [order(3, line(9)), order(2, line(1), more=True), order(1, line(5))])
    api.route("/orders/2/lines", Collection(rows=[{"id": n, "sku": "b"} for n in range(1, 6)], style="link"))
    inside = replace(LINES, pages=pages.Link())

    done = tries.run(lines_of_orders(schema, inside=inside))

    assert pairs(done.records("lines")) == [(3, 9), *((2, n) for n in range(1, 6)), (1, 5)]
    assert [one["sku"] for one in done.records("lines")][1] == "b"


def test_a_cut_list_without_a_way_to_the_rest(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Half a list is no load: the stream stops and says so."""
    api.route("/orders", [order(1, line(5), more=True)])

    done = tries.run(lines_of_orders(schema, inside=replace(LINES, rest=None)))

    assert str(done.error) == (
        "a list inside of a record is not whole (stream=lines, list=lines.data); "
        "say in `inside` how the rest is asked for, or have more of it put into the record"
    )


def test_the_bookmark_is_the_records(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Records without a row move it too, so that the next run ends at the first page whatever they hold."""
    orders = [order(n, *([line(n)] if n < 3 else [])) for n in range(9, 0, -1)]
    api.route("/orders", Collection(rows=orders, style="link"))
    whole = tries.run(lines_of_orders(schema))
    api.asked.clear()

    again = tries.run(lines_of_orders(schema), state=whole.state)

    assert pairs(whole.records("lines")) == [(2, 2), (1, 1)]
    assert (again.records("lines"), len(api.asked)) == ([], 1)


@pytest.mark.slow  # a run for each STATE
def test_cut_at_every_state(api: FakeApi, tries: Any, schema: Schema) -> None:
    """What was written before a cut and what the next run writes are together every row."""
    orders = [order(n, *(line(10 * n + k) for k in range(n % 3)), more=n == 5) for n in range(9, 0, -1)]
    api.route("/orders", Collection(rows=orders, style="link"))
    api.route("/orders/5/lines", [line(50), line(51), line(52)])
    whole = tries.run(lines_of_orders(schema))

    for before, state in cut(whole):
        written = [m["record"] for m in before if m["type"] == "RECORD"]
        again = tries.run(lines_of_orders(schema), state=state)
        assert {*pairs(written), *pairs(again.records("lines"))} == {*pairs(whole.records("lines"))}


def test_a_preview_shows_rows_and_not_what_holds_them(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A sample of such a stream is made of the same rows as a run."""
    api.route("/orders", Reply([order(2, line(7), line(8)), order(1)]))
    tap = tries.tap(lines_of_orders(schema))(config=tries.config)

    sampled = [*tap.lookout.rows(tap.rows["lines"], 2)]

    assert [(one["order_id"], one["id"]) for one in sampled] == [(2, 7), (2, 8)]


@pytest.mark.parametrize(
    ("text", "held"),
    [("3000000000", 3_000_000_000), ("-1", -1), ("1.5", "1.5"), ("", ""), ("9" * 30, "9" * 30), (None, None), (4, 4)],
)
def test_texts_of_whole_numbers(text: Any, held: Any) -> None:
    """A text that is a whole number becomes one; what is none stays as it is, and fails where it is loaded."""
    row = Endpoint(name="items", integers=("id",))

    assert Shaper(row).rows([{"id": text}], {}) == [{"id": held}]


def test_rows_inside_of_records_have_no_children(schema: Schema) -> None:
    """What cannot work is said when the rows are read: children of such rows, a name that nothing fills."""
    above = lines_of_orders(schema, inside=replace(LINES, rest="/orders/{order}/lines"))
    child = Endpoint(name="parts", path="/parts", parents=(Parent(stream="lines", params={"line": "id"}),))

    said = [*structure(Source(base_url="http://t"), [above, child], ())]

    assert said == [
        "lines: {order} is neither a setting nor a parameter of a parent, did you mean order_id?",
        "parts: parent lines has its rows inside of records, and cannot have children",
    ]
