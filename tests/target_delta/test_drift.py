"""Values that are not what their column takes: of another SCHEMA, or of none. A column of a row is a case."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import SafetyStopError
from target_delta.errors import InvalidRecordError

from .conftest import Load, Rows, Verb, activate, as_lines, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

Node = dict[str, Any]

INT, SHORT, NUMBER = {"type": "integer"}, {"type": "integer", "minimum": -32768, "maximum": 32767}, {"type": "number"}
MONEY, BOOL, TEXT = (
    {"type": "number", "x-decimal": {"precision": 10, "scale": 2}},
    {"type": "boolean"},
    {"type": "string"},
)
DAY, AT = {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
LOCAL, BYTES = {**AT, "x-timestamp": "local"}, {"type": "string", "contentEncoding": "base64"}
ANY: Node = {}
POINT = {"type": "object", "properties": {"x": INT}}
WORD_POINT = {"type": "object", "properties": {"x": TEXT}}
WIDE_POINT = {"type": "object", "properties": {"x": INT, "y": INT}}
NUMBERS, WORDS = {"type": "array", "items": INT}, {"type": "array", "items": TEXT}
NOON, MIDNIGHT = "2026-01-02T12:00:00.5Z", "2026-01-02T00:00:00Z"


class Odd(str):
    """The text of a value that its column does not take."""

    __slots__ = ()


DRIFTS: list[tuple[Node, Node, Any, Any]] = [
    (INT, TEXT, "12", Odd("12")), (INT, TEXT, "a", Odd("a")), (INT, TEXT, "", Odd("")), (INT, TEXT, None, None),
    (INT, NUMBER, 1.0, 1), (INT, NUMBER, 1.5, Odd("1.5")), (INT, NUMBER, 1e300, Odd("1" + "0" * 300)),
    (INT, NUMBER, "NaN", Odd("NaN")), (INT, NUMBER, "-Infinity", Odd("-Infinity")), (INT, BOOL, True, Odd("true")),
    (INT, MONEY, 3, 3), (INT, MONEY, 3.25, Odd("3.25")), (INT, AT, NOON, Odd("2026-01-02T12:00:00.5Z")),
    (INT, DAY, "2026-01-02", Odd("2026-01-02")), (INT, BYTES, "AAE=", Odd("AAE=")),
    (INT, POINT, {"x": 1}, Odd('{"x":1}')),
    (INT, NUMBERS, [1], Odd("[1]")), (INT, ANY, {"a": [1]}, Odd('{"a": [1]}')), (SHORT, INT, 7, 7),
    (SHORT, INT, 32768, Odd("32768")), (NUMBER, INT, 2**53, 2.0**53), (NUMBER, INT, 2**53 + 1, Odd("9007199254740993")),
    (NUMBER, MONEY, 0.25, 0.25), (NUMBER, MONEY, 0.1, 0.1), (NUMBER, TEXT, "0.5", Odd("0.5")),
    (NUMBER, {"type": "number", "x-decimal": {"precision": 38, "scale": 30}}, 0.1, 0.1),
    (MONEY, NUMBER, 1.5, Decimal("1.50")), (MONEY, NUMBER, 1.005, Odd("1.005")), (MONEY, TEXT, "1.50", Decimal("1.50")),
    (MONEY, INT, 10**9, Odd("1000000000")), (MONEY, TEXT, "1,50", Odd("1,50")), (BOOL, INT, 1, Odd("1")),
    (BOOL, TEXT, "true", Odd("true")), (TEXT, INT, 5, "5"), (TEXT, NUMBER, 1.5, "1.5"), (TEXT, BOOL, False, "false"),
    (TEXT, AT, NOON, "2026-01-02T12:00:00.5Z"), (TEXT, DAY, "2026-01-02", "2026-01-02"),
    (TEXT, POINT, {"x": 1}, '{"x":1}'),
    (DAY, AT, MIDNIGHT, date(2026, 1, 2)), (DAY, AT, NOON, Odd("2026-01-02T12:00:00.5Z")),
    (DAY, TEXT, "2026-01-02", date(2026, 1, 2)), (DAY, TEXT, "soon", Odd("soon")),
    (AT, DAY, "2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)), (AT, TEXT, MIDNIGHT, datetime(2026, 1, 2, tzinfo=UTC)),
    (AT, TEXT, "soon", Odd("soon")), (AT, LOCAL, "2026-01-02T12:00:00", Odd("2026-01-02T12:00:00")),
    (AT, INT, 0, Odd("0")),
    (LOCAL, AT, NOON, Odd("2026-01-02T12:00:00.5Z")),
    (LOCAL, TEXT, "2026-01-02T12:00:00", datetime.fromisoformat("2026-01-02T12:00")),
    (BYTES, TEXT, "AAE=", Odd("AAE=")), (POINT, WORD_POINT, {"x": "a"}, Odd('{"x":"a"}')),
    (POINT, WORD_POINT, None, None), (POINT, WORD_POINT, {"x": None}, Odd('{"x":null}')), (POINT, TEXT, "p", Odd("p")),
    (NUMBERS, WORDS, ["a"], Odd('["a"]')), (NUMBERS, WORDS, [], Odd("[]")), (NUMBERS, INT, 1, Odd("1")),
]  # fmt: skip
"""What the column was, what the SCHEMA says now, the value, and what the column takes: it, or none of it."""

EXTREMES: list[tuple[Node, Any, Any]] = [
    (INT, 2**63 - 1, 2**63 - 1), (INT, -(2**63), -(2**63)), (INT, 2**63, Odd("9223372036854775808")),
    (INT, "", Odd("")),
    (INT, "12", Odd("12")), (INT, 1.5, Odd("1.5")), (INT, True, Odd("true")), (INT, [1], Odd("[1]")), (INT, 1e3, 1000),
    (SHORT, 32767, 32767), (SHORT, 32768, Odd("32768")), (NUMBER, 5e-324, 5e-324), (NUMBER, "0.5", Odd("0.5")),
    (NUMBER, 10**400, Odd("1" + "0" * 400)), (NUMBER, 2**53 + 1, Odd("9007199254740993")),
    (NUMBER, False, Odd("false")),
    (MONEY, 99999999.99, Decimal("99999999.99")), (MONEY, 100000000, Odd("100000000")), (MONEY, 0.001, Odd("0.001")),
    (BOOL, 0, Odd("0")), (BOOL, "false", Odd("false")), (TEXT, "\x00", "\x00"), (TEXT, "\U0001f600", "\U0001f600"),
    (TEXT, 5, "5"), (TEXT, {"a": 1}, '{"a": 1}'), (AT, "0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    (AT, "infinity", Odd("infinity")), (AT, "2026-02-30T00:00:00Z", Odd("2026-02-30T00:00:00Z")), (AT, 0, Odd("0")),
    (AT, "2026-01-01T00:00:00.1234567Z", Odd("2026-01-01T00:00:00.1234567Z")), (DAY, "9999-12-31", date(9999, 12, 31)),
    (DAY, "10000-01-01", Odd("10000-01-01")), (DAY, NOON, Odd(NOON)), (LOCAL, NOON, Odd(NOON)), (BYTES, "?", Odd("?")),
    (POINT, [], Odd("[]")), (POINT, {"x": "a"}, Odd('{"x": "a"}')), (NUMBERS, {}, Odd("{}")),
    (NUMBERS, [1, "a"], Odd('[1, "a"]')),
]  # fmt: skip
"""The SCHEMA, a value that it may not allow, and what the column takes."""


def test_enough_cases() -> None:
    """The tables above are as long as they say."""
    assert len(DRIFTS) >= 55
    assert len(EXTREMES) >= 35


def named(nodes: list[Node]) -> dict[str, Node]:
    return {f"c{place:02}": node for place, node in enumerate(nodes)}


def expected(cases: list[Any], *, texts: bool) -> dict[str, Any]:
    """Return the row that the values become, with the texts of what is odd where they are kept."""
    row: dict[str, Any] = {"id": 1}
    for place, value in enumerate(cases):
        row[f"c{place:02}"] = None if isinstance(value, Odd) else value
    beside = {f"c{place:02}__text": str(value) for place, value in enumerate(cases) if isinstance(value, Odd)}
    return row | (beside if texts else {})


def drifted() -> tuple[list[dict[str, Any]], dict[str, Any], list[Any]]:
    """Return the first load, the SCHEMA that follows, and the values under it."""
    old, new, values, _ = zip(*DRIFTS, strict=True)
    first = [schema("t", ["id"], id=INT, **named([*old])), record("t", id=0)]
    return first, schema("t", ["id"], id=INT, **named([*new])), [*values]


def of(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the texts that are NULL."""
    return {name: value for name, value in row.items() if value is not None or not name.endswith("__text")}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["variant", "discard_value"])
def test_types_that_changed(mode: str, load: Load, rows: Rows) -> None:
    """The column stays; a value that it takes is in it, unchanged, another one beside it, or nowhere."""
    first, then, values = drifted()
    load(first)

    load([then, record("t", id=1, **named(values)), state(t=1)], schema_contract={"types": mode})

    assert of(rows("t")[1]) == expected([case[3] for case in DRIFTS], texts=mode == "variant")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["variant", "discard_value"])
def test_values_that_no_schema_allows(mode: str, load: Load, rows: Rows) -> None:
    """It is the same for a value that does not fit the SCHEMA of its own record, without on_invalid_record."""
    nodes, values, _ = zip(*EXTREMES, strict=True)

    load([schema("t", ["id"], id=INT, **named([*nodes])), record("t", id=1, **named([*values]))],
         schema_contract={"types": mode})  # fmt: skip

    assert of(rows("t")[0]) == expected([case[2] for case in EXTREMES], texts=mode == "variant")


@pytest.mark.slow
@pytest.mark.parametrize("drift", [True, False], ids=["of the SCHEMA", "of a record"])
def test_rows_that_are_put_aside(drift: bool, load: Load, rows: Rows, verb: Verb) -> None:
    """With discard_row a row is in the quarantine, as it came, where a column does not take its value."""
    cases = [case[1:] for case in DRIFTS] if drift else EXTREMES
    first, then, _ = drifted()
    load(first) if drift else None
    then = then if drift else schema("t", ["id"], id=INT, **named([case[0] for case in cases]))
    lines = [record("t", id=place + 1, **{f"c{place:02}": case[1]}) for place, case in enumerate(cases)]
    bad = {place + 1 for place, case in enumerate(cases) if isinstance(case[2], Odd)}

    load([then, *lines, state(t=1)], schema_contract={"types": "discard_row"})

    aside = verb("peek", "t__quarantine", "--limit", "99")
    assert {json.loads(row["record"])["record"]["id"] for row in aside} == bad
    assert {int(row["column"][1:3]) + 1 for row in aside} == bad
    assert {row["id"] for row in rows("t")} - {0} == {*range(1, len(cases) + 1)} - bad


TO_TEXT: list[tuple[Node, Any, Node, Any, list[str]]] = [
    (INT, 12, TEXT, "a", ["12", "a"]), (BOOL, True, INT, 5, ["true", "5"]), (NUMBER, 0.5, TEXT, "x", ["0.5", "x"]),
    (MONEY, 1.5, TEXT, "x", ["1.5", "x"]), (AT, NOON, TEXT, "soon", ["2026-01-02T12:00:00.5Z", "soon"]),
    (AT, MIDNIGHT, INT, 7, ["2026-01-02T00:00:00Z", "7"]), (DAY, "2026-01-02", TEXT, "x", ["2026-01-02", "x"]),
    (BYTES, "AAE=", TEXT, "x", ["AAE=", "x"]), (POINT, {"x": 1}, TEXT, "x", ['{"x":1}', "x"]),
    (TEXT, "x", INT, 7, ["x", "7"]), (POINT, {"x": 1}, WORD_POINT, {"x": "a"}, ['{"x":1}', '{"x":"a"}']),
    (NUMBERS, [1], WORDS, ["a"], ["[1]", '["a"]']),
    (LOCAL, "2026-01-02T12:00:00", TEXT, "x", ["2026-01-02T12:00:00", "x"]),
]  # fmt: skip


def test_types_that_become_texts(load: Load, rows: Rows, verb: Verb) -> None:
    """With evolve_to_text a column of which no wider type holds both becomes one of texts, and so do later values."""
    old, before, new, after, becomes = zip(*TO_TEXT, strict=True)
    load([schema("t", ["id"], id=INT, **named([*old])), record("t", id=0, **named([*before]))])
    then = [schema("t", ["id"], id=INT, **named([*new])), record("t", id=1, **named([*after]))]

    load(then, schema_contract={"types": "evolve_to_text"})
    load(then, schema_contract={"types": "evolve_to_text"})

    assert [list(row.values())[1:] for row in rows("t")] == [
        [case[0] for case in becomes],
        [case[1] for case in becomes],
    ]
    assert [row["what"] for row in verb("history")].count("widen") == 1


def test_wider_types_come_before_texts(load: Load, rows: Rows) -> None:
    """What has a wider type gets it; a column of instants takes days as midnights."""
    load([schema("t", ["id"], id=INT, x=INT, y=AT), record("t", id=0, x=1, y=NOON)])

    load([schema("t", ["id"], id=INT, x=NUMBER, y=DAY), record("t", id=1, x=0.5, y="2026-01-02")],
         schema_contract={"types": "evolve_to_text"})  # fmt: skip

    assert [(row["x"], row["y"].hour) for row in rows("t")] == [(1.0, 12), (0.5, 0)]


def test_key_becomes_a_text(load: Load, rows: Rows) -> None:
    """A key that becomes a text stays the same key, in the same partition."""
    parted = {"partitioning": {"mode": "md5", "count": 4}}
    load([schema("t", ["id"], id=INT, x=INT), *(record("t", id=place, x=0) for place in range(9))], **parted)

    load([schema("t", ["id"], id=TEXT, x=INT), *(record("t", id=str(place), x=1) for place in range(5))],
         schema_contract={"types": "evolve_to_text"})  # fmt: skip

    assert [(row["id"], row["x"]) for row in rows("t")] == [(str(place), int(place < 5)) for place in range(9)]
    assert len({(row["id"], row["_sdc_partition"]) for row in rows("t")}) == 9


@pytest.mark.slow
def test_key_of_another_type(load: Load, rows: Rows) -> None:
    """What says which row is meant is never left out: the run stops, or the row is put aside."""
    load([schema("t", ["id"], id=INT, x=INT), record("t", id=1, x=1)])
    then = [schema("t", ["id"], id=TEXT, x=INT), record("t", id="a", x=2), state(t=1)]

    for mode in ("variant", "discard_value"):
        with pytest.raises(SafetyStopError, match="cannot take the incoming values unchanged"):
            load(then, schema_contract={"types": mode})
        with pytest.raises(InvalidRecordError):
            load([schema("t", ["id"], id=INT, x=INT), record("t", id="a", x=2)], schema_contract={"types": mode})
    load(then, schema_contract={"types": "discard_row"})

    assert rows("t") == [{"id": 1, "x": 1}]
    assert [json.loads(row["record"])["record"]["id"] for row in rows("t__quarantine")] == ["a"]


def test_value_that_fits_again(load: Load, rows: Rows) -> None:
    """A later value of the key takes the text away, and one that omits the column leaves both as they are."""
    message = schema("t", ["id"], id=INT, x=INT)
    load([message, *(record("t", id=place, x="odd") for place in range(3))], schema_contract={"types": "variant"})

    load([message, record("t", id=1, x=1), record("t", id=2, _sdc_omitted=["x"])], schema_contract={"types": "variant"})
    load([message, record("t", id=2, _sdc_omitted=["x"])])

    assert rows("t") == [
        {"id": 0, "x": None, "x__text": "odd"}, {"id": 1, "x": 1, "x__text": None},
        {"id": 2, "x": None, "x__text": "odd"},
    ]  # fmt: skip


@pytest.mark.parametrize("keys", [["id"], []], ids=["upsert", "append"])
def test_odd_values_among_many(keys: list[str], load: Load, rows: Rows) -> None:
    """Rows before the first odd value, between, and behind are all there once, and STATE follows them."""
    lines = [record("t", id=place, x="odd" if place in (700, 1500) else place) for place in range(2000)]

    states = load([schema("t", keys, id=INT, x=INT), *lines[:900], state(t=900), *lines[900:], state(t=2000)],
                  schema_contract={"types": "variant"}, batch_size_rows=1100)  # fmt: skip

    assert sorted(row["id"] for row in rows("t")) == [*range(2000)]
    assert {row["id"] for row in rows("t") if row["x__text"]} == {700, 1500}
    assert states[-1] == {"bookmarks": {"t": 2000}}


@pytest.mark.slow
def test_full_load_keeps_the_column(load: Load, rows: Rows) -> None:
    """A full load brings types of its own, unless the contract freezes types by word or says what becomes of values."""
    load([schema("t", ["id"], id=INT, x=INT), record("t", id=1, x=1)])
    full = [schema("t", ["id"], id=INT, x=TEXT), activate("t", 5), record("t", id=1, x="a"), activate("t", 5)]

    with pytest.raises(SafetyStopError, match="cannot take the incoming values unchanged"):
        load(full, schema_contract={"types": "freeze"})
    load(full, schema_contract={"types": "variant"})
    kept = rows("t")
    load([{**message, **({"version": 6} if "version" in message else {})} for message in full])

    assert kept == [{"id": 1, "x": None, "x__text": "a"}]
    assert rows("t") == [{"id": 1, "x": "a"}]


@pytest.mark.slow
def test_new_columns_put_rows_aside(load: Load, rows: Rows) -> None:
    """With columns: discard_row a row with a value in a new column, or a new field, goes to the quarantine."""
    load([schema("t", ["id"], id=INT, p=POINT), record("t", id=0, p={"x": 1})])

    load([schema("t", ["id"], id=INT, p=WIDE_POINT, y=TEXT), record("t", id=1, y="new"), record("t", id=2, y=None),
          record("t", id=3, p={"x": 1, "y": 2}), record("t", id=4, p={"x": 1, "y": None}), state(t=1)],
         schema_contract={"columns": "discard_row"})  # fmt: skip

    assert rows("t") == [{"id": 0, "p": {"x": 1}}, {"id": 2, "p": None}, {"id": 4, "p": {"x": 1}}]
    assert sorted(row["column"] for row in rows("t__quarantine")) == ["p", "y"]


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
def test_stream_without_a_table(full: bool, load: Load, rows: Rows, warehouse: Path) -> None:
    """With tables: discard_row no table is made: the rows of a new stream go to the quarantine, and STATE goes on."""
    lines = [record("new", id=1), record("new", id=2)]
    lines = [activate("new", 5), *lines, activate("new", 5)] if full else lines

    states = load([schema("new", ["id"], id=INT), *lines, state(new=1)], schema_contract={"tables": "discard_row"})

    assert not (warehouse / "new" / "_delta_log").exists()
    assert [row["reason"] for row in rows("new__quarantine")] == ["the contract lets no table be made"] * 2
    assert states == [{"bookmarks": {"new": 1}}]


def test_files_are_put_aside_as_records_are(load: Load, rows: Rows, tmp_path: Path) -> None:
    """The record of a row that came in a file is its JSON, to be loaded again."""
    load([schema("t", ["id"], id=INT, x=INT), record("t", id=0)])
    (tmp_path / "rows.jsonl").write_bytes(as_lines([{"id": 1, "x": "a", "at": NOON}, {"id": 2, "x": None}]))
    batch = {
        "type": "BATCH",
        "stream": "t",
        "encoding": {"format": "jsonl"},
        "manifest": [str(tmp_path / "rows.jsonl")],
    }

    load([schema("t", ["id"], id=INT, x=TEXT, at=AT), batch, state(t=1)], schema_contract={"types": "discard_row"})

    assert [row["id"] for row in rows("t")] == [0, 2]
    assert json.loads(rows("t__quarantine")[0]["record"]) == {"id": 1, "x": "a", "at": "2026-01-02T12:00:00.500000Z"}


def test_name_that_is_taken(load: Load) -> None:
    """A SCHEMA whose own column has the name of the texts beside another one ends the run."""
    load([schema("t", ["id"], id=INT, x=INT), record("t", id=0)])

    with pytest.raises(SafetyStopError, match="has a column of the name under which values stand"):
        load(
            [schema("t", ["id"], id=INT, x=TEXT, x__text=TEXT), record("t", id=1)], schema_contract={"types": "variant"}
        )


@pytest.mark.parametrize(
    "said", [{"tables": "discard_value"}, {"tables": "variant"}, {"columns": "variant"}, {"columns": "evolve_to_text"}]
)
def test_words_that_mean_nothing(said: dict[str, str], load: Load) -> None:
    """A table has no values to leave out, a column that is not there no texts beside it: exit 2 says the choices."""
    with pytest.raises(Exception, match=r"schema_contract\.\w+: must be evolve or freeze or discard_") as told:
        load([], schema_contract=said)

    assert getattr(told.value, "exit_code", None) == 2
