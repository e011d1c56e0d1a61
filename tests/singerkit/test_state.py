"""The state tools: what a STATE says, what changed, and how to go back without skipping a row."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SettingsError
from singerkit.state.explain import diff, explain
from singerkit.state.rewind import rewind
from singerkit.state.values import like, read

NOW = datetime(2026, 3, 21, 12, tzinfo=UTC)


def state(**streams: Any) -> dict[str, Any]:
    """Give a STATE with these streams."""
    return {"bookmarks": streams}


def mark(value: Any, key: str = "updated_at", **more: Any) -> dict[str, Any]:
    """Give a bookmark as singer-sdk keeps it."""
    return {"replication_key": key, "replication_key_value": value, **more}


EXPLAINED = [
    ("moment", mark("2026-03-01T12:00:00Z"), "read up to updated_at = 2026-03-01T12:00:00Z; 20 days ago"),
    ("offset", mark("2026-03-21T12:00:00+02:00"), "read up to updated_at = 2026-03-21T12:00:00+02:00; 2 hours ago"),
    ("local", mark("2026-03-21T11:59:00"), "read up to updated_at = 2026-03-21T11:59:00; 1 minute ago"),
    ("day", mark("2026-03-20", "day"), "read up to day = 2026-03-20; 1 day ago"),
    ("number", mark(4711, "id"), "read up to id = 4711"),
    ("text", mark("0/16B3748", "lsn"), "read up to lsn = 0/16B3748"),
    (
        "future",
        mark("2026-03-21T13:00:00Z"),
        "read up to updated_at = 2026-03-21T13:00:00Z; 1 hour in the future: rows until then are not read",
    ),
    ("nothing", {}, "nothing is kept: each run reads it in full"),
    (
        "full-load",
        {"full_load": {"version": 1774094400000, "key": "id", "edges": [500, 900], "done": [0]}},
        "a full load of 2026-03-21 12:00 UTC is unfinished: 1 of 3 parts are done",
    ),
    ("full-load-anew", {"full_load": {"version": 1774094400000}}, "a full load of 2026-03-21 12:00 UTC is unfinished"),
    (
        "descending",
        mark("2026-01-01", "day", earliest="2026-02-01", high="2026-03-01"),
        (
            "read up to day = 2026-01-01; newest first, and 2026-03-01 down to 2026-02-01 done; "
            "what is older comes next; 79 days ago"
        ),
    ),
    ("resume", {"resume": {"token": "canary"}}, "stopped between two pages; the next run goes on there"),
    (
        "progress",
        {"progress_markers": mark("2026-03-20", "day"), "starting_replication_value": "2026-03-01"},
        "nothing is kept: each run reads it in full; an unfinished run had come to 2026-03-20, which is read again",
    ),
    ("more", mark(1, "id", cursor="canary"), "read up to id = 1; also kept: cursor"),
]


@pytest.mark.parametrize(("kept", "said"), [row[1:] for row in EXPLAINED], ids=[row[0] for row in EXPLAINED])
def test_a_bookmark_is_said_in_a_persons_words(kept: dict[str, Any], said: str) -> None:
    """How far the last run came, how long ago that is, and what the next run will do; no token is shown."""
    assert list(explain(state(orders=kept), NOW)) == [f"orders: {said}"]


def test_parts_of_a_stream_are_said_one_by_one() -> None:
    """One line for each repository, account or parent."""
    parts = [{"context": {"repo": "a/b"}, **mark(1, "id")}, {"context": {"repo": "c"}, **mark(2, "id")}]

    assert list(explain(state(commits={"partitions": parts}), NOW)) == [
        "commits [repo=a/b]: read up to id = 1",
        "commits [repo=c]: read up to id = 2",
    ]


@pytest.mark.parametrize("empty", [{}, {"bookmarks": {}}, {"singer_state": {}}])
def test_an_empty_state_reads_everything(empty: dict[str, Any]) -> None:
    """What a first run starts with."""
    assert list(explain(empty, NOW)) == ["the STATE is empty: the next run reads everything"]


@pytest.mark.parametrize(
    "kept",
    [
        {"partitions": 5},
        {"partitions": ["a"]},
        {"partitions": [{"context": [1]}]},
        {"parents": "x"},
        {"halves": 1},
        {"halves": {"a": 1}},
    ],
)
def test_parts_that_are_none(kept: dict[str, Any]) -> None:
    """What somebody has edited is refused by the stream that it is in, and not explained."""
    said = "the STATE holds what no run has written (stream=a); remove bookmarks.a from the STATE"
    for tool in (lambda: list(explain(state(a=kept), NOW)), lambda: rewind(state(a=kept), "a", "3")):
        with pytest.raises(SettingsError) as refused:
            tool()
        assert str(refused.value) == f"{said} to read the stream from the start"


@pytest.mark.parametrize("wrapper", ["singer_state", "value"])
def test_meltanos_payload_and_a_whole_message_are_states_too(wrapper: str) -> None:
    """`meltano state get` prints a wrapped one."""
    wrapped = {wrapper: state(orders=mark(5, "id"))}

    changed, _ = rewind(wrapped, "orders", "3")

    assert list(explain(wrapped, NOW)) == ["orders: read up to id = 5"]
    assert changed == {wrapper: state(orders=mark(3, "id"))}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"plugins": []}, "this is no Singer STATE; give the object that has `bookmarks` in it"),
        ({"bookmarks": []}, "the STATE has no bookmarks by stream; give the object that has `bookmarks` in it"),
        ({"bookmarks": {"a": 1}}, "the STATE has no bookmarks by stream; give the object that has `bookmarks` in it"),
    ],
)
def test_another_file_is_no_state(given: dict[str, Any], said: str) -> None:
    """A catalog or a configuration is not explained as if it were empty."""
    with pytest.raises(SettingsError) as refused:
        list(explain(given, NOW))

    assert str(refused.value) == said


CHANGED = [
    (mark("2026-03-01", "day"), mark("2026-03-03", "day"), "day forward by 2 days, from 2026-03-01 to 2026-03-03"),
    (mark("2026-03-03", "day"), mark("2026-03-01", "day"), "day BACK by 2 days, from 2026-03-03 to 2026-03-01"),
    (
        mark("2026-03-01T12:00:00+02:00"),
        mark("2026-03-01T11:00:00Z"),
        "updated_at forward by 1 hour, from 2026-03-01T12:00:00+02:00 to 2026-03-01T11:00:00Z",
    ),
    (mark(5, "id"), mark(12, "id"), "id forward by 7, from 5 to 12"),
    (mark("0/A", "lsn"), mark("0/B", "lsn"), "lsn changed, from 0/A to 0/B"),
    (mark(5, "id"), mark("2026-03-01", "id"), "id was 5, now 2026-03-01, which is no longer a number"),
    (mark(5, "id"), mark("2026-03-01", "day"), "now by day = 2026-03-01, before by id = 5"),
    (
        {"full_load": {"version": 1774094400000}},
        {},
        "nothing is kept: each run reads it in full",
    ),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGED)
def test_a_change_is_said_with_its_direction(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    """A step back is loud: it means rows that are read again, or a state that was lost."""
    assert list(diff(state(orders=before), state(orders=after))) == [f"orders: {said}"]


def test_streams_that_come_and_go_are_said_and_the_rest_is_counted() -> None:
    """Two states are compared whole."""
    before = state(a=mark(1, "id"), b=mark(1, "id"), c=mark(1, "id"))
    after = state(b=mark(1, "id"), c=mark(1, "id"), d=mark(9, "id"))

    assert list(diff(before, after)) == [
        "a: no longer kept, the next run reads it from the start",
        "d: new, read up to id = 9",
        "unchanged: 2",
    ]
    assert list(diff({}, {})) == ["unchanged: 0"]


REWOUND = [
    ("2026-03-20T12:00:00Z", "2026-03-01", "2026-03-01T00:00:00Z"),
    ("2026-03-20T12:00:00Z", "2026-03-01T10:30:00", "2026-03-01T10:30:00Z"),
    ("2026-03-20T12:00:00Z", "2026-03-01T10:30:00+02:00", "2026-03-01T08:30:00Z"),
    ("2026-03-20T12:00:00+00:00", "2026-03-01", "2026-03-01T00:00:00+00:00"),
    ("2026-03-20T12:00:00+0200", "2026-03-01", "2026-03-01T02:00:00+0200"),
    ("2026-03-20T12:00:00.123Z", "2026-03-01", "2026-03-01T00:00:00.000Z"),
    ("2026-03-20 12:00:00.123456+00:00", "2026-03-01", "2026-03-01 00:00:00.000000+00:00"),
    ("2026-03-20T12:00:00", "2026-03-01 10:00:00", "2026-03-01T10:00:00"),
    ("2026-03-20", "2026-03-01", "2026-03-01"),
    (4711, "12", 12),
    (4711.5, "12", 12.0),
    ("4711.50", "12.25", "12.25"),
]


@pytest.mark.parametrize(("kept", "to", "then"), REWOUND, ids=[str(kept) for kept, _, _ in REWOUND])
def test_a_bookmark_goes_back_in_its_own_form(kept: Any, to: str, then: Any) -> None:
    """Offset, separator, digits and type stay what the tap wrote: it must recognise its own bookmark."""
    changed, lines = rewind(state(orders=mark(kept), other=mark(1, "id")), "orders", to)

    assert changed == state(orders=mark(then), other=mark(1, "id"))
    assert lines == [f"orders: updated_at back from {kept} to {then}"]


def test_what_an_unfinished_run_left_goes_with_it() -> None:
    """All of it lies after the place that is gone back to, and is read again."""
    leftovers = {"earliest": "2026-03-02", "high": "2026-03-09", "resume": {}, "progress_markers": {}}
    kept = mark("2026-03-01", "day", **leftovers, starting_replication_value="2026-02-01", mine=1)

    changed, _ = rewind(state(orders=kept), "orders", "2026-02-15")

    assert changed == state(orders=mark("2026-02-15", "day", mine=1))


def test_parts_go_back_each_and_those_behind_stay() -> None:
    """A part that is not as far yet must not be moved forward."""
    parts = [{"context": {"repo": name}, **mark(value, "id")} for name, value in (("a", 10), ("b", 3))]

    changed, lines = rewind(state(commits={"partitions": parts}), "commits", "5")

    assert [part["replication_key_value"] for part in changed["bookmarks"]["commits"]["partitions"]] == [5, 3]
    assert lines == ["commits [repo=a]: id back from 10 to 5", "commits [repo=b]: stays at 3"]
    assert parts[0]["replication_key_value"] == 10


PARENTS = {
    "replication_key": "at",
    "parents": {'["octo","hello"]': "2025-03-02T00:00:00Z", "7": "2025-01-01T00:00:00Z"},
}
HALVES = {"halves": {'["octo","new"]': {"earliest": "2025-01-05", "high": "2025-02-01", "resume": {"url": "canary"}}}}
MOVED = {
    "replication_key": "run_at",
    "global": "2025-03-02",
    "changed": {'["octo","hello"]': "2025-03-01T00:00:00Z"},
    "covered": {'["octo","b"]': ["2025-01-01", "2025-01-09"]},
    "looked": "2025-03-02T00:00:00Z",
}


def test_a_stream_below_others_is_said_parent_by_parent() -> None:
    """Each parent's bookmark is a line, with how far a walk came that was cut; and one for all, where there is one."""
    said = [*explain(state(issues=PARENTS | HALVES, jobs=MOVED), datetime(2025, 3, 3, tzinfo=UTC))]

    assert said == [
        "issues [of=octo/hello]: read up to at = 2025-03-02T00:00:00Z; 1 day ago",
        "issues [of=7]: read up to at = 2025-01-01T00:00:00Z; 61 days ago",
        (
            "issues [of=octo/new]: newest first, and 2025-02-01 down to 2025-01-05 done; what is older comes next; "
            "stopped between two pages; the next run goes on there"
        ),
        "jobs [of=all parents]: read up to run_at = 2025-03-02; 1 day ago",
    ]


def test_parents_go_back_each_and_so_does_what_moved() -> None:
    """Every bookmark that is as far goes back, the parents' own too; what a cut run left is read again."""
    issues, said = rewind(state(issues=PARENTS | HALVES), "issues", "2025-02-01")
    jobs, told = rewind(state(jobs=MOVED), "jobs", "2025-02-01")

    parents = {'["octo","hello"]': "2025-02-01T00:00:00Z", "7": "2025-01-01T00:00:00Z"}
    assert issues == state(issues={"replication_key": "at", "parents": parents})
    assert said == [
        "issues [octo/hello]: at back from 2025-03-02T00:00:00Z to 2025-02-01T00:00:00Z",
        "issues [7]: stays at 2025-01-01T00:00:00Z",
    ]
    moved = {'["octo","hello"]': "2025-02-01T00:00:00Z"}
    assert jobs == state(jobs={"replication_key": "run_at", "global": "2025-02-01", "changed": moved})
    assert len(told) == 2
    assert PARENTS["parents"]['["octo","hello"]'] == "2025-03-02T00:00:00Z"  # type: ignore[index]  # an object


FORWARD = (
    "the stream has not come that far: going there would skip rows (stream=orders, reached={}); choose an earlier place"
)
START = "remove the stream from the STATE to read it from the start"
REFUSED = [
    ("forward", mark("2026-03-01", "day"), "2026-03-02", FORWARD.format("2026-03-01")),
    ("same", mark(5, "id"), "5", FORWARD.format("5")),
    (
        "number-by-date",
        mark(1774094400, "at"),
        "2026-03-01",
        (
            "the bookmark is a number, and what was asked for is not (stream=orders, key=at, holds=1774094400, "
            "asked=2026-03-01); write a number: whether this one counts rows, seconds or something else is not known"
        ),
    ),
    (
        "day-by-moment",
        mark("2026-03-01", "day"),
        "2026-02-01T12:00:00Z",
        (
            "the bookmark is a day, and what was asked for is not (stream=orders, key=day, holds=2026-03-01, "
            "asked=2026-02-01T12:00:00Z); write it as 2026-01-31"
        ),
    ),
    (
        "local-by-moment",
        mark("2026-03-01T12:00:00"),
        "2026-02-01T12:00:00Z",
        (
            "the bookmark is a local time, and what was asked for is not (stream=orders, key=updated_at, "
            "holds=2026-03-01T12:00:00, asked=2026-02-01T12:00:00Z); "
            "write it without an offset, as 2026-01-31T12:00:00: the source's clock has none"
        ),
    ),
    (
        "moment-by-word",
        mark("2026-03-01T12:00:00Z"),
        "yesterday",
        (
            "the bookmark is a moment, and what was asked for is not (stream=orders, key=updated_at, "
            "holds=2026-03-01T12:00:00Z, asked=yesterday); write it as 2026-01-31 or 2026-01-31T12:00:00Z"
        ),
    ),
    (
        "text",
        mark("0/16B3748", "lsn"),
        "2026-03-01",
        f"the bookmark is a text whose order only the source knows (stream=orders, key=lsn); {START}",
    ),
    (
        "full-load",
        {"full_load": {"version": 1}},
        "2026-03-01",
        f"the stream is read in full, so there is no place to go back to (stream=orders); {START}",
    ),
    (
        "never-finished",
        {"earliest": "2026-02-01", "high": "2026-03-01"},
        "2026-02-15",
        f"no run of the stream has finished, so there is no place to go back to (stream=orders); {START}",
    ),
]


@pytest.mark.parametrize(("kept", "to", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_known_is_refused(kept: dict[str, Any], to: str, said: str) -> None:
    """No guess, and never forward: rows in between would be lost without a word."""
    with pytest.raises(SettingsError) as refused:
        rewind(state(orders=kept), "orders", to)

    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ("order", "the STATE has no such stream (stream=order); did you mean orders?"),
        ("x", "the STATE has no such stream (stream=x); it has orders, people"),
    ],
)
def test_a_stream_that_is_not_there_is_refused(stream: str, said: str) -> None:
    """With the nearest name, or all of them."""
    with pytest.raises(SettingsError) as refused:
        rewind(state(orders=mark(1, "id"), people={}), stream, "0")

    assert str(refused.value) == said


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), OFFSETS)  # noqa: DTZ001  # hypothesis asks for naive bounds
def test_a_value_in_its_own_form_is_itself(moment: datetime, offset: timezone) -> None:
    """What is read and written again does not change, to the microsecond and in its own zone."""
    text = moment.replace(tzinfo=offset).isoformat(timespec="microseconds")

    assert like(read(text), read(text)) == text


@given(st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.dates().map(str) | st.none())
def test_any_bookmark_can_be_explained(value: Any) -> None:
    """Whatever a tap has written, there is a line for it."""
    assert len(list(explain(state(orders=mark(value)), NOW))) == 1


def singerkit(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the executable."""
    command = [sys.executable, "-c", "from singerkit.cli import main; main()", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)


def test_the_commands_speak_to_people_and_pipes(tmp_path: Path) -> None:
    """A STATE goes to standard output, words about it to standard error, so that a pipe gets one thing."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps(state(orders=mark(5, "id"))))

    explained = singerkit("state", "explain", "-", given=path.read_text())
    back = singerkit("state", "rewind", str(path), "--stream", "orders", "--to", "3")
    (tmp_path / "new.json").write_text(back.stdout)
    changed = singerkit("state", "diff", str(path), str(tmp_path / "new.json"))

    assert explained.stdout == "orders: read up to id = 5\n"
    assert json.loads(back.stdout) == state(orders=mark(3, "id"))
    assert back.stderr == "orders: id back from 5 to 3\n"
    assert changed.stdout == "orders: id BACK by 2, from 5 to 3\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("state", "explain", "{none}"), "STATE cannot be read: No such file or directory (path={none})"),
        (
            ("state", "rewind", "{path}", "--stream", "x", "--to", "1"),
            "the STATE has no such stream (stream=x); it has none",
        ),
    ],
)
def test_a_command_that_cannot_be_done_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Exit 2, nothing on standard output, no traceback."""
    path, none = tmp_path / "state.json", tmp_path / "none.json"
    path.write_text("{}")

    ended = singerkit(*(argument.format(path=path, none=none) for argument in arguments))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == said.format(none=none) + "\n"


def test_the_page_about_these_tools_shows_what_they_say(root: Path) -> None:
    """What docs/reference/state-tools.md prints is what comes out."""
    page = (root / "docs" / "reference" / "state-tools.md").read_text(encoding="utf-8")
    load = {
        "version": int(datetime(2026, 3, 21, 2, tzinfo=UTC).timestamp() * 1000),
        "key": "id",
        "edges": [500, 900],
        "done": [0],
    }
    before = {
        "public-customers": {},
        "public-events": {"full_load": load},
        "public-orders": mark("2026-03-01T12:00:00+00:00"),
    }
    after, said = rewind(state(**before), "public-orders", "2026-02-01")

    shown = [*explain(state(**before), NOW), *said, *diff(state(**before), after)]

    assert [line for line in shown if f"\n{line}\n" not in page] == []
