"""Rows to Arrow by a declared schema: nothing is guessed from the values, nothing changes on the way.

Takes a JSON Schema and rows, lists of rows or Arrow tables; gives Arrow tables of bounded size. Refuses values that do
not fit their column, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import pyarrow as pa

from singerkit.arrow.columns import column

Row = Mapping[str, Any]

MAX_ROWS = 5_000
"""Rows in hand at most, before they are handed on."""
MAX_BYTES = 200 << 20
"""Bytes in hand at most: a source of large documents is cut by size, not by count."""
_DECIMAL_DIGITS = 38  # decimal128's limit
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode


def table_from_iterator(items: Iterable[Row | Sequence[Row] | pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield tables of a declared schema; never more than MAX_ROWS rows or MAX_BYTES bytes are in hand."""
    for rows, _ in gathered(items):
        yield table(rows, schema)


def gathered(items: Iterable[Any]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield lists of rows within both limits, from rows, lists and Arrow tables, each with its bytes of JSON."""
    rows: list[dict[str, Any]] = []
    size = 0
    for row in _rows(items):
        weight = len(_ENCODE(row))
        if rows and (len(rows) >= MAX_ROWS or size + weight > MAX_BYTES):
            yield rows, size
            rows, size = [], 0
        rows.append(row)
        size += weight
    if rows:
        yield rows, size


def table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Return the rows as a table; absent fields are NULL, what a text column holds of objects and lists is JSON."""
    return pa.table(
        [column(values, f) for values, f in zip(_columns(rows, schema.names), schema, strict=True)], schema=schema
    )


def arrow_schema(schema: Mapping[str, Any], columns: Iterable[str] | None = None) -> pa.Schema:
    """Return the Arrow schema of a stream's JSON Schema: all of it, or some columns in its order."""
    wanted = None if columns is None else set(columns)
    properties: Mapping[str, Any] = schema.get("properties", {})
    return pa.schema([(name, arrow_type(p)) for name, p in properties.items() if wanted is None or name in wanted])


def arrow_type(prop: Mapping[str, Any]) -> pa.DataType:
    """Return the Arrow type of one property; what has no one type, or names none of its parts, is JSON text."""
    kinds = prop.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    made = _TYPES[kinds[0]](prop) if len(kinds) == 1 and kinds[0] in _TYPES else None
    return pa.string() if made is None else made


def _number(prop: Mapping[str, Any]) -> pa.DataType:
    exact = prop.get("x-decimal")
    return pa.decimal128(min(exact["precision"], _DECIMAL_DIGITS), exact["scale"]) if exact else pa.float64()


def _text(prop: Mapping[str, Any]) -> pa.DataType:
    zone = None if prop.get("x-timestamp") == "local" else "UTC"
    return {"date": pa.date32(), "date-time": pa.timestamp("us", zone)}.get(str(prop.get("format")))


def _object(prop: Mapping[str, Any]) -> pa.DataType:
    parts = [(name, arrow_type(inner)) for name, inner in prop.get("properties", {}).items()]
    return pa.struct(parts) if parts else None


def _array(prop: Mapping[str, Any]) -> pa.DataType:
    items = prop.get("items")
    return pa.list_(arrow_type(items)) if isinstance(items, Mapping) and items else None


_TYPES: Mapping[str, Callable[[Mapping[str, Any]], pa.DataType]] = {
    "boolean": lambda prop: pa.bool_(),  # noqa: ARG005  # one shape
    "integer": lambda prop: pa.int64(),  # noqa: ARG005  # one shape
    "number": _number,
    "string": _text,
    "object": _object,
    "array": _array,
}


def _columns(rows: Sequence[Row], names: Sequence[str]) -> Iterator[list[Any]]:
    """Yield the values column by column: a column that every row has is taken without a look at each value."""
    for name in names:
        try:
            yield list(map(itemgetter(name), rows))
        except KeyError:  # some row lacks the field, which is NULL then
            yield [row.get(name) for row in rows]


def _rows(items: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for item in items:
        if isinstance(item, Mapping):
            yield dict(item)
        elif isinstance(item, pa.Table):
            for batch in item.to_batches(max_chunksize=MAX_ROWS):
                yield from batch.to_pylist()
        else:
            yield from item
