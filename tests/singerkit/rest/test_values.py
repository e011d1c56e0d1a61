"""Pure rooms: bookmark values, waits, rules, shapes, placeholders and selectors, as tables and properties."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError, SettingsError
from singerkit.rest import bookmarks, fill, retry, selector
from singerkit.rest.auth import Bearer
from singerkit.rest.body import decoded
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.conditions import holds
from singerkit.rest.endpoint import Condition, Endpoint, Source
from singerkit.rest.message import Answer, Request
from singerkit.rest.retry import Policy
from singerkit.rest.rules import Rule, vendor_words, verdict
from singerkit.rest.settings import RestSettings
from singerkit.rest.shape import Shaper, snake
from singerkit.rest.tokens import OAuth2
from singerkit.settings.read import read

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JAN = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "earlier", "later"),
    [
        ("datetime", "2024-01-01T01:00:00+02:00", "2024-01-01T00:00:00Z"),
        ("datetime", "2024-01-01T00:00:00.9Z", "2024-01-01T00:00:01Z"),
        ("datetime", 1704067199, "2024-01-01T00:00:00Z"),
        ("datetime", 1704067199999, 1704067200),
        ("date", "2024-01-31", "2024-02-01"),
        ("date", "2023-12-31T23:00:00Z", "2024-01-01"),
        ("integer", 9, 10),
        ("integer", "9", "10"),
        ("numeric", Decimal("0.1"), "0.10000000000000000001"),
        ("text", "A10", "A9"),
    ],
)
def test_values_compare_by_type(kind: Any, earlier: Any, later: Any) -> None:
    """Offsets, fractions, epochs and numbers in text order as what they mean, not as text."""
    assert bookmarks.comparable(kind, earlier) < bookmarks.comparable(kind, later)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("datetime", "soon"),
        ("datetime", True),
        ("date", 5),
        ("integer", 1.5),
        ("integer", True),
        ("numeric", "x"),
        ("numeric", "NaN"),
        ("text", 1),
    ],
)
def test_a_bookmark_of_another_type_is_refused_with_a_remedy(kind: Any, value: Any) -> None:
    """The error names stream, key and kind, never the value, and says how to go on."""
    with pytest.raises(SettingsError) as caught:
        bookmarks.from_state(Bookmark(field="at", type=kind), value, "items")

    assert str(caught.value) == (
        f"the bookmark in the STATE is not of type {kind} (stream=items, key=at, holds={type(value).__name__}); "
        "remove bookmarks.<stream> from the STATE (meltano state edit) to read the stream from the start"
    )


def test_a_record_whose_bookmark_is_of_another_type() -> None:
    """A record that breaks the row's promise stops the stream."""
    with pytest.raises(SettingsError) as caught:
        bookmarks.seen(Bookmark(field="n", type="integer"), [{"n": "x"}], "items")

    assert str(caught.value) == (
        "a record's bookmark is not of type integer (stream=items, field=n); "
        "correct the bookmark's type in the row, or choose another bookmark"
    )


moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants them naive


@given(moments, st.sampled_from(["iso", "iso_seconds", "epoch", "epoch_ms", "date", "%Y-%m-%d %H:%M"]), st.booleans())
def test_what_the_server_is_asked_never_leaves_out_the_edge(moment: datetime, form: str, exclusive: bool) -> None:
    """However coarse the server's format, the question reaches at least to the value, on both sides."""
    mark = Bookmark(field="at", format=form, exclusive=exclusive)

    low, high = (_read(bookmarks.rendered(mark, moment, until=until), form) for until in (False, True))

    assert low < moment if exclusive else low <= moment
    assert high > moment if exclusive else high >= moment


def _read(value: Any, form: str) -> datetime:
    if "%" in form:
        return datetime.strptime(value, form).replace(tzinfo=UTC)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value) if form == "epoch_ms" else _plain(value)


def _plain(value: Any) -> datetime:
    found = bookmarks.comparable("datetime", value)
    assert isinstance(found, datetime)
    return found


@given(moments)
def test_what_state_stores_reads_back(moment: datetime) -> None:
    """A value stored as text reads back as itself; as an epoch it never moves forward."""
    assert bookmarks.comparable("datetime", bookmarks.storable(moment, "2024")) == moment
    assert bookmarks.comparable("datetime", bookmarks.storable(moment, 1704067200)) <= moment


@pytest.mark.parametrize(
    ("mark", "last", "start", "expected"),
    [
        ({}, None, None, None),
        ({}, None, JAN, JAN),
        ({"first_days": 10}, None, JAN, NOW - timedelta(days=10)),
        ({"first_days": 10}, NOW, None, NOW),
        ({"lookback_s": 3600}, NOW, None, NOW - timedelta(hours=1)),
        ({"lookback_s": 10**9}, NOW, JAN, JAN),
        ({"type": "date", "lookback_s": 1}, date(2024, 1, 2), None, date(2024, 1, 1)),
        ({"type": "date"}, None, JAN, date(2024, 1, 1)),
        ({"type": "integer", "lookback_s": 5}, 7, JAN, 7),
    ],
)
def test_where_a_read_begins(mark: dict[str, Any], last: Any, start: Any, expected: Any) -> None:
    """The bookmark less its lookback, a floor for the first run, and never before start_date."""
    assert bookmarks.since(Bookmark(field="at", **mark), last, start, NOW) == expected


@pytest.mark.parametrize("mark", [{"lookback_s": 1e12}, {"first_days": 10**9}, {"type": "date", "lookback_s": 1e12}])
def test_a_read_that_begins_before_the_calendar(mark: dict[str, Any]) -> None:
    """A lookback that is longer than there was time is everything, or all from start_date on."""
    last = None if "first_days" in mark else JAN.date() if "type" in mark else JAN
    floor = JAN.date() if "type" in mark else JAN

    assert bookmarks.since(Bookmark(field="at", **mark), last, None, NOW) in {None, bookmarks.BEGINNING}
    assert bookmarks.since(Bookmark(field="at", **mark), last, JAN, NOW) == floor


def test_the_first_day_of_the_calendar_has_none_before() -> None:
    """A start_date of 0001-01-01 is everything, also where the server leaves out the value itself."""
    mark = Bookmark(field="at", exclusive=True, format="iso_seconds")

    assert bookmarks.rendered(mark, bookmarks.BEGINNING) == "0001-01-01T00:00:00Z"


def answer(status: int = 429, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()})


def at(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("given_answer", "attempt", "wait"),
    [
        (None, 1, 0.5),
        (None, 3, 2.0),
        (None, 30, 30.0),
        (answer(retry_after="7"), 1, 7),
        (answer(retry_after=at(9)), 1, 9),
        (answer(retry_after="later"), 1, 0.5),
        (answer(retry_after="Wed, 21 Oct 2015 07:28:00 +99999999999999"), 1, 0.5),
        (answer(retry_after="301"), 1, None),
        (answer(x_ratelimit_reset=str(int(NOW.timestamp()) + 4)), 1, 4),
        (answer(x_ratelimit_reset=str((int(NOW.timestamp()) + 4) * 1000)), 1, 4),
        (answer(ratelimit_reset="5"), 1, 5),
        (answer(500, ratelimit_reset="5", ratelimit_remaining="8"), 1, 0.5),
        (answer(vendor_reset="6"), 1, 6),
        (answer(retry_after=at(9), date=at(-60)), 1, 69),
        (answer(retry_after=at(-51), date=at(-60)), 1, 9),
        (answer(x_ratelimit_reset=str(int(NOW.timestamp()) + 64), date=at(60)), 1, 4),
        (answer(retry_after=at(9), date="yesterday"), 1, 9),
    ],
)
def test_how_long_to_wait(given_answer: Any, attempt: int, wait: float | None) -> None:
    """Seconds, dates and epochs, by the server's own clock, and deltas come first; else the wait doubles."""
    policy = (
        Policy(reset_header="Vendor-Reset") if given_answer and "vendor-reset" in given_answer.headers else Policy()
    )

    assert retry.wait_for(policy, given_answer, attempt, NOW, 0.0) == wait


@given(st.integers(1, 40), st.floats(0, 1))
def test_a_wait_is_bounded(attempt: int, luck: float) -> None:
    """Whatever the attempt and the luck, our own wait is positive and at most a minute."""
    wait = retry.wait_for(Policy(), None, attempt, NOW, luck)

    assert wait is not None
    assert 0 < wait <= 60


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"ratelimit_remaining": "0", "ratelimit_reset": "3"}, 3),
        ({"ratelimit_remaining": "1", "ratelimit_reset": "3"}, None),
        ({"ratelimit_remaining": "0"}, None),
        ({"ratelimit_reset": "3"}, None),
    ],
)
def test_a_quota_is_minded_before_the_wall(headers: dict[str, str], pause: float | None) -> None:
    """Only where the server says that none is left, and when it is full again."""
    assert retry.pause_before_wall(Policy(), answer(200, **headers).headers, NOW) == pause


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"", None),
        (b" \n", None),
        (b'{"n": 1.10}', {"n": Decimal("1.10")}),
        (b"\xef\xbb\xbf[1]", [1]),
        ('{"\u00e4": 1.10}'.encode("utf-16"), {"\u00e4": Decimal("1.10")}),
        (b'["cut \\ud83d", "\\ud83d\\ude00"]', ["cut \ufffd", "\U0001f600"]),
        (b'{"\\ude00": [{"a": "\\ud83dx"}]}', {"\ufffd": [{"a": "\ufffdx"}]}),
    ],
)
def test_what_a_body_holds(content: bytes, value: Any) -> None:
    """Numbers keep their digits, marks and encodings are read, half of a character becomes U+FFFD."""
    assert decoded(content) == value


@pytest.mark.parametrize("content", [b"[1", b"[1] x", b"[NaN]", b"<html>", b"[" * 100_000, b"\xff\xfe\xff"])
def test_a_body_that_is_no_json(content: bytes) -> None:
    """It is asked for again: it may have been cut."""
    with pytest.raises(ValueError, match=r"."):
        decoded(content)


@pytest.mark.parametrize(
    ("given_answer", "rules", "expected"),
    [
        (Answer(200, {}), (), "read"),
        (Answer(429, {}), (), "retry"),
        (Answer(503, {}), (), "retry"),
        (Answer(404, {}), (), "fail"),
        (Answer(202, {}), (Rule(action="retry", status=202),), "retry"),
        (Answer(200, {}, {"status": "computing"}), (Rule(action="retry", body="status", matches="comp"),), "retry"),
        (Answer(200, {}, {"ok": True}), (Rule(action="retry", body="status"),), "read"),
        (Answer(400, {"x-end": "1"}), (Rule(action="end", header="X-End"),), "end"),
        (Answer(400, {"x-end": "1"}), (Rule(action="end", header="X-End", matches="2"),), "fail"),
        (Answer(400, {}, None, "Past The End"), (Rule(action="end", status=400, matches="past the"),), "end"),
        (Answer(500, {}), (Rule(action="stop", status=500), Rule(action="end", status=500)), "stop"),
    ],
)
def test_what_an_answer_means(given_answer: Answer, rules: Any, expected: str) -> None:
    """The first rule whose conditions all hold counts; then what HTTP says."""
    assert verdict(given_answer, rules)[0] == expected


@pytest.mark.parametrize(
    ("body", "text", "words"),
    [
        ({"error": {"message": "m"}}, "", "m"),
        ({"errors": [{"detail": "d"}]}, "", "d"),
        ({"message": "two\n lines"}, "", "two lines"),
        ({"error": "invalid_grant", "error_description": "why"}, "", "why"),
        ({"error": "e"}, "", "e"),
        ({"title": "t"}, "", "t"),
        (None, "plain", "plain"),
        (None, "<html>", ""),
        ([], "", ""),
    ],
)
def test_the_vendors_own_words(body: Any, text: str, words: str) -> None:
    """The first text found where APIs put it; never a page of HTML."""
    assert vendor_words(Answer(400, {}, body, text)) == words


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("$", [1, 2], [1, 2]),
        ("$[*]", [1, 2], [1, 2]),
        ("$.data", {"data": [1]}, [1]),
        ("data[*]", {"data": [1]}, [1]),
        ("$.data", {"data": {"id": 1}}, [{"id": 1}]),
        ("$.data", {"data": None}, []),
        ("$.data[*]", {"data": []}, []),
        ("$.data", {"other": []}, None),
        ("$.a[*].b", {"a": [{"b": 1}, {"b": [2, 3]}]}, [1, 2, 3]),
        ("$..b", {"a": {"b": 1}}, [1]),
    ],
)
def test_where_records_are(path: str, body: Any, found: Any) -> None:
    """A list is opened, an object is one record, a path that leads nowhere is told from an empty list."""
    assert selector.records(path, body) == found


def test_a_path_that_is_none() -> None:
    """What is no JSONPath is said with an example."""
    with pytest.raises(SettingsError, match=r"this is no JSONPath \(path=\$\.\.\[\); write it like \$\.data\[\*\]"):
        selector.matches("$..[")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fieldName", "field_name"), ("HTMLUrl", "html_url"), ("id", "id"), ("first-name", "first_name"), ("a B", "a_b")],
)
def test_snake(name: str, expected: str) -> None:
    """Humps, hyphens and spaces become underscores."""
    assert snake(name) == expected


def test_shapes() -> None:
    """Renames, drops, the parent's columns, and nothing that is not declared."""
    row = Endpoint(name="x", renames={"id": "key"}, snake_case=True, drop=("secret",))
    shaper = Shaper(row, ["key", "first_name", "parent_id"])

    rows = shaper.rows([{"id": 1, "firstName": "a", "secret": "s", "more": 1}], {"parent_id": 9})

    assert rows == [{"key": 1, "first_name": "a", "parent_id": 9}]
    assert shaper.undeclared == {"more"}


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        ("user.token", {"user": {"name": "n", "keys": [{"id": 1, "key": "k"}, 7]}, "a.b": 1}),
        ("user.keys.key", {"user": {"name": "n", "token": "t", "keys": [{"id": 1}, 7]}, "a.b": 1}),
        ("user.name.first", {"user": {"name": "n", "token": "t", "keys": [{"id": 1, "key": "k"}, 7]}, "a.b": 1}),
        ("a.b", {"user": {"name": "n", "token": "t", "keys": [{"id": 1, "key": "k"}, 7]}}),
    ],
    ids=["in-an-object", "in-a-list", "not-there", "a-name-with-a-dot"],
)
def test_a_secret_inside_of_a_field_is_dropped(drop: str, left: dict[str, Any]) -> None:
    """What the vendor hides deep in its records does not leave either; everything beside it does."""
    record = {"user": {"name": "n", "token": "t", "keys": [{"id": 1, "key": "k"}, 7]}, "a.b": 1}

    assert Shaper(Endpoint(name="x", drop=(drop,))).rows([record], {}) == [left]


def test_two_fields_with_one_name() -> None:
    """A collision is an error that names both fields, never a lost value."""
    with pytest.raises(SafetyStopError) as caught:
        Shaper(Endpoint(name="x", snake_case=True)).rows([{"aB": 1, "a_b": 2}], {})

    assert str(caught.value) == (
        "two fields would get one name (stream=x, fields=aB and a_b, name=a_b); "
        "give one of them another name in `renames`"
    )


def test_names_are_filled() -> None:
    """Paths are quoted, a text that is one name keeps the value's type, and an unset one leaves its parameter out."""
    row = Endpoint(name="x", path="/a/{id}", params={"n": "{n}", "gone": "{unset}", "t": "x{n}"}, body={"q": ["{n}"]})

    request = fill.first_request(row, Source(base_url="http://h/v1/"), {"id": "a/b c", "n": 5})

    assert request == Request("GET", "http://h/v1/a/a%2Fb%20c", {"n": 5, "t": "x5"}, {"q": [5]})


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("users:list", "http://h/v1/users:list"),
        ("/users:list", "http://h/v1/users:list"),
        ("../graphql", "http://h/graphql"),
        ("?a=b", "http://h/v1/?a=b"),
        ("", "http://h/v1"),
        ("search?of=http://other/", "http://h/v1/search?of=http://other/"),
        ("http://other/a", "http://other/a"),
    ],
)
def test_where_a_path_leads(path: str, url: str) -> None:
    """A path is below the base address whatever it holds; only what begins as an address is one."""
    request = fill.first_request(Endpoint(name="x", path=path), Source(base_url="http://h/v1"), {})

    assert request.url == url


def test_a_name_that_nothing_fills() -> None:
    """A path whose name has no value says which setting is missing."""
    with pytest.raises(SettingsError) as caught:
        fill.first_request(Endpoint(name="x", path="/{id}"), Source(base_url="http://h"), {})

    assert str(caught.value) == "a row needs a value that nothing gives (name=id); set id in the settings"


def test_a_credential_that_is_not_set() -> None:
    """A row whose setting is unset says so; a field with a default falls back to it."""
    login = OAuth2(token_url="{url}", client_id="{id}", refresh_token="{refresh}")

    assert fill.filled(login, {"url": "http://t", "id": "me"}).refresh_token is None
    with pytest.raises(SettingsError) as caught:
        fill.filled(Bearer(token="{token}"), {})
    assert str(caught.value) == "a row needs a value that nothing gives (name=token); set token in the settings"


@pytest.mark.parametrize(
    ("is_", "value", "record", "expected"),
    [
        ("=", 1, {"f": 1}, True),
        ("=", 1, {}, False),
        ("!=", 0, {"f": 0}, False),
        ("!=", 0, {}, True),
        (">", 1, {"f": 2}, True),
        (">", 1, {}, False),
        ("<", 1, {"f": 0}, True),
        ("in", ["a"], {"f": "a"}, True),
        ("present", None, {"f": None}, False),
        ("present", None, {"f": 0}, True),
        ("absent", None, {"f": 0}, False),
        ("absent", None, {"f": None}, True),
        ("absent", None, {}, True),
    ],
)
def test_conditions(is_: Any, value: Any, record: dict[str, Any], expected: bool) -> None:
    """A field that is not there meets only `!=` and `absent`."""
    assert holds(Condition(field="f", is_=is_, value=value), record.get("f")) is expected


def test_a_timeout_that_no_socket_can_wait_for() -> None:
    """It is refused as a setting, in place of a traceback at the first request."""
    assert read(RestSettings, {"request_timeout_s": 1e20}).errors == ("request_timeout_s: must be at most 86400",)
