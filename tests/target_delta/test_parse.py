"""RECORD lines become rows: each kind of value has one documented answer, a bad line one clear error."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from singer_sdk.exceptions import MissingKeyPropertiesError

from singerkit.errors import SafetyStopError
from target_delta.errors import InvalidRecordError, MissingKeyError
from target_delta.parse import RecordParser
from target_delta.schema import StreamSchema, stream_schema

INTEGER: dict[str, Any] = {"type": ["null", "integer"]}
INSTANT: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}
LOCAL: dict[str, Any] = {**INSTANT, "x-timestamp": "local"}
DATE: dict[str, Any] = {"type": ["null", "string"], "format": "date"}
NUMBER: dict[str, Any] = {"type": ["null", "number"]}
CENTS: dict[str, Any] = {"type": "number", "multipleOf": 0.01}
UNSIGNED: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
SINGER: dict[str, Any] = {
    "type": "string",
    "format": "singer.decimal",
    "x-singer.decimal": {"precision": 9, "scale": 2},
}
TEXT: dict[str, Any] = {"type": ["null", "string"]}
MIXED: dict[str, Any] = {"type": ["null", "string", "integer", "boolean"]}
BASE64: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
PERSON: dict[str, Any] = {"type": ["null", "object"], "properties": {"name": TEXT, "born": DATE}}


def schema_of(*keys: str, **properties: Any) -> StreamSchema:
    """Return the schema of stream `s`."""
    return stream_schema({"stream": "s", "schema": {"properties": properties}, "key_properties": list(keys)})


def parse(schema: StreamSchema, *records: str, **envelope: str) -> list[dict[str, Any]]:
    """Return the rows that these records become."""
    more = "".join(f', "{name}": {text}' for name, text in envelope.items())
    lines = "".join(f'{{"type": "RECORD", "stream": "s", "record": {record}{more}}}\n' for record in records)
    rows: list[dict[str, Any]] = RecordParser(schema).parse(lines.encode()).rows.to_pylist()
    return rows


@pytest.mark.parametrize(
    ("node", "literal", "value"),
    [
        (INTEGER, "1", 1),
        (INTEGER, "1.0", 1),
        (INTEGER, "1e3", 1000),
        (INTEGER, "-9223372036854775808", -(2**63)),
        (UNSIGNED, "18446744073709551615", Decimal(2**64 - 1)),
        (NUMBER, "1", 1.0),
        (NUMBER, "0.1234567890123456789", 0.12345678901234568),
        (NUMBER, "1152921504606846976", float(2**60)),
        (NUMBER, '"Infinity"', float("inf")),
        (NUMBER, '"-Infinity"', float("-inf")),
        (CENTS, "12345678901234567890.12", Decimal("12345678901234567890.12")),
        (CENTS, "0E-19", Decimal("0.00")),
        (CENTS, '"1.50"', Decimal("1.50")),
        (SINGER, '"1234567.89"', Decimal("1234567.89")),
        (TEXT, '"\\u00e9\\ud83d\\ude00\\u0000"', "é😀\0"),
        (MIXED, "12", "12"),
        (MIXED, "true", "true"),
        (MIXED, '"a\\nb"', "a\nb"),
        ({}, '{"b": [1, 2.50], "a": null}', '{"b": [1, 2.50], "a": null}'),
        ({}, '"text"', '"text"'),
        (INSTANT, '"2024-03-10T12:00:00.123456+05:30"', datetime(2024, 3, 10, 6, 30, 0, 123456, tzinfo=UTC)),
        (INSTANT, '"2024-03-10 12:00:00"', datetime(2024, 3, 10, 12, tzinfo=UTC)),
        (INSTANT, '"2024-03-10T12:00:00.123456000Z"', datetime(2024, 3, 10, 12, 0, 0, 123456, tzinfo=UTC)),
        (INSTANT, '"0001-01-01T00:00:00Z"', datetime(1, 1, 1, tzinfo=UTC)),
        (LOCAL, '"2024-03-10T02:30:00"', datetime.fromisoformat("2024-03-10T02:30")),
        (DATE, '"2024-02-29"', date(2024, 2, 29)),
        (DATE, '"2024-02-29T00:00:00Z"', date(2024, 2, 29)),
        (BASE64, '"/+8="', b"\xff\xef"),
        (PERSON, '{"born": "2001-02-03", "other": 1}', {"name": None, "born": date(2001, 2, 3)}),
    ],
)
def test_value_of_each_kind(node: dict[str, Any], literal: str, value: object) -> None:
    """A value arrives as it was sent."""
    assert parse(schema_of(c=node), f'{{"c": {literal}}}') == [{"c": value}]


@pytest.mark.parametrize(
    ("node", "literal", "expected"),
    [
        (INTEGER, "1.5", "an integer of 64 bits"),
        (INTEGER, '"1"', "an integer"),
        (INTEGER, "true", "an integer"),
        (INTEGER, "9223372036854775808", "an integer of 64 bits"),
        (NUMBER, "9007199254740993", "a number that a double holds (declare multipleOf or x-decimal for more digits)"),
        (NUMBER, "1e400", "a number that a double holds (declare multipleOf or x-decimal for more digits)"),
        (NUMBER, '"1.5"', "a number"),
        (CENTS, "0.001", "a decimal of 38 digits, 2 of them after the point"),
        (SINGER, '"12345678.90"', "a decimal of 9 digits, 2 of them after the point"),
        (TEXT, "1", "a string"),
        (MIXED, "[]", "a string, number or boolean"),
        (INSTANT, '"2024-12-31T23:59:60Z"', "a date-time from year 1 to 9999, to the microsecond"),
        (INSTANT, '"2024-12-31T24:00:00Z"', "a date-time from year 1 to 9999, to the microsecond"),
        (INSTANT, '"0000-01-01T00:00:00Z"', "a date-time from year 1 to 9999, to the microsecond"),
        (INSTANT, '"9999-12-31T23:00:00-02:00"', "a date-time from year 1 to 9999, to the microsecond"),
        (INSTANT, '"2024-03-10T12:00:00.123456789Z"', "a date-time from year 1 to 9999, to the microsecond"),
        (INSTANT, "1710072000", "a date-time from year 1 to 9999, to the microsecond"),
        (LOCAL, '"2024-03-10T02:30:00Z"', "a date-time without a zone, to the microsecond"),
        (DATE, '"2024-02-29T10:00:00Z"', "a date, or midnight in UTC"),
        (BASE64, '"_-8="', "base64 text"),
        (PERSON, "[]", "an object"),
    ],
)
def test_value_that_does_not_fit(node: dict[str, Any], literal: str, expected: str) -> None:
    """What its column cannot hold unchanged is refused, by column and expectation, without the value."""
    with pytest.raises(InvalidRecordError) as refused:
        parse(schema_of(c=node), "{}", f'{{"c": {literal}}}')

    assert (refused.value.index, refused.value.column, refused.value.reason) == (1, "c", f"expected {expected}")
    assert literal.encode() in refused.value.raw
    assert literal.strip('"') not in str(refused.value).replace("row=1", "")


@pytest.mark.parametrize(
    "record",
    [
        '{"c": NaN}',
        '{"c": "\\ud800"}',
        '{"c": 1}}',
        '{"c": 1} {"c": 2}',
        '{"c": "a',
        "[1]",
        "null",
        '{"c": "' + "\x01" + '"}',
    ],
)
def test_line_that_is_not_json(record: str) -> None:
    """A line that is not JSON is refused as a whole."""
    with pytest.raises(InvalidRecordError, match="not a record in JSON and UTF-8"):
        parse(schema_of(c={}), record)


def test_text_that_is_not_utf8() -> None:
    """Bytes that are not UTF-8 are refused where a column would hold them."""
    line = b'{"type": "RECORD", "stream": "s", "record": {"c": "\xff"}}\n'

    with pytest.raises(InvalidRecordError, match="column=c"):
        RecordParser(schema_of(c=TEXT)).parse(line)


def test_nested_path_of_an_error() -> None:
    """The error names the way to a value inside objects and arrays."""
    schema = schema_of(people={"type": "array", "items": PERSON})

    with pytest.raises(InvalidRecordError, match=r"column=people\.element\.born"):
        parse(schema, '{"people": [{"born": "yesterday"}]}')


@pytest.mark.parametrize("levels", [100, 100_000])
def test_deep_nesting(levels: int) -> None:
    """JSON is read as deep as the decoder goes; deeper is an error, not a crash."""
    deep = "[" * levels + "]" * levels
    schema = schema_of(c={})

    if levels == 100:
        assert parse(schema, f'{{"c": {deep}}}') == [{"c": deep}]
    else:
        with pytest.raises(InvalidRecordError, match="nested too deeply"):
            parse(schema, f'{{"c": {deep}}}')


def test_very_long_string() -> None:
    """A string of 10 MB is a string."""
    text = "ü" * 5_000_000

    assert parse(schema_of(c=TEXT), f'{{"c": "{text}"}}') == [{"c": text}]


def test_repeated_keys_and_unknown_properties() -> None:
    """Of a repeated property the last counts; a property that the SCHEMA does not declare is passed over."""
    assert parse(schema_of(c=INTEGER), '{"c": 1, "z": {"c": 3}, "c": 2}') == [{"c": 2}]


@pytest.mark.parametrize(
    "name", ["with space", "dot.ted", "it's", 'quo"ted', "back\\slash", "line\nbreak", "имя", "列"]
)
def test_names_of_any_letters(name: str) -> None:
    """A column may have any name but an empty one, also inside objects."""
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    schema = schema_of(**{name: INTEGER, "inside": {"type": "object", "properties": {name: INTEGER}}})

    assert parse(schema, f'{{{quoted}: 1, "inside": {{{quoted}: 2}}}}') == [{name: 1, "inside": {name: 2}}]


def test_what_the_envelope_says() -> None:
    """time_extracted and version come beside the rows, NULL where a line has none, absent where no line has."""
    lines = (
        b'{"type": "RECORD", "stream": "s", "record": {"c": 1}, "time_extracted": "2024-01-02T03:04:05.000006Z"}\n'
        b'{"type": "RECORD", "stream": "s", "record": {"c": 2}, "version": 7}\n'
    )

    parsed = RecordParser(schema_of(c=INTEGER)).parse(lines)

    assert parsed.extracted_at is not None
    assert parsed.extracted_at.to_pylist() == [datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC), None]
    assert parsed.version is not None
    assert parsed.version.to_pylist() == [None, 7]
    assert parsed.omitted is None


@pytest.mark.parametrize(
    "envelope", [{"time_extracted": '""'}, {"time_extracted": "1"}, {"version": '"1"'}, {"version": str(2**63)}]
)
def test_envelope_that_says_nonsense(envelope: dict[str, str]) -> None:
    """What stands beside the record is checked as the record is."""
    with pytest.raises(InvalidRecordError, match="not a record in JSON and UTF-8"):
        parse(schema_of(c=INTEGER), '{"c": 1}', **envelope)


@pytest.mark.parametrize(
    "declared", [None, {"type": "array", "items": TEXT}, {"type": ["null", "array"]}], ids=["not", "list", "JSON text"]
)
def test_omitted_columns(declared: dict[str, Any] | None) -> None:
    """`_sdc_omitted` names the columns whose stored value stays; where SCHEMA declares it, it is a column as well."""
    more = {} if declared is None else {"_sdc_omitted": declared}
    lines = (
        b'{"type": "RECORD", "stream": "s", "record": {"c": 1, "_sdc_omitted": ["d"]}}\n'
        b'{"type": "RECORD", "stream": "s", "record": {"c": 2}}\n'
    )

    parsed = RecordParser(schema_of(c=INTEGER, d=TEXT, **more)).parse(lines)

    assert parsed.omitted is not None
    assert parsed.omitted.to_pylist() == [["d"], None]
    assert ("_sdc_omitted" in parsed.rows.schema.names) == (declared is not None)


@pytest.mark.parametrize("odd", ["", '{"c": 1.0}\n'], ids=["all in bulk", "one by one"])
def test_undeclared_properties_are_named_once(odd: str) -> None:
    """What no column takes is passed over, and named where it first comes, at any depth; the values are the same."""
    schema = schema_of(c=INTEGER, p=PERSON, l={"type": "array", "items": PERSON})
    lines = f'{odd}{{"c": 1, "p": {{"name": "a", "age": 3}}, "l": [{{"x": 1}}], "new": "b"}}\n{{"c": 2}}\n'.encode()
    parser = RecordParser(schema, bare=True)

    first, second = parser.parse(lines), parser.parse(lines)

    assert first.undeclared == ("p.age", "l.x", "new")
    assert second.undeclared == ()
    assert first.rows == second.rows
    assert first.rows.column("c").to_pylist()[-2:] == [1, 2]


@pytest.mark.parametrize("record", ["{}", '{"id": null}'])
def test_missing_key(record: str) -> None:
    """A record without a value in its key is refused, by the class that singer-sdk's suite asks for too."""
    with pytest.raises(MissingKeyPropertiesError) as refused:
        parse(schema_of("id", id=INTEGER), '{"id": 1}', record)

    assert isinstance(refused.value, MissingKeyError)
    assert (refused.value.index, refused.value.column) == (1, "id")


def test_bad_rows_to_the_quarantine() -> None:
    """With a callback each bad line is handed over with its row, and the others go on in order."""
    lines = b"".join(
        b'{"type": "RECORD", "stream": "s", "record": {"id": %s}}\n' % (b'"x"' if row in {3, 77} else b"%d" % row)
        for row in range(100)
    )
    bad: list[InvalidRecordError] = []

    parsed = RecordParser(schema_of("id", id=INTEGER)).parse(lines, bad.append)

    assert [error.index for error in bad] == [3, 77]
    assert parsed.rows.column("id").to_pylist() == [row for row in range(100) if row not in {3, 77}]


def test_first_bad_row_stops_without_a_quarantine() -> None:
    """Without a callback the first bad line is raised, as a safety stop."""
    with pytest.raises(SafetyStopError, match=r"invalid record: expected an integer \(stream=s, row=1, column=id\)"):
        parse(schema_of(id=INTEGER), '{"id": 1}', '{"id": "x"}', '{"id": "y"}')


def test_blank_lines_and_windows_line_ends() -> None:
    """Blank lines are no lines, a carriage return is white space, the last newline may be absent."""
    line = b'{"type": "RECORD", "stream": "s", "record": {"c": 1}}'

    parsed = RecordParser(schema_of(c=INTEGER)).parse(b"\n".join([line + b"\r", b"", b"  ", line]))

    assert parsed.rows.equals(pa.RecordBatch.from_pydict({"c": [1, 1]}, schema=pa.schema([("c", pa.int64())])))


def test_no_lines() -> None:
    """No lines are no rows."""
    parsed = RecordParser(schema_of(c=INTEGER, p=PERSON, l={"type": "array", "items": TEXT})).parse(b"")

    assert parsed.rows.num_rows == 0


def test_bare_records() -> None:
    """JSON Lines files hold records without an envelope."""
    parsed = RecordParser(schema_of(c=INTEGER), bare=True).parse(b'{"c": 1}\n{"c": 2.0}\n')

    assert parsed.rows.column("c").to_pylist() == [1, 2]
