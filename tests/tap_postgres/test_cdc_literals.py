"""Pure rooms of change data capture: array texts, positions, STATE, what an ALTER TABLE asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SettingsError
from tap_postgres.cdc import confirmation, lsn, position
from tap_postgres.cdc.confirmation import newest_state
from tap_postgres.cdc.facts import Attribute, CapturedTable, Published
from tap_postgres.cdc.literals import NestedArrayError, elements
from tap_postgres.cdc.position import Identity, Position, must_reload, parted, shape_of, stored

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = [
    ("{}", []),
    ("{1,NULL,3}", ["1", None, "3"]),
    ("[0:1]={7,8}", ["7", "8"]),
    ('{"a,b",NULL,"\\"","","NULL"}', ["a,b", None, '"', "", "NULL"]),
    ('{"{x}","\\\\"}', ["{x}", "\\"]),
]


@pytest.mark.parametrize(("text", "expected"), ARRAYS)
def test_an_array_is_its_elements(text: str, expected: list[str | None]) -> None:
    """Quotes, escapes, bounds and NULL are read as array_out writes them."""
    assert elements(text) == expected


@pytest.mark.parametrize("text", ["{{1,2},{3,4}}", "[0:1][0:1]={{1,2},{3,4}}"])
def test_an_array_of_arrays_is_refused(text: str) -> None:
    """A value of two dimensions is never flattened."""
    with pytest.raises(NestedArrayError, match="dimensions: 2"):
        elements(text)


@given(st.lists(st.one_of(st.none(), st.text(max_size=8))))
def test_any_texts_come_back_from_an_array(texts: list[str | None]) -> None:
    """What is quoted as array_out quotes comes back unchanged."""
    parts = ["NULL" if t is None else '"' + t.replace("\\", "\\\\").replace('"', '\\"') + '"' for t in texts]

    assert elements("{" + ",".join(parts) + "}") == texts


@given(st.integers(0, 2**64 - 1))
def test_positions_are_written_as_the_server_writes_them(number: int) -> None:
    """A position and its text are the same thing."""
    assert lsn.from_text(lsn.to_text(number)) == number


@pytest.mark.parametrize("text", ["", "0", "0/", "x/1", "0/123456789", "1/2/3"])
def test_other_texts_are_no_positions(text: str) -> None:
    """A text that is no position is an error, not 0."""
    with pytest.raises(ValueError, match="not a position"):
        lsn.from_text(text)


def column(number: int, name: str, type_oid: int = 23, typmod: int = -1, *, filled: bool = False) -> Attribute:
    return Attribute(number, name, type_oid, typmod, 0, "x", generated=False, filled=filled)


TABLE = CapturedTable(
    16384, "public", "t", "r", "p", "d", 16384, ("id",), (("id",),), (), (column(1, "id", filled=True), column(2, "v"))
)
NUMERIC = 1700
SERVER = Identity("1", 1)
ALTERED = [
    pytest.param({}, "", id="nothing"),
    pytest.param({"columns": TABLE.columns[:1]}, "", id="a column less"),
    pytest.param({"columns": (*TABLE.columns, column(3, "w"))}, "", id="a column that is NULL everywhere"),
    pytest.param({"filenode": 5}, "", id="rewritten, as VACUUM FULL and TRUNCATE do"),
    pytest.param(
        {"columns": (*TABLE.columns, column(3, "w", filled=True))}, "column w was added with values", id="default"
    ),
    pytest.param(
        {"columns": (*TABLE.columns, column(3, "w")), "filenode": 5}, "column w was added", id="volatile default"
    ),
    pytest.param({"columns": (TABLE.columns[0], column(2, "w"))}, "column w was called v", id="renamed"),
    pytest.param({"columns": (TABLE.columns[0], column(2, "v", 20))}, "column v has another type", id="another type"),
    pytest.param({"columns": (TABLE.columns[0], column(2, "v", typmod=9))}, "", id="a longer varchar"),
    pytest.param({"columns": (TABLE.columns[0], replace(TABLE.columns[1], written=7))}, "", id="SET STATISTICS"),
    pytest.param(
        {"columns": (TABLE.columns[0], replace(TABLE.columns[1], written=7)), "filenode": 5},
        "column v was altered, and the table written again",
        id="the same type by an expression",
    ),
    pytest.param({"oid": 7}, "the table was made anew", id="dropped and made again"),
    pytest.param(
        {"columns": (TABLE.columns[0], column(3, "v"))}, "column v was dropped and made anew", id="a column made again"
    ),
]


@pytest.mark.parametrize(("changed", "why"), ALTERED)
def test_what_the_log_does_not_tell_is_read_again(changed: dict[str, object], why: str) -> None:
    """A table is read again where ALTER TABLE changed rows that no row of the log mentions, and not otherwise."""
    now = replace(TABLE, **changed)  # type: ignore[arg-type]

    found = must_reload(shape_of(TABLE), now)

    assert found.startswith(why) if why else not found


def test_a_wider_numeric_is_read_again() -> None:
    """The modifier of a numeric is its type in the table of the loader."""
    old = replace(TABLE, columns=(column(1, "n", NUMERIC, 10),))

    assert must_reload(shape_of(old), replace(TABLE, columns=(column(1, "n", NUMERIC, 20),)))


@pytest.mark.parametrize(
    ("published", "again"),
    [(Published(None, None, 7), False), (Published(None, None, 8), True), (Published(None, "(id > 1)", 7), True)],
    ids=["the same", "left and came back", "another row filter"],
)
def test_a_table_that_was_published_otherwise_is_read_again(published: Published, again: bool) -> None:
    """What was written while a table was out of the publication, or of its filter, is not in the log."""
    shape = shape_of(TABLE, Published(None, None, 7))

    assert bool(must_reload(shape, TABLE, published)) is again
    assert not must_reload(shape_of(TABLE), TABLE, published)


def test_why_a_table_is_read_again_stays_in_the_state() -> None:
    """A table that a run gave up is read anew by the next one, which says why the first one did."""
    given_up = Position(7, SERVER, shape_of(TABLE), 7).to_reload("a partition was emptied")

    again = position.read(given_up.as_bookmark(), "s")

    assert again is not None
    assert must_reload(again.shape, TABLE) == "a partition was emptied"


HISTORY = "1\t0/3000158\tno recovery target specified\n\n3\t0/5000000\tbefore 2026\n"


@pytest.mark.parametrize(("timeline", "ended"), [(1, 0x3000158), (3, 0x5000000), (2, None)])
def test_a_timeline_ends_where_the_next_one_began(timeline: int, ended: int | None) -> None:
    """The history of a promoted server tells how far it had come with the one before; others are none of its own."""
    assert parted(HISTORY, timeline) == ended


def test_a_prepared_transaction_holds_what_is_proved() -> None:
    """What the server may forget ends before a transaction that is prepared, however far the stream has come."""
    state = {"bookmarks": {"s": Position(9, SERVER, {}, 4).as_bookmark()}}

    assert stored(state, ["s"]) == 4
    assert position.read(state["bookmarks"]["s"], "s") == Position(9, SERVER, {}, 4)


def test_a_state_proves_the_lowest_position() -> None:
    """Stored is what every captured stream has passed; a stream without a position proves nothing."""
    state = {"bookmarks": {name: Position(n, SERVER, {}, n).as_bookmark() for name, n in (("a", 7), ("b", 5))}}

    assert stored(state, ["a", "b"]) == 5
    assert stored(state, ["a"]) == 7
    assert stored(state, ["a", "c"]) is None
    assert stored({}, ["a"]) is None
    assert stored(state, []) is None


def test_a_state_of_another_server_confirms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positions of a server that was lost, or of before it was restored, are not those of the one that is read."""
    monkeypatch.setattr(confirmation, "EVERY_S", 0)
    source = tmp_path / "state.json"
    source.write_text(json.dumps({"bookmarks": {"s": Position(7, SERVER, {}, 7).as_bookmark()}}), "utf-8")
    confirmed = confirmation.Confirmation(5, str(source), ["s"])

    confirmed.server = Identity("1", 2)
    assert confirmed() == 5
    confirmed.server = SERVER
    assert confirmed() == 7


@pytest.mark.parametrize("value", [None, "7", -1, True, 1.5])
def test_a_bookmark_of_another_kind_is_refused(value: object) -> None:
    """What is no position is an error: to take it for one would lose changes or repeat all of them."""
    bookmark = Position(7, SERVER, {}, 7).as_bookmark() | {"replication_key_value": value}

    with pytest.raises(SettingsError, match="is not a position of the log"):
        position.read(bookmark, "s")


def test_another_replication_key_is_no_position() -> None:
    """A stream that was incremental before starts with a snapshot."""
    assert position.read({"replication_key": "id", "replication_key_value": 7}, "s") is None


STATE = '{"bookmarks": {"s": {}}}'
TEXTS = [
    pytest.param(STATE, id="an object"),
    pytest.param('{"bookmarks": {}}\n' + STATE + "\n", id="lines, the last counts"),
    pytest.param('{"bookmarks": {}}\n' + STATE + '\n{"bookm', id="a last line that is not whole yet"),
    pytest.param('{"type": "STATE", "value": ' + STATE + "}", id="a message"),
    pytest.param('{"singer_state": ' + STATE + "}", id="Meltano's file"),
    pytest.param('{\n "bookmarks": {"s": {}}\n}', id="over many lines"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_newest_state_of_a_text_is_found(text: str) -> None:
    """Whatever keeps the loader's STATE, its last whole one is what is stored."""
    assert newest_state(text) == {"bookmarks": {"s": {}}}


def test_a_text_without_state_is_refused() -> None:
    """Nothing is confirmed by guesses."""
    with pytest.raises(ValueError, match="no STATE"):
        newest_state("{}\n[]\nx")


@pytest.mark.parametrize(
    ("insert", "end"),
    [
        (5 * 8192 + 24, 5 * 8192),  # behind the header of a page
        (5 * 8192 + 32, 5 * 8192 + 32),  # behind the rest of a record that began on the page before
        (2**24 + 40, 2**24),  # behind the header of the first page of a segment
        (2**24 + 48, 2**24 + 48),
        (5 * 8192, 5 * 8192),
        (5 * 8192 + 8184, 5 * 8192 + 8184),
    ],
)
def test_where_the_last_record_ends(insert: int, end: int) -> None:
    """A run waits for the end of the last record, wherever on its page that is: for no more, and for no less."""
    assert lsn.last_end(insert, 8192, 2**24) == end
