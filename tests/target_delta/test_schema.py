"""What JSON Schema says of a property decides one Arrow type."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.schema import StreamSchema, stream_schema

INSTANT = pa.timestamp("us", "UTC")


def schema_of(properties: dict[str, Any], keys: Any = (), nested: Any = "struct", **more: Any) -> StreamSchema:
    """Return the schema of stream `s`."""
    message = {"stream": "s", "schema": {"properties": properties, **more}, "key_properties": list(keys)}
    return stream_schema(message, nested=nested)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"type": "integer"}, pa.int64()),
        ({"type": ["null", "integer"]}, pa.int64()),
        ({"type": "integer", "minimum": -32768, "maximum": 32767}, pa.int16()),
        ({"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}, pa.int32()),
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, pa.int64()),
        ({"type": "integer", "minimum": 1, "maximum": 100}, pa.int64()),
        ({"type": "integer", "minimum": 0, "maximum": 2**64 - 1}, pa.decimal128(38, 0)),
        ({"type": "integer", "maximum": 10**40}, pa.string()),
        ({"type": "number"}, pa.float64()),
        ({"type": ["integer", "number"]}, pa.float64()),
        ({"type": "number", "multipleOf": 0.01}, pa.decimal128(38, 2)),
        ({"type": "number", "multipleOf": 1e-9}, pa.decimal128(38, 9)),
        ({"type": "number", "multipleOf": 0.25}, pa.decimal128(38, 2)),
        ({"type": "number", "multipleOf": 10}, pa.decimal128(38, 0)),
        ({"type": "integer", "multipleOf": 10}, pa.int64()),
        ({"type": ["number", "null"], "x-decimal": {"precision": 12, "scale": 2}}, pa.decimal128(12, 2)),
        ({"type": "number", "x-decimal": {"precision": 50, "scale": 2}}, pa.string()),
        ({"type": "string", "format": "singer.decimal"}, pa.string()),
        ({"type": "string", "format": "singer.decimal", "precision": 9, "scale": 3}, pa.decimal128(9, 3)),
        ({"type": "string", "format": "x-singer.decimal", "x-singer.decimal": {"precision": 9}}, pa.decimal128(9, 0)),
        ({"type": "boolean"}, pa.bool_()),
        ({"type": "string"}, pa.string()),
        ({"type": "string", "format": "date-time"}, INSTANT),
        ({"type": "string", "format": "date-time", "x-timestamp": "local"}, pa.timestamp("us")),
        ({"type": "string", "format": "date"}, pa.date32()),
        ({"type": "string", "format": "time"}, pa.string()),
        ({"type": "string", "format": "duration"}, pa.string()),
        ({"type": "string", "format": "uuid"}, pa.string()),
        ({"type": "string", "contentEncoding": "base64"}, pa.binary()),
        ({"type": "string", "contentMediaType": "application/json"}, pa.string()),
        ({"type": "array", "items": {"type": "integer"}}, pa.list_(pa.int64())),
        ({"type": "array"}, pa.string()),
        ({"type": "array", "items": [{"type": "integer"}, {"type": "string"}]}, pa.string()),
        ({"type": "object", "properties": {"a": {"type": "date"}}}, pa.struct([("a", pa.string())])),
        ({"type": "object"}, pa.string()),
        ({"type": "object", "properties": {}}, pa.string()),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, pa.string()),
        ({"properties": {"a": {"type": "integer"}}}, pa.struct([("a", pa.int64())])),
        ({"items": {"type": "integer"}}, pa.list_(pa.int64())),
        ({"enum": ["a", "b", None]}, pa.string()),
        ({"enum": [1, 2]}, pa.int64()),
        ({"const": 1.5}, pa.float64()),
        ({}, pa.string()),
        (True, pa.string()),
        ({"type": "null"}, pa.string()),
        ({"type": ["string", "integer", "null"]}, pa.string()),
        ({"type": ["string", "object"]}, pa.string()),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, INSTANT),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, pa.string()),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, pa.float64()),
        ({"anyOf": [{"type": "integer"}, {"type": "array", "items": {}}]}, pa.string()),
        ({"type": ["null", "string"], "anyOf": [{"type": "string", "format": "date"}]}, pa.date32()),
        ({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}, {"properties": {"b": {}}}]},
         pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ({"$ref": "#/definitions/money"}, pa.decimal128(38, 2)),
        ({"anyOf": [{"$ref": "#/$defs/a~1b"}, {"type": "null"}]}, pa.int64()),
        ({"allOf": [{"$ref": "#/definitions/money"}]}, pa.decimal128(38, 2)),
        ({"$ref": "#/definitions/tree"}, pa.struct([("value", pa.int64()), ("left", pa.string())])),
    ],
)  # fmt: skip
def test_type_of_a_property(node: Any, kind: pa.DataType) -> None:
    """Each way of saying it has one type; a type list means the narrowest column that holds all of it."""
    definitions = {
        "money": {"type": "number", "multipleOf": 0.01},
        "tree": {
            "type": "object",
            "properties": {"value": {"type": "integer"}, "left": {"$ref": "#/definitions/tree"}},
        },
    }

    schema = schema_of({"c": node}, **{"definitions": definitions, "$defs": {"a/b": {"type": "integer"}}})

    assert schema.arrow == pa.schema([("c", kind)])


def test_nested_as_json() -> None:
    """With nested=json objects and arrays are the JSON text that was sent."""
    properties = {
        "o": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "l": {"type": "array", "items": {}},
    }

    assert schema_of(properties, nested="json").arrow == pa.schema([("o", pa.string()), ("l", pa.string())])


def test_hints_keys_and_metadata_columns() -> None:
    """Hints travel with the schema, a key named twice is one; `_sdc_` columns are columns like any other."""
    properties = {"id": {"type": "integer"}, "_sdc_lsn": {"type": "integer"}}

    schema = schema_of(properties, keys=("id", "id"), **{"x-partition": {"mode": "md5"}, "title": "t"})

    assert schema.keys == ("id",)
    assert schema.hints == {"x-partition": {"mode": "md5"}}
    assert schema.arrow.names == ["id", "_sdc_lsn"]


@pytest.mark.parametrize(
    ("properties", "keys", "message"),
    [
        ({}, (), "has no properties"),
        ({"": {}}, (), "empty name"),
        ({"id": {"type": "integer"}, "ID": {"type": "integer"}}, ("id", "ID"), r"by case or encoding only.*key=ID"),
        ({"l": {"type": "array", "items": {"type": "object", "properties": {"": {}}}}}, (), r"within=l\.element\."),
        ({"a": {"type": "integer"}}, ("id",), r"key property is not in the SCHEMA, .* \(stream=s, key=id\)"),
        ({"id": {"type": "object"}}, ("id",), "key property is a json"),
        ({"id": {"type": "array", "items": {"type": "integer"}}}, ("id",), "key property is a list"),
        ({"a": {"$ref": "#/definitions/none"}}, (), r"\$ref of the SCHEMA cannot be followed"),
        ({"a": {"$ref": "https://example.org/schema.json"}}, (), r"\$ref of the SCHEMA cannot be followed"),
    ],
)
def test_schema_that_is_refused(properties: dict[str, Any], keys: tuple[str, ...], message: str) -> None:
    """What no table can hold is refused when the SCHEMA comes, before any row."""
    with pytest.raises(SafetyStopError, match=message):
        schema_of(properties, keys=keys)


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([1.5, 2**70, "array", "integer", "#", "#/x"])
WORDS = st.sampled_from([
    *("type", "properties", "items", "anyOf", "oneOf", "allOf", "$ref", "format", "multipleOf", "minimum", "maximum"),
    *("x-decimal", "precision", "scale", "enum", "const"),
])  # fmt: skip
NODES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=9
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["a", "b"]), NODES, min_size=1), NODES)
def test_any_document(properties: dict[str, Any], keys: Any) -> None:
    """Reading a SCHEMA is total: whatever it holds, it is a schema or one clear refusal."""
    message = {"stream": "s", "schema": {"properties": properties}, "key_properties": keys}

    try:
        found = stream_schema(message)
    except SafetyStopError:
        return
    assert found.arrow.names == list(properties)


@pytest.mark.parametrize("schema", [None, {}, {"type": "object"}, {"properties": []}])
def test_message_without_properties(schema: Any) -> None:
    """A SCHEMA without properties makes no table."""
    with pytest.raises(SafetyStopError, match="has no properties"):
        stream_schema({"stream": "s", "schema": schema})


@pytest.mark.parametrize(
    "name", ["with space", "dot.ted", "it's", 'quo"ted', "back\\slash", "co,mma;{}()=", "имя", "列"]
)
def test_names_that_delta_keeps(name: str, tmp_path: Any) -> None:
    """A table keeps a column's name as it is."""
    schema = schema_of({name: {"type": "integer"}}).arrow
    write_deltalake(tmp_path, pa.table({name: [1]}, schema=schema))

    assert DeltaTable(tmp_path).to_pyarrow_table().to_pylist() == [{name: 1}]
