"""Streams as a run sees them: failures, catalogs, STATE traffic, functions of reads.py."""

import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from singerkit.arrow import table_from_iterator, tables
from singerkit.errors import SafetyStopError, StreamsFailedError
from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Condition, Endpoint, Parent, Partition, ReadCall, Window
from singerkit.testing.fake_api import Asked, FakeApi, Reply, Trouble
from singerkit.testing.served import Collection

Schema = Callable[..., dict[str, Any]]


def row(made: Schema, name: str = "items", **more: Any) -> Endpoint:
    given = {"name": name, "path": f"/{name}", "keys": ("id",), "schema": made(id="integer", at="date-time")}
    return Endpoint(**(given | more))


def test_a_failed_stream_keeps_its_bookmark_and_the_others_go_on(api: FakeApi, tries: Any, schema: Schema) -> None:
    """One stream's permanent error is its own: exit 3, the others complete, its STATE as it was."""
    mark = Bookmark(field="at", param="since")
    api.route("/bad", Reply({"message": "no such plan"}, 403))
    api.route("/items", [{"id": 1, "at": "2024-01-02T00:00:00Z"}])
    old = {"replication_key": "at", "replication_key_value": "2024-01-01T00:00:00Z"}
    state = {"bookmarks": {"bad": old, "items": old}}

    done = tries.run(row(schema, "bad", bookmarks=(mark,)), row(schema, bookmarks=(mark,)), state=state)

    assert isinstance(done.error, StreamsFailedError)
    assert done.exit_code == 3
    assert "the server refuses this: no such plan (stream=bad" in done.log
    assert done.state["bookmarks"]["bad"] == old
    assert done.state["bookmarks"]["items"]["replication_key_value"] == "2024-01-02T00:00:00Z"


def test_bad_credentials_end_the_run_at_once(api: FakeApi, tries: Any, schema: Schema) -> None:
    """401 meets every stream: the first one ends the run with exit 5, and no secret is shown."""
    api.route("/", Reply({"message": "bad token canary-4711"}, 401))
    api.route("/items", Reply({"message": "bad token canary-4711"}, 401))

    done = tries.run(row(schema), row(schema, "more"))

    assert done.exit_code == 5
    assert len(api.asked) == 1
    assert "canary-4711" not in done.log + done.stdout + str(done.error)


def catalog(tries: Any, endpoint: Endpoint, **root: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tries.tap(endpoint)(config=tries.config).catalog_json_text)
    entry = found["streams"][0]
    entry.pop("replication_key", None)
    entry.pop("replication_method", None)
    for one in entry["metadata"]:
        if not one["breadcrumb"]:
            one["metadata"] |= root
    return found


def test_the_catalog_chooses_among_the_rows_bookmarks(api: FakeApi, tries: Any, schema: Schema) -> None:
    """The first bookmark is the default, the catalog's replication key another; FULL_TABLE needs none."""
    api.route("/items", [{"id": 1, "at": "2024-01-02T00:00:00Z", "n": 5}])
    marks = (Bookmark(field="at"), Bookmark(field="n", type="integer", param="above"))
    items = row(schema, bookmarks=marks, schema=schema(id="integer", at="date-time", n="integer"))
    chosen = catalog(tries, items, **{"replication-key": "n", "replication-method": "INCREMENTAL"})
    full = catalog(tries, items, **{"replication-key": None, "replication-method": "FULL_TABLE"})

    assert tries.run(items).state["bookmarks"]["items"]["replication_key"] == "at"
    assert tries.run(items, catalog=chosen).state["bookmarks"]["items"] == {
        "replication_key": "n",
        "replication_key_value": 5,
    }
    assert tries.run(items, catalog=full).state["bookmarks"]["items"] == {}


def test_a_replication_key_that_the_row_does_not_know(api: FakeApi, tries: Any, schema: Schema) -> None:
    """Other fields are refused, and the known ones named."""
    items = row(schema, bookmarks=(Bookmark(field="at"),))
    chosen = catalog(tries, items, **{"replication-key": "id", "replication-method": "INCREMENTAL"})

    done = tries.run(items, catalog=chosen)

    assert str(done.error) == (
        "the catalog asks for INCREMENTAL by id (stream=items, known=at); "
        "choose one of the known replication keys, or FULL_TABLE"
    )


def test_deselected_columns_do_not_leave(api: FakeApi, tries: Any, schema: Schema) -> None:
    """What the catalog deselects is not written; keys and bookmarks always are."""
    api.route("/items", [{"id": 1, "at": "2024-01-02T00:00:00Z", "name": "n"}])
    items = row(schema, bookmarks=(Bookmark(field="at"),), schema=schema(id="integer", at="date-time", name="string"))
    chosen = catalog(tries, items, **{"replication-key": "at"})
    for one in chosen["streams"][0]["metadata"]:
        if one["breadcrumb"]:
            one["metadata"]["selected"] = False

    done = tries.run(items, catalog=chosen)

    assert done.records("items") == [{"id": 1, "at": "2024-01-02T00:00:00Z"}]


def test_stream_maps_are_honoured(api: FakeApi, tries: Any, schema: Schema) -> None:
    """singer-sdk's stream maps go by its own path, record by record."""
    api.route("/items", [{"id": 1, "at": "2024-01-02T00:00:00Z"}])

    done = tries.run(row(schema), stream_maps={"items": {"double": "id * 2"}})

    assert done.records("items") == [{"id": 1, "at": "2024-01-02T00:00:00Z", "double": 2}]


@pytest.mark.parametrize("records", [[{"id": 1}, {"id": 2, "at": None}], []], ids=["rows without it", "no rows"])
def test_a_bookmark_that_no_record_has(
    records: Any, api: FakeApi, tries: Any, schema: Schema, caplog: pytest.LogCaptureFixture
) -> None:
    """A field that the server never sends would be a full read in each run, and nobody would know why."""
    api.route("/items", records)

    done = tries.run(row(schema, bookmarks=(Bookmark(field="at", param="since"),)))

    said = "no record has its bookmark, so the next run reads all of them again stream=items field=at"
    assert done.records("items") == records
    assert (said in caplog.text) is bool(records)


def test_pages_that_go_round(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A server that ignores the page parameter, or sends the same next address, is found out."""
    same = [{"id": 1}, {"id": 2}]
    api.route("/items", lambda asked: Reply({"data": same, "next": f"{api.url}/items"}))
    ignored = row(schema, records="data", pages=pages.PageNumber())
    circle = row(schema, records="data", pages=pages.NextUrl(path="next"))

    for one in (ignored, circle):
        done = tries.run(one)
        assert isinstance(done.error, SafetyStopError)
        assert "the pages go round in a circle (stream=items" in str(done.error)


def test_what_an_answer_adds_is_for_the_next_page_alone(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A member of `continue` that the next answer leaves out is not sent again: it would skip records there."""
    lists = {"1": [1, 2, 3], "2": [4, 5]}

    def answer(asked: Asked) -> Reply:
        of, at = asked.query.get("list", "1"), int(asked.query.get("at", "0"))
        more = {"list": of, "at": at + 1} if at + 1 < len(lists[of]) else {"list": "2"} if of == "1" else {}
        return Reply({"data": [{"id": lists[of][at]}], "continue": more})

    api.route("/items", answer)
    items = row(schema, records="data", pages=pages.Continue(), params={"fixed": "x"})

    done, capped = tries.run(items), tries.run(items, max_rows=2)

    assert [one["id"] for one in done.records("items")] == [1, 2, 3, 4, 5]
    assert {asked.query["fixed"] for asked in api.asked} == {"x"}
    assert [one["id"] for one in tries.run(items, state=capped.state).records("items")] == [3, 4, 5]


@pytest.mark.parametrize(
    ("start", "asked"),
    [
        ("2024-01-01T05:00:00+14:00", "2023-12-31 15:00:00"),
        ("2024-01-01", "2024-01-01 00:00:00"),
        ("0001-01-01T00:00:00+14:00", "1-01-01 00:00:00"),
    ],
)
def test_a_start_date_with_an_offset(start: str, asked: str, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A format without an offset says the moment in UTC: hours are neither lost nor read for nothing."""
    api.route("/items", [])
    mark = Bookmark(field="at", param="since", format="%Y-%m-%d %H:%M:%S")

    done = tries.run(row(schema, bookmarks=(mark,)), start_date=start)

    assert done.error is None
    assert api.asked[0].query["since"].lstrip("0") == asked


NOWHERE = ("ftp://x/y", "http://[bad", "http://host:abc/", "file:///etc/passwd", "javascript:alert(1)")


@pytest.mark.parametrize("address", NOWHERE)
def test_a_server_that_leads_to_no_address(address: str, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A next address or a redirect that is none ends the stream in one line, and is not followed."""
    api.route("/items", {"data": [{"id": 1}], "next": address})
    api.route("/moved", Reply(None, 302, {"Location": address}))
    items = row(schema, records="data", pages=pages.NextUrl(path="next"))

    led, moved = tries.run(items), tries.run(row(schema, "moved"))

    assert str(led.error) == (
        "what the server says of the next page is no address, or no number (stream=items, pages=next_url); "
        "check the page style of the row"
    )
    assert str(moved.error) == (
        "the server redirects to what is no address (request=GET /moved, host=127.0.0.1); "
        "check the address in the settings"
    )


@pytest.mark.parametrize("total", [None, "lots"])
def test_a_window_whose_total_is_not_there(total: Any, api: FakeApi, tries: Any, schema: Schema) -> None:
    """Without the total that the row names, what came is counted: a cap is never passed over in silence."""
    records = [{"id": n, "at": "2026-01-01T00:00:00Z"} for n in (1, 2)]
    api.route("/items", {"data": records, "total": total})
    mark = Bookmark(field="at", param="since", until_param="until", format="date")

    done = tries.run(
        row(schema, records="data", bookmarks=(mark,), window=Window(cap=2, total="total")), start_date="2026-01-01"
    )

    assert "the vendor cuts the results of the smallest window (stream=items" in str(done.error)


def test_a_page_info_that_is_none(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A connection whose `pageInfo` is no object has no next page."""
    api.route("/items", {"data": {"pageInfo": "none", "nodes": [{"id": 1}]}})
    items = row(schema, records="data.nodes", method="POST", pages=pages.GraphQL(page_info="data.pageInfo"))

    done = tries.run(items)

    assert (done.error, len(done.records("items"))) == (None, 1)


def test_a_number_of_pages_that_is_none(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A total that is no number says nothing: the empty page ends the walk."""
    api.route("/items", lambda asked: Reply({"data": [{"id": 1}] * (asked.query["page"] == "1"), "pages": "many"}))

    done = tries.run(row(schema, records="data", pages=pages.PageNumber(total_pages="pages")))

    assert (done.error, len(done.records("items"))) == (None, 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {},
            (
                "a parent's record has no value that its children need (stream=parts, parent=items, field=id); "
                "correct the path, or pass such parents over: only_if: [{field: id, is: present}]"
            ),
        ),
        (
            {"only_if": (Condition(field="id", is_=">", value="a"),)},
            (
                "a condition compares values of two types (stream=parts, parent=items); "
                "write the value in only_if as the records hold it: a number, or a text in quotes"
            ),
        ),
        ({"only_if": (Condition(field="id", is_="present"),)}, "None"),
    ],
    ids=["no-value", "two-types", "passed-over"],
)
def test_a_parent_without_the_value(more: dict[str, Any], said: str, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A child is not asked for without its parent's value: it would be another question."""
    api.route("/items", [{"id": 1}, {"id": None}])
    api.route("/parts", [{"id": 5}])
    parent = Parent(stream="items", params={"item_id": "id"}, **more)
    parts = row(schema, "parts", params={"of": "{item_id}"}, keys=("item_id", "id"), parents=(parent,))

    done = tries.run(row(schema, selected=False), parts)

    assert str(done.error) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            Reply(b""),
            (
                "a good answer holds no records where the row says they are (stream=items, records=data); "
                "correct `records`, or set `records_optional` where the vendor leaves them out"
            ),
        ),
        (Reply(b"", 204), "None"),
        (None, "None"),
        (
            {"dta": []},
            (
                "a good answer holds no records where the row says they are (stream=items, records=data); "
                "correct `records`, or set `records_optional` where the vendor leaves them out"
            ),
        ),
        (
            {"data": [1]},
            (
                "what the row calls records are no objects (stream=items, records=data); "
                "correct `records`, or name their parts in `columns`"
            ),
        ),
    ],
)
def test_a_body_without_records(body: Any, said: str, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A selector that leads nowhere is an error, not an empty stream; nor is a body that was lost on its way."""
    api.route("/items", body)

    done = tries.run(row(schema, records="data"))

    assert str(done.error) == said


def test_a_window_at_its_end(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A cap that the smallest window meets would lose records: a safety stop. Without a place to begin: a question."""
    api.route("/items", lambda asked: Reply({"data": [], "total": 10}))
    mark = Bookmark(field="at", param="since", until_param="until", format="date")
    items = row(schema, records="data", bookmarks=(mark,), window=Window(cap=3, total="total"))

    stopped = tries.run(items, start_date="2026-01-01T00:00:00Z")
    lost = tries.run(items)
    full = tries.run(
        items, catalog=catalog(tries, items, **{"replication-method": "FULL_TABLE", "replication-key": None})
    )

    assert str(stopped.error) == (
        "the vendor cuts the results of the smallest window (stream=items, since=2026-01-01T00:00:00+00:00); "
        "raise the row's cap to the vendor's, or choose a finer bookmark format"
    )
    assert str(lost.error) == (
        "windows need a place to begin (stream=items); set start_date, or first_days in the row's bookmark"
    )
    assert str(full.error) == (
        "the vendor caps the results of one query, and a full load has nothing to halve (stream=items); "
        "read the stream INCREMENTAL: its bookmark allows windows"
    )


def test_a_resumed_full_load_keeps_its_number(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A full load that was cut goes on at its page under the same version; with other settings it starts anew."""
    api.route("/items", Collection(rows=[{"id": n} for n in range(1, 8)], style="link"))
    items = row(schema, pages=pages.Link())
    whole = tries.run(items)
    state = [state for state in whole.states() if "resume" in state["bookmarks"]["items"].get("full_load", {})][1]

    again = tries.run(items, state=state)
    other = tries.run(row(schema, pages=pages.Link(), params={"q": 1}), state=state)

    version = state["bookmarks"]["items"]["full_load"]["version"]
    activated = [m["version"] for m in again.messages if m["type"] == "ACTIVATE_VERSION"]
    assert activated == [version, version]
    assert [r["id"] for r in again.records("items")] == [5, 6, 7]
    assert version not in [m.get("version") for m in other.messages]
    assert len(other.records("items")) == 7


def cut(done: Any, stream: str, word: str) -> Any:
    """Return a STATE in the middle of a full load."""
    return [state for state in done.states() if word in state["bookmarks"].get(stream, {}).get("full_load", {})][1]


@pytest.mark.parametrize(
    "changed",
    [{"only_if": (Condition(field="n", is_="<", value=9),)}, {"renames": {"n": "m"}}, {"keys": ("id", "n")}],
    ids=["conditions", "names", "keys"],
)
def test_a_full_load_by_other_rows_starts_anew(changed: Any, api: FakeApi, tries: Any, schema: Schema) -> None:
    """One half of a table by a row, and the other by another row, would be neither: no place is kept for that."""
    api.route("/items", Collection(rows=[{"id": n, "n": n} for n in range(1, 8)], style="link"))
    known: dict[str, Any] = {"schema": schema(id="integer", n="integer", m="integer"), "pages": pages.Link()}
    state = cut(tries.run(row(schema, **known)), "items", "resume")

    again = tries.run(row(schema, **known, **changed), state=state)

    assert len(again.records("items")) == 7
    assert state["bookmarks"]["items"]["full_load"]["version"] not in [m.get("version") for m in again.messages]


@pytest.mark.parametrize(
    ("at", "given"),
    [(timedelta(hours=1), 3), (timedelta(hours=3), 7), (None, 7), ("yesterday", 7)],
    ids=["young", "old", "without an age", "of an age that is none"],
)
def test_a_place_has_an_age(at: Any, given: int, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A place that is older than the source's `resume_hours` is not gone on from: vendors' cursors expire."""
    api.route("/items", Collection(rows=[{"id": n} for n in range(1, 8)], style="link"))
    items = row(schema, pages=pages.Link())
    source = replace(tries.tap(items).source_row, resume_hours=2)
    state = cut(tries.run(items, source=source), "items", "resume")
    at = (datetime.now(UTC) - at).isoformat() if isinstance(at, timedelta) else at
    state["bookmarks"]["items"]["full_load"]["at"] = at

    again = tries.run(items, source=source, state=state)

    assert len(again.records("items")) == given


def test_a_full_load_of_other_columns_starts_anew(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A column that is selected while a load is under way is in all of its rows, or in none."""
    api.route("/items", Collection(rows=[{"id": n, "n": n} for n in range(1, 8)], style="link"))
    items = row(schema, schema=schema(id="integer", n="integer"), pages=pages.Link())
    fewer = catalog(tries, items, selected=True)
    for one in fewer["streams"][0]["metadata"]:
        if one["breadcrumb"] == ["properties", "n"]:
            one["metadata"]["selected"] = False
    state = cut(tries.run(items, catalog=fewer), "items", "resume")

    again = tries.run(items, state=state)

    assert [record["n"] for record in again.records("items")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_full_load_below_other_parents_starts_anew(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A setting that chooses other parents begins the load of their children anew."""
    api.route("/of/*", [{"id": n} for n in range(1, 6)])
    api.route("/parts/*", [{"id": 1}])
    above = row(schema, path="/of/{owner}", selected=False)
    parents = (Parent(stream="items", params={"item_id": "id"}),)
    parts = row(schema, "parts", path="/parts/{item_id}", keys=("item_id", "id"), parents=parents)
    state = cut(tries.run(above, parts, owner="a"), "parts", "after")

    same, other = (tries.run(above, parts, owner=owner, state=state) for owner in "ab")

    assert len(same.records("parts")) < 5
    assert len(other.records("parts")) == 5
    assert state["bookmarks"]["parts"]["full_load"]["version"] not in [m.get("version") for m in other.messages]


def test_a_place_that_the_vendor_has_forgotten(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A cursor that has expired fails the stream once; the run after that begins anew."""
    api.route("/items", Collection(rows=[{"id": n} for n in range(1, 8)], style="link"))
    items = row(schema, pages=pages.Link())
    state = [s for s in tries.run(items).states() if "resume" in s["bookmarks"]["items"].get("full_load", {})][1]
    api.trouble(Trouble(status=410, body={"message": "this cursor has expired"}))

    failed = tries.run(items, state=state, state_interval_s=5)
    again = tries.run(items, state=failed.state)

    assert "the server refuses this: this cursor has expired (stream=items" in str(failed.error)
    assert "resume" not in failed.state["bookmarks"]["items"]["full_load"]
    assert len(again.records("items")) == 7


def test_a_next_address_that_holds_the_secret_is_not_stored(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A vendor that puts the token into its next address costs the resume, not the secret."""
    api.route("/items", lambda asked: Reply([{"id": int(asked.query.get("at", 1))}], headers=_next(api, asked)))

    done = tries.run(row(schema, pages=pages.Link()))

    assert len(done.records("items")) == 3
    assert "canary-4711" not in done.stdout


def _next(api: FakeApi, asked: Any) -> dict[str, str]:
    at = int(asked.query.get("at", 1))
    return {"Link": f'<{api.url}/items?at={at + 1}&token=canary-4711>; rel="next"'} if at < 3 else {}


@pytest.mark.slow
@pytest.mark.parametrize(("parents", "most"), [(1_000, 1_000_000), (10_000, 5_000_000)])
def test_state_traffic_of_a_fan_out_is_linear(parents: int, most: int, tries: Any, schema: Schema) -> None:
    """10,000 parents, 1,000 bookmarks at most, a STATE allowed after every page: under 5 MB in all."""
    marks = (Bookmark(field="at", order="asc"),)
    names = _module("parents_of_a_test", lambda call: ({"id": f"a-usual-name-{n:05}"} for n in range(parents)))
    children = _module("children_of_a_test", lambda call: [{"id": 1, "at": "2024-01-02T00:00:00Z"}])
    above = (Parent(stream="items", params={"item_id": "id"}),)
    items = row(schema, read=names, schema=schema(id="string"), selected=False)
    parts = row(schema, "parts", read=children, keys=("item_id", "id"), parents=above, bookmarks=marks)

    done = tries.run(items, parts)

    traffic = sum(len(line) for line in done.stdout.splitlines() if line.startswith('{"type":"STATE"'))
    assert len(done.records("parts")) == parents
    assert len(done.state["bookmarks"]["parts"].get("parents", ())) == (1_000 if parents == 1_000 else 0)
    assert traffic < most


def _module(name: str, function: Any) -> str:
    module = types.ModuleType(name)
    module.read = function  # type: ignore[attr-defined]
    sys.modules[name] = module
    return f"{name}:read"


def test_a_function_of_reads_says_what_a_row_cannot(api: FakeApi, tries: Any, schema: Schema) -> None:
    """It yields dicts, lists of dicts or Arrow tables, and its bookmark moves at the end."""
    seen: list[Any] = []

    def read(call: ReadCall) -> Iterator[Any]:
        seen.append(call.since)
        yield {"id": 1, "at": "2024-01-03T00:00:00Z"}
        yield [{"id": 2}, {"id": 3}]
        yield pa.table({"id": [4, 5]})

    items = row(schema, read=_module("reads_of_a_test", read), bookmarks=(Bookmark(field="at", order="asc"),))

    done = tries.run(items)

    assert [r["id"] for r in done.records("items")] == [1, 2, 3, 4, 5]
    assert done.state["bookmarks"]["items"]["replication_key_value"] == "2024-01-03T00:00:00Z"
    assert seen == [None]


@pytest.mark.slow
def test_never_more_than_5000_rows_or_200_mib_in_hand() -> None:
    """A source is drawn on only as far as one table needs it, by rows and by bytes."""
    drawn = 0

    def many() -> Iterator[dict[str, Any]]:
        nonlocal drawn
        for n in range(12_000):
            drawn += 1
            yield {"id": n}

    schema = pa.schema([("id", pa.int64())])
    first = next(made := table_from_iterator(many(), schema))
    assert (first.num_rows, drawn) == (5000, 5001)
    assert [t.num_rows for t in made] == [5000, 2000]
    large = ({"text": "x" * (tables.MAX_BYTES // 3)} for _ in range(4))
    assert [len(rows) for rows, _ in tables.gathered(large)] == [2, 2]


def test_a_value_that_does_not_fit_its_column() -> None:
    """The column and its type are named, never the value."""
    with pytest.raises(SafetyStopError) as caught:
        list(table_from_iterator([{"id": "canary"}], pa.schema([("id", pa.int64())])))

    assert str(caught.value) == "a value does not fit its column (column=id, type=int64); correct the stream's schema"


def test_what_a_row_knows_is_in_the_catalog(tries: Any, schema: Schema) -> None:
    """Partition, order, version keys, retention, foreign keys, scopes and warnings travel as words of the schema."""
    above = (Parent(stream="items", params={"item_id": "id"}),)
    told: dict[str, Any] = {
        "partition": Partition(mode="md5", keys=("item_id",), count=8),
        "bookmarks": (Bookmark(field="at", order="desc"),),
        "version_keys": ("at",),
        "vendor_keeps": "90d",
        "scopes": ("parts:read",),
        "warnings": ("deletions are not seen",),
        "description": "One row a part.",
    }
    parts = row(schema, "parts", path="/items/{item_id}", keys=("item_id", "id"), parents=above, **told)

    made = json.loads(tries.tap(row(schema), parts)(config=tries.config).catalog_json_text)

    found = next(one["schema"] for one in made["streams"] if one["tap_stream_id"] == "parts")
    written = {name: word for name, word in found.items() if name[:2] == "x-" or name == "description"}
    assert written == {
        "x-partition": {"mode": "md5", "keys": ["item_id"], "count": 8},
        "x-sort": "desc",
        "x-version-keys": ["at"],
        "x-vendor-keeps": "90d",
        "x-foreign-keys": [{"columns": ["item_id"], "stream": "items", "references": ["id"]}],
        "x-scopes": ["parts:read"],
        "x-warnings": ["deletions are not seen"],
        "description": "One row a part.",
    }


def test_pages_waits_and_caps_are_in_the_log(
    api: FakeApi, tries: Any, schema: Schema, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is one line of constant text with its facts as key=value."""
    caplog.set_level("DEBUG")
    api.route("/items", Collection(rows=[{"id": n} for n in range(1, 8)], style="link"))
    api.trouble(Trouble(status=503))

    tries.run(row(schema, pages=pages.Link(), max_pages=2))

    said = [line.getMessage() for line in caplog.records if line.name == "singerkit.rest"]
    assert [re.sub(r"wait_s=[\d.]+", "wait_s=0", line) for line in said] == [
        "waiting stream=items why='it answers 503' attempt=1 wait_s=0",
        "page read stream=items page=1 records=2",
        "page cap reached stream=items parent={} pages=2",
        "page read stream=items page=2 records=2",
    ]


@pytest.mark.slow
def test_a_storm_on_every_stream(api: FakeApi, tries: Any, schema: Schema) -> None:
    """429 and 500 in the middle of a fan-out change nothing in what is read."""
    api.route("/items", [{"id": n} for n in range(20)])
    api.route("/parts/*", [{"id": 1}])
    parent = Parent(stream="items", params={"item_id": "id"})
    parts = row(schema, "parts", path="/parts/{item_id}", keys=("item_id", "id"), parents=(parent,))
    api.trouble(*[Trouble(status=status) for status in (429, 500, 503, 429, 502)] * 2)

    done = tries.run(row(schema, selected=False), parts, max_attempts=12)

    assert [r["item_id"] for r in done.records("parts")] == list(range(20))
