"""The bulk path and the careful path give the same table, or the same errors, on the same lines, for every type."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_delta.careful import CarefulReader
from target_delta.parse import RecordParser
from target_delta.schema import StreamSchema, stream_schema

COLUMNS: dict[str, dict[str, Any]] = {
    "int64": {"type": ["null", "integer"]},
    "int16": {"type": "integer", "minimum": -32768, "maximum": 32767},
    "int32": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "unsigned": {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    "double": {"type": ["number", "null"]},
    "cents": {"type": "number", "multipleOf": 0.01},
    "decimal": {"type": "number", "x-decimal": {"precision": 12, "scale": 4}},
    "wide": {"type": "number", "x-decimal": {"precision": 38, "scale": 20}},
    "singer": {"type": "string", "format": "singer.decimal", "precision": 38, "scale": 6},
    "boolean": {"type": "boolean"},
    "string": {"type": ["string", "null"]},
    "scalar": {"type": ["string", "integer", "boolean", "null"]},
    "json": {},
    "instant": {"type": "string", "format": "date-time"},
    "local": {"type": "string", "format": "date-time", "x-timestamp": "local"},
    "date": {"type": "string", "format": "date"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "struct": {
        "type": ["object", "null"],
        "properties": {
            "a": {"type": "integer"},
            "when": {"type": "string", "format": "date-time"},
            "free": {},
            "deep": {"type": "object", "properties": {"b": {"type": "number", "multipleOf": 0.1}}},
        },
    },
    "integers": {"type": "array", "items": {"type": "integer"}},
    "structs": {"type": "array", "items": {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}}},
    "lists": {"type": "array", "items": {"type": "array", "items": {"type": "string", "format": "date"}}},
}

LITERALS = [
    *("null", "true", "false", "0", "-0", "1", "-1", "1.0", "1e3", "1E+3", "1.5", "-0.0", "0.1", "1e400", "-1e400"),
    *("1e-400", "0.1234567890123456789", "123456789012345678.5", "12.345", "12.34", "0E-19", "1.50", "1e22", "1e30"),
    *(
        "1.23e1",
        "12.3e1",
        "3.6e-94",
        "0." + "1" * 500,
        "1e-9999999",
        "1.00000000000000000001",
        "0e9999999",
        "0E+400000",
        "32767",
        "32768",
        "-32769",
        "2147483648",
        "9007199254740992",
        "9007199254740993",
    ),
    *("9007199254740993.0", "9007199254740994", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "18446744073709551615", "18446744073709551616", "9" * 38, "9" * 39, "9" * 5000),
    *(
        "1e999999999",
        "1e9999999999999",
        "01",
        "1.",
        ".5",
        "+1",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "",
        "'a'",
        "{,}",
    ),
    *('"NaN"', '"Infinity"', '"-Infinity"', '"nan"', '"1"', '"1.5"', '"12.34"', '"+1"', '".5"', '"1."', '" 1"'),
    *('"1e3"', '"0x10"', '"1_0"', '"٣"', '"null"', '""', '"a\\"b"', '"\\u00e9\\ud83d\\ude00"', '"é😀"', '"\\u0000"'),
    *('"\\ud800"', '"\\udc00x"', '"\\ud800\\u0041"', '"a\tb"', '"\\q"', '"unfinished', '"\\u003112"', '"007"'),
    *('"2024-02-29"', '"2023-02-29"', '"2024-02-29T00:00:00Z"', '"2024-02-29T00:00:00+02:00"', '"2024-1-1"'),
    *('"2024-02-29 12:34:56"', '"2024-02-29T12:34"', '"2024-02-29T12"', '"2024-02-29T12Z"', '"2024-02-29t12:34:56z"'),
    *('"2024-02-29T12:34:56.1Z"', '"2024-02-29T12:34:56.123456789Z"', '"2024-02-29T12:34:56.123456000Z"'),
    *('"2024-02-29T12:34:56,5Z"', '"2024-02-29T12:34:56+0530"', '"2024-02-29T12:34:56-05"', '"2024-02-29T23:59:60Z"'),
    *('"2024-02-29T24:00:00Z"', '"0000-01-01"', '"0000-01-01T00:00:00Z"', '"0000-01-01T00:00:00"', '"0001-01-01"'),
    *('"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00+01:00"', '"9999-12-31T23:59:59.999999Z"', '"10000-01-01"'),
    *('"9999-12-31T23:59:59-01:00"', '"infinity"', '"2024-02-29T12:34:56+25:00"', '"2024-02-29T12:34:56 UTC"'),
    *('"aGk="', '"aGk"', '"a Gk="', '"_-8="', '"/+8="', "[]", "{}", "[1]", "[1,null,2]", "[1.0]", "[1.5]", '["a"]'),
    *("[null]", "[[]]", '[["2024-01-01"],null,[]]', '[{"a":1},null,{}]', '[{"a":"x"}]', '{"a":1}', '{"a":1.0}'),
    *(
        '{"a":null,"z":[1]}',
        '{"a":1,"a":2}',
        '{"a":"1"}',
        '{"when":"2024-01-01"}',
        '{"when":"x"}',
        '{"free":{"k":[1 ]}}',
    ),
    *('{"deep":{"b":0.1}}', '{"deep":{"b":0.11}}', '{"deep":null}', '{"deep":[]}', "[1,]", '{"a":}', "{}{}", "1 1"),
]

texts = st.text(max_size=6).map(json.dumps) | st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False))
numbers = st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
decimals = st.decimals(allow_nan=False, allow_infinity=False).map(str)
moments = st.datetimes().map(lambda at: f'"{at.isoformat()}"') | st.datetimes().map(lambda at: f'"{at} +00:00"')
zoned = st.datetimes(timezones=st.timezones()).map(lambda at: f'"{at.isoformat()}"')
literal = (
    st.sampled_from(LITERALS) | texts | numbers | decimals | moments | zoned | st.dates().map(lambda on: f'"{on}"')
)


def record(*members: str, **envelope: str) -> bytes:
    """Return a RECORD line with the members as they are written."""
    more = "".join(f', "{name}": {text}' for name, text in envelope.items())
    text = f'{{"type": "RECORD", "stream": "s", "record": {{{", ".join(members)}}}{more}}}'
    return text.encode("utf-8", "surrogatepass") + b"\n"


def schema_of(**properties: dict[str, Any]) -> StreamSchema:
    """Return the schema of stream `s` with these properties and no key."""
    return stream_schema({"stream": "s", "schema": {"properties": properties}, "key_properties": []})


def carefully(schema: StreamSchema, lines: bytes) -> tuple[list[dict[str, Any]], list[tuple[int, str, str | None]]]:
    """Return the rows and the errors that reading one by one gives."""
    errors: list[tuple[int, str, str | None]] = []
    reader = CarefulReader("s", schema.columns, schema.keys)
    rows = reader.read(lines.split(b"\n")[:-1], 0, lambda bad: errors.append((bad.index, bad.reason, bad.column)))
    arrays = [pa.array([row.values[one.name] for row in rows], one.type) for one in schema.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.arrow).to_pylist(), errors


def in_bulk(schema: StreamSchema, lines: bytes) -> tuple[list[dict[str, Any]], list[tuple[int, str, str | None]]]:
    """Return the rows and the errors that the parser gives."""
    errors: list[tuple[int, str, str | None]] = []
    parsed = RecordParser(schema).parse(lines, lambda bad: errors.append((bad.index, bad.reason, bad.column)))
    parsed.rows.validate(full=True)
    return parsed.rows.to_pylist(), errors


@pytest.mark.slow
@pytest.mark.parametrize("kind", COLUMNS)
def test_each_literal_alone(kind: str) -> None:
    """Every literal means the same whether it stands in a run that bulk reading takes or is read carefully."""
    schema = schema_of(c=COLUMNS[kind])

    for one in LITERALS:
        line = record(f'"c": {one}')
        assert repr(in_bulk(schema, line)) == repr(carefully(schema, line)), one


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=12)
@given(st.lists(literal, min_size=1, max_size=70))
def test_both_paths_agree(kind: str, literals: list[str]) -> None:
    """Runs of any literals give the same rows and the same errors in both ways."""
    schema = schema_of(c=COLUMNS[kind])
    lines = b"".join(record(f'"c": {one}') for one in literals)

    assert repr(in_bulk(schema, lines)) == repr(carefully(schema, lines))


@settings(max_examples=20)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([*COLUMNS, "undeclared"]), literal), max_size=4), min_size=1, max_size=40
    )
)
def test_both_paths_agree_on_whole_records(rows: list[list[tuple[str, str]]]) -> None:
    """Records with several properties, absent ones and repeated ones give the same in both ways."""
    schema = schema_of(**COLUMNS)
    lines = b"".join(record(*(f'"{name}": {text}' for name, text in row)) for row in rows)

    assert repr(in_bulk(schema, lines)) == repr(carefully(schema, lines))


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=10))
def test_any_bytes_give_rows_or_errors(lines: list[bytes]) -> None:
    """Decoding is total: whatever the bytes, each line is a row or an error."""
    schema = schema_of(a=COLUMNS["int64"], b=COLUMNS["json"])
    text = b"".join(b'{"record": ' + line.replace(b"\n", b" ") + b"}\n" for line in lines)

    rows, errors = in_bulk(schema, text)

    assert len(rows) + len(errors) == len(lines)
