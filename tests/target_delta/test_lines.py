"""Blocks of lines become records by stream and other messages, in an order that keeps STATE true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.lines import Other, Records, pieces

A1 = b'{"type":"RECORD","stream":"a","record":{"n":1}}\n'
A2 = b'{"type":"RECORD","stream":"a","record":{"n":2}}\n'
B1 = b'{"type":"RECORD","stream":"b","record":{"n":1}}\n'
B2 = b'{"type":"RECORD","stream":"b","record":{"n":2}}\n'
S1 = b'{"type":"STATE","value":{"n":1}}\n'
S2 = b'{"type":"STATE","value":{"n":2}}\n'
SCHEMA = b'{"type":"SCHEMA","stream":"a","schema":{},"key_properties":[]}\n'
OTHER_SCHEMA = b'{"type":"SCHEMA","stream":"a","schema":{"x-hint":1},"key_properties":[]}\n'
ACTIVATE = b'{"type":"ACTIVATE_VERSION","stream":"a","version":1}\n'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([A1, A2], [("a", A1 + A2, 2)], id="one run"),
        pytest.param([A1, b"\n", b"  \r\n", A2], [("a", A1 + A2, 2)], id="blank lines"),
        pytest.param([A1, A2[:-1]], [("a", A1 + A2[:-1], 2)], id="no last newline"),
        pytest.param([A1, B1, A2, B2], [("a", A1 + A2, 2), ("b", B1 + B2, 2)], id="interleaved streams"),
        pytest.param([A1, S1, A2], [("a", A1, 1), S1, ("a", A2, 1)], id="no record passes a STATE"),
        pytest.param([A1, S1, B1, S2, A2], [("a", A1, 1), ("b", B1, 1), S2, ("a", A2, 1)], id="a newer STATE"),
        pytest.param([S1, S2], [S2], id="only the newest STATE"),
        pytest.param([A1, ACTIVATE, A2, ACTIVATE], [("a", A1, 1), ACTIVATE, ("a", A2, 1), ACTIVATE], id="full load"),
        pytest.param([S1, ACTIVATE, S2], [S1, ACTIVATE, S2], id="a STATE before another message stays"),
        pytest.param([SCHEMA, A1, SCHEMA, A2], [SCHEMA, ("a", A1 + A2, 2)], id="a repeated SCHEMA"),
        pytest.param([SCHEMA, A1, OTHER_SCHEMA], [SCHEMA, ("a", A1, 1), OTHER_SCHEMA], id="a new SCHEMA"),
    ],
)  # fmt: skip
def test_order_of_messages(lines: list[bytes], expected: list[Any]) -> None:
    """Records pass records of other streams and nothing else; what a newer line repeats or replaces is left out."""
    wanted = [Other(one) if isinstance(one, bytes) else Records(*one) for one in expected]

    assert list(pieces(b"".join(lines))) == wanted


def test_repeated_schema_in_a_later_block() -> None:
    """A SCHEMA that came in an earlier block is known, where the caller keeps what it knows."""
    known: dict[str, bytes] = {}

    list(pieces(SCHEMA, known))

    assert list(pieces(SCHEMA + A1, known)) == [Records("a", A1, 1)]
    assert list(pieces(OTHER_SCHEMA, known)) == [Other(OTHER_SCHEMA)]


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"RECORD","stream":"a b","record":{}}',
        '{"type": "RECORD", "stream": "a b", "record": {}}',
        '{"stream": "a b", "type": "RECORD", "record": {}}',
        '{"stream":"a b","record":{"type":"STATE"},"type":"RECORD"}',
        ' { "record" : { } , "type" : "RECORD" , "stream" : "a b" } ',
        '{"type": "RECORD", "stream": "a\\u0020b", "record": {}}',
        '{"record": {}, "version": 1, "type": "RECORD", "time_extracted": "x", "stream": "a b"}',
    ],
)
def test_layouts_of_a_record(line: str) -> None:
    """The order of keys and the spaces between them mean nothing."""
    text = line.encode() + b"\n"

    assert list(pieces(text + text)) == [Records("a b", text + text, 2)]


def test_stream_whose_name_begins_with_another() -> None:
    """Streams are told apart by their whole name."""
    one, other = A1, A1.replace(b'"a"', b'"ab"')

    assert list(pieces(one + other)) == [Records("a", one, 1), Records("ab", other, 1)]


@pytest.mark.parametrize(
    "line",
    [
        A1[:-5],
        b"hello",
        b"{}",
        b'{"type": 1}',
        b"[]",
        b'{"type":"RECORD","record":{}}',
        b'{"type":"STATE","value":',
        b"\xff",
    ],
)
def test_line_that_is_no_message(line: bytes) -> None:
    """What is no Singer message stops the run, by its size and never by its content; a line cut short too."""
    with pytest.raises(SafetyStopError, match=rf"not a Singer message \(bytes={len(line)}\)"):
        list(pieces(A1 + line))


# Each message gets its place as its number, so that no two are equal.
names = st.sampled_from(["a", "b", 'quo"ted', "ü"])
messages = st.one_of(
    st.builds(lambda name: {"type": "RECORD", "stream": name, "record": {}}, names),
    st.builds(lambda name: {"stream": name, "type": "RECORD", "record": {}}, names),
    st.just({"type": "STATE"}),
    st.builds(lambda name: {"type": "SCHEMA", "stream": name, "schema": {}}, names),
    st.builds(lambda name: {"type": "ACTIVATE_VERSION", "stream": name}, names),
)


@given(st.lists(messages), st.booleans())
def test_what_came_before_a_state(sent: list[dict[str, Any]], compact: bool) -> None:
    """Before each STATE that is passed on stand exactly the records that stood before it on the wire, in order."""
    sent = [{**message, "n": n} if message["type"] != "SCHEMA" else message for n, message in enumerate(sent)]
    separators = (",", ":") if compact else (", ", ": ")
    block = b"".join(json.dumps(message, separators=separators).encode() + b"\n" for message in sent)

    got: list[dict[str, Any]] = []
    for piece in pieces(block):
        lines = piece.lines.splitlines() if isinstance(piece, Records) else [piece.line]
        got += [json.loads(line) for line in lines]

    assert _views(got) == {n: view for n, view in _views(sent).items() if n in {message.get("n") for message in got}}


def _views(sent: list[dict[str, Any]]) -> dict[int, dict[str, list[int]]]:
    """Return, for each message that records may not pass, the records by stream that came before it."""
    views: dict[int, dict[str, list[int]]] = {}
    records: dict[str, list[int]] = {}
    for message in sent:
        if message["type"] == "RECORD":
            records.setdefault(message["stream"], []).append(message["n"])
        elif message["type"] != "SCHEMA":
            views[message["n"]] = {stream: [*numbers] for stream, numbers in records.items()}
    return views
