"""Words of rows over real sockets: records that are no objects, conditions, lifted fields, keyset pages, waits."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.rest.auth import Rotating
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.client import Client
from singerkit.rest.endpoint import Condition, Endpoint, Parent, Source
from singerkit.rest.message import Request
from singerkit.rest.own import records
from singerkit.rest.pages import Keyset, Link
from singerkit.rest.refusals import Sending
from singerkit.rest.retry import Policy, wait_for
from singerkit.rest.rules import Rule
from singerkit.testing.fake_api import Asked, FakeApi, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singerkit.rest.endpoint import ReadCall
    from tests.singerkit.rest.conftest import Tries

CHANGES = {"type": "object", "properties": {"id": {"type": "integer"}, "at": {"type": "string"}}}


@pytest.mark.parametrize(
    ("body", "records", "columns", "rows"),
    [
        ([[1, 2], [3, 4]], "$", ("week", "commits"), [{"week": 1, "commits": 2}, {"week": 3, "commits": 4}]),
        ({"names": ["a", "b"]}, "$.names", ("topic",), [{"topic": "a"}, {"topic": "b"}]),
        (
            {"C": 5, "Go": 7},
            "$",
            ("language", "bytes"),
            [{"language": "C", "bytes": 5}, {"language": "Go", "bytes": 7}],
        ),
        ({}, "$", ("language", "bytes"), []),
    ],
    ids=["lists", "values", "members", "nothing"],
)
def test_records_that_are_no_objects(
    body: Any, records: str, columns: tuple[str, ...], rows: list[Any], api: FakeApi, tries: Tries
) -> None:
    """Lists, plain values and the members of an object become rows under the names that the row gives."""
    schema: dict[str, Any] = {"properties": {name: {} for name in columns}}
    api.route("/items", body)

    done = tries.run(Endpoint(name="items", path="/items", records=records, columns=columns, schema=schema))

    assert done.error is None
    assert done.records("items") == rows


def test_a_condition_on_records(api: FakeApi, tries: Tries) -> None:
    """Records that do not meet it are no rows, and the bookmark passes them all the same."""
    api.route("/items", [{"id": 1, "at": "2026-01-01"}, {"id": 2, "at": "2026-01-02", "pull": {}}])
    mark = Bookmark(field="at", type="date", order="asc")
    only = (Condition(field="pull", is_="absent"),)

    done = tries.run(Endpoint(name="items", path="/items", bookmarks=(mark,), only_if=only, schema=CHANGES))

    assert done.records("items") == [{"id": 1, "at": "2026-01-01"}]
    assert done.state["bookmarks"]["items"]["replication_key_value"] == "2026-01-02"


def test_a_lifted_field(api: FakeApi, tries: Tries) -> None:
    """A column may repeat what stands inside the record; where it does not stand there, it is null."""
    api.route("/items", [{"id": 1, "commit": {"date": "2026-01-01"}}, {"id": 2, "commit": None}])

    done = tries.run(Endpoint(name="items", path="/items", lifted={"at": "commit.date"}, schema=CHANGES))

    assert done.records("items") == [{"id": 1, "at": "2026-01-01"}, {"id": 2, "at": None}]


class Moving:
    """A list by date in numbered pages of two; its first record changes after the first page, and moves to the end."""

    def __init__(self, dates: list[int]) -> None:
        self.rows: list[dict[str, Any]] = [{"id": n, "at": f"2026-01-{day:02}"} for n, day in enumerate(dates, 1)]

    def __call__(self, asked: Asked) -> Reply:
        """Answer one page."""
        rows = [row for row in self.rows if row["at"] >= asked.query.get("since", "")]
        page = int(asked.query.get("page", 1))
        following = f"http://{asked.headers['host']}/items?since={asked.query.get('since', '')}&page={page + 1}"
        self.rows[0]["at"] = "2026-01-31"
        self.rows.sort(key=lambda row: str(row["at"]))
        cut = [dict(row) for row in rows[page * 2 - 2 : page * 2]]
        return Reply(cut, headers={"Link": f'<{following}>; rel="next"'} if len(rows) > page * 2 else {})


@pytest.mark.parametrize(
    ("pages", "dates", "missed"),
    [
        (Link(), [1, 2, 3, 4, 5], {3}),
        (Keyset(param="since", field="at"), [1, 2, 3, 4, 5], set()),
        (Keyset(param="since", field="at"), [1, 1, 1, 1, 1, 2], set()),
    ],
    ids=["numbers miss one", "keyset", "pages of one value"],
)
def test_a_record_that_moves_while_it_is_walked(
    pages: Link, dates: list[int], missed: set[int], api: FakeApi, tries: Tries
) -> None:
    """Keyset pages miss no record when another one moves to the end."""
    served = Moving(dates)
    api.route("/items", served if missed or dates[1] != 1 else still(served))

    done = tries.run(Endpoint(name="items", path="/items", pages=pages, schema=CHANGES))

    assert done.error is None
    assert {*range(1, len(dates) + 1)} - {record["id"] for record in done.records("items")} == missed


def still(served: Moving) -> Any:
    """Return the list without its changes."""
    rows = [dict(row) for row in served.rows]

    def answer(asked: Asked) -> Reply:
        served.rows = [dict(row) for row in rows]
        return served(asked)

    return answer


def test_what_a_page_shows_again_is_given_once(api: FakeApi, tries: Tries) -> None:
    """A keyset page begins with the records that ended the page before; they are not written twice."""
    api.route("/items", still(Moving([9, 10, 11, 12, 13])))

    done = tries.run(Endpoint(name="items", path="/items", pages=Keyset(param="since", field="at"), schema=CHANGES))

    assert [record["id"] for record in done.records("items")] == [1, 2, 3, 4, 5]


SLOW = Rule(action="hold", status=403, matches="slow down", wait_s=0.2)


def client(api: FakeApi, tokens: tuple[str, ...] = ("a",)) -> Client:
    source = Source(base_url=api.url, auth=Rotating(tokens=tokens), policy=Policy(base_s=0.001))
    return Client(source, timeout_s=5)


def test_a_rule_that_holds_everybody(api: FakeApi) -> None:
    """`hold` keeps all requests of the credential back, not only the one that was refused."""
    refused = threading.Event()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/slow" and not refused.is_set():
            refused.set()
            return Reply({"message": "please slow down"}, 403)
        return Reply([time.monotonic()])

    api.route("/*", answer)
    one = client(api)
    begun = time.monotonic()
    slow = threading.Thread(target=one.send, args=(Request("GET", f"{api.url}/slow"), Sending("a", rules=(SLOW,))))
    slow.start()
    refused.wait(5)
    while one.gate.free_at < begun + 0.15:  # the refusal is on its way back
        assert time.monotonic() < begun + 5

    _, other = one.send(Request("GET", f"{api.url}/other"))
    slow.join()

    assert float(other.body[0]) - begun >= 0.2


@pytest.mark.parametrize(("attempt", "wait"), [(1, 60), (2, 120), (3, 240), (4, 300)])
def test_a_rules_wait_doubles(attempt: int, wait: float) -> None:
    """The first wait is the row's, the longest the policy's."""
    assert wait_for(Policy(), None, attempt, datetime(2026, 1, 1, tzinfo=UTC), 0, 60) == wait


def test_tokens_rotate_by_what_is_left(api: FakeApi) -> None:
    """The token with most requests left signs the next one."""
    left = {"Bearer a": 30, "Bearer b": 20}

    def answer(asked: Asked) -> Reply:
        who = asked.headers["authorization"]
        left[who] -= 6
        return Reply([], headers={"X-RateLimit-Remaining": str(left[who])})

    api.route("/items", answer)
    one = client(api, ("a", "b"))

    for _ in range(6):
        one.send(Request("GET", f"{api.url}/items"))

    assert [asked.headers["authorization"][-1] for asked in api.asked] == ["a", "b", "a", "a", "b", "a"]


def team(api: FakeApi, name: str, dates: list[int]) -> None:
    """Serve a team's items, by date, and the parts of each."""
    items = [{"id": n, "at": f"2026-01-{day:02}"} for n, day in enumerate(dates, 1)]
    api.route(f"/{name}/items", items[::-1])
    for one in items:
        api.route(f"/{name}/items/{one['id']}/parts", [{"part": 1, "seen": name}])


def teams(call: ReadCall) -> Iterator[dict[str, Any]]:
    """Yield the teams that the API lists: what a row cannot say, for this test."""
    yield from records(call, path="/teams")


FAMILY = (
    Endpoint(
        name="teams", read=f"{__name__}:teams", keys=("name",), schema={"properties": {"name": {}}}, selected=False
    ),
    Endpoint(
        name="items",
        path="/{team}/items",
        keys=("team", "id"),
        bookmarks=(Bookmark(field="at", type="date", order="desc"),),
        parents=(Parent(stream="teams", params={"team": "name"}),),
        schema=CHANGES,
        selected=False,
    ),
    Endpoint(
        name="parts",
        path="/{team}/items/{item}/parts",
        keys=("team", "item", "part"),
        bookmarks=(Bookmark(field="item_at", type="date", of_parent=True),),
        parents=(
            Parent(
                stream="items",
                params={"team": "team", "item": "id"},
                fields={"team": "team", "item": "id", "item_at": "at"},
                changed_by="at",
            ),
        ),
        schema={"properties": {"part": {"type": "integer"}}},
    ),
)


@pytest.fixture
def family(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Teams, their items, and the parts of each item."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[teams.__module__])
    api.route("/teams", [{"name": "a"}])
    team(api, "a", [5, 6])
    return api


def asked_parts(api: FakeApi) -> list[str]:
    return sorted(asked.path for asked in api.asked if "parts" in asked.path)


def test_children_of_parents_that_a_function_reads(family: FakeApi, tries: Tries) -> None:
    """A function's rows are parents like any other; children carry their parent's bookmark."""
    done = tries.run(*FAMILY)

    assert done.error is None
    assert done.records("parts") == [
        {"team": "a", "item": 2, "item_at": "2026-01-06", "part": 1},
        {"team": "a", "item": 1, "item_at": "2026-01-05", "part": 1},
    ]


def test_a_parent_that_moved_brings_all_its_children(family: FakeApi, tries: Tries) -> None:
    """The parents that moved since the last good run are walked, in each family by its own bookmark."""
    first = tries.run(*FAMILY)
    team(family, "a", [5, 9])
    family.asked.clear()

    second = tries.run(*FAMILY, state=first.state)

    assert asked_parts(family) == ["/a/items/2/parts"]
    assert [record["item_at"] for record in second.records("parts")] == ["2026-01-09"]


def test_a_family_that_appears_later_is_read_from_its_beginning(family: FakeApi, tries: Tries) -> None:
    """How far one family has moved says nothing of another: a new team's old items are walked."""
    first = tries.run(*FAMILY)
    family.route("/teams", [{"name": "a"}, {"name": "b"}])
    team(family, "b", [1, 2])
    family.asked.clear()

    second = tries.run(*FAMILY, state=first.state)

    assert asked_parts(family) == ["/a/items/2/parts", "/b/items/1/parts", "/b/items/2/parts"]
    assert second.state["bookmarks"]["parts"]["changed"] == {"a": "2026-01-06", "b": "2026-01-02"}
    assert {record["team"] for record in second.records("parts")} == {"a", "b"}


def test_start_date_bounds_parents(family: FakeApi, tries: Tries) -> None:
    """A first run begins with the parents that moved since `start_date`."""
    tries.run(*FAMILY, start_date="2026-01-06T00:00:00Z")

    assert asked_parts(family) == ["/a/items/2/parts"]
