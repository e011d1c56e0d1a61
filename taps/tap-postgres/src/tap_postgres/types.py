"""What each PostgreSQL type becomes: a SELECT expression, an Arrow type and a JSON Schema. Pure.

Takes a column's type as the catalog tells it; gives a `Rendering`. ADBC changes some values without a word, so a short
proven list is read as it is and everything else is cast to text, or to something proven, by the server itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

ArrayDepth = Literal[0, 1, 2]  # not an array · declared as x[] · declared as x[][] or more
Schema = dict[str, Any]

MAX_PRECISION = 38  # of Arrow's decimal128, of Delta's decimal and of most of the world
JSON_TEXT: Schema = {"type": ["string", "null"], "contentMediaType": "application/json"}
_TEXT: Schema = {"type": ["string", "null"]}


@dataclass(frozen=True)
class PgType:
    """A column's type as pg_catalog tells it, domains resolved to what they rest on."""

    name: str  # pg_type.typname of the element where it is an array
    kind: str = "b"  # pg_type.typtype: b(ase) c(omposite) e(num) r(ange) m(ultirange)
    precision: int | None = None  # of numeric
    scale: int | None = None
    depth: ArrayDepth = 0
    builtin: bool = True  # lives in pg_catalog


@dataclass(frozen=True)
class Rendering:
    """How a column is selected and what it then is.

    `select` holds `{}` for the quoted column; `arrow` is the type after `conform`; `ordered` says that values can be
    compared, bound and kept in STATE, so that the column can be a replication key; `cast` names the type of a bookmark.
    """

    select: str
    arrow: pa.DataType
    schema: Schema
    ordered: bool = False
    cast: str = ""
    note: str = field(default="", compare=False)

    @property
    def is_json_of_server(self) -> bool:
        """Whether the value is JSON that the server makes, by what its catalog knows of the type."""
        return self.select.startswith("pg_catalog.to_json(")


def rendering(kind: PgType) -> Rendering:
    """Return the one answer for a type."""
    element = _element(kind)
    if kind.depth == 0:
        return element
    if kind.depth == 2 or element.arrow_is_json or not element.proven:
        return _as_json("to_json")
    return _list_of(element)


@dataclass(frozen=True)
class _Element(Rendering):
    proven: bool = False  # arrays of it come through ADBC as they are, or cast to `array_cast`
    array_cast: str = ""

    @property
    def arrow_is_json(self) -> bool:
        return self.schema.get("contentMediaType") is not None


def _as_json(function: str) -> Rendering:
    return Rendering(f"pg_catalog.{function}({{}})::text", pa.string(), JSON_TEXT)


def _list_of(element: _Element) -> Rendering:
    """A list of the element; the server stops the query at a value of more dimensions than one.

    The text that cannot be read as an array carries the message; it depends on the row, so that no planner folds it.
    """
    cast = element.array_cast or element.cast
    message = f"'{NESTED_ARRAY}' || pg_catalog.array_ndims({{0}})"
    select = f"CASE WHEN pg_catalog.array_ndims({{0}}) > 1 THEN ({message})::{cast}[] ELSE {{0}}::{cast}[] END"
    return Rendering(select, pa.list_(element.arrow), {"type": ["array", "null"], "items": element.schema})


NESTED_ARRAY = "a list is declared but this value has dimensions: "
"""What the server's error quotes when a value of `x[]` has more than one dimension."""


def _integer(bits: int, name: str) -> _Element:
    bounds = {"minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
    arrow = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[bits]
    return _Element("{}", arrow, {"type": ["integer", "null"], **bounds}, ordered=True, cast=name, proven=True)


def _text(*, ordered: bool = False, schema: Schema | None = None, cast: str = "text", note: str = "") -> _Element:
    return _Element("{}::text", pa.string(), schema or _TEXT, ordered, cast, note, proven=True, array_cast="text")


def _stamp(name: str, arrow: pa.DataType, schema: Schema) -> _Element:
    return _Element("{}", arrow, {"type": ["string", "null"], **schema}, ordered=True, cast=name, proven=True)


def _printed(note: str = "") -> _Element:
    """The text that psql prints, where a cast to text says something else (inet's adds a mask)."""
    select = "CASE WHEN {0} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {0}) END"
    return _Element(select, pa.string(), _TEXT, note=note)


_DOUBLE: Schema = {"type": ["number", "null"]}
_NAMED: Mapping[str, _Element] = {
    "bool": _Element("{}", pa.bool_(), {"type": ["boolean", "null"]}, cast="bool", proven=True),
    "int2": _integer(16, "int2"),
    "int4": _integer(32, "int4"),
    "int8": _integer(64, "int8"),
    "oid": _Element(
        "{}::int8",
        pa.int64(),
        {"type": ["integer", "null"], "minimum": 0, "maximum": 2**32 - 1},
        ordered=True,
        cast="oid",
    ),
    "xid": _Element("{}::text::int8", pa.int64(), {"type": ["integer", "null"], "minimum": 0, "maximum": 2**32 - 1}),
    "float4": _Element(
        "{}::float8", pa.float64(), _DOUBLE, cast="float8", proven=True, note="widened exactly to a double"
    ),
    "float8": _Element("{}", pa.float64(), _DOUBLE, cast="float8", proven=True),
    "money": _Element(
        "{}::numeric::text",
        pa.decimal128(21, 2),
        {"type": ["number", "null"], "x-decimal": {"precision": 21, "scale": 2}},
        note="in the server's lc_monetary; more than two fraction digits stop the stream",
    ),
    "text": _Element("{}", pa.string(), _TEXT, ordered=True, cast="text", proven=True),
    "varchar": _Element("{}", pa.string(), _TEXT, ordered=True, cast="varchar", proven=True),
    "bpchar": _Element(
        "{}", pa.string(), _TEXT, cast="bpchar", proven=True, note="with its padding, as psql prints it"
    ),
    "name": _text(),
    "char": _text(note="the internal one-byte type"),
    "citext": _text(),
    "uuid": _text(ordered=True, schema={"type": ["string", "null"], "format": "uuid"}, cast="uuid"),
    "bytea": _Element(
        "{}",
        pa.binary(),
        {"type": ["string", "null"], "contentEncoding": "base64"},
        cast="bytea",
        proven=True,
        note="base64 in RECORD, binary in batches",
    ),
    "date": _stamp("date", pa.date32(), {"format": "date"}),
    "timestamp": _stamp("timestamp", pa.timestamp("us"), {"format": "date-time", "x-timestamp": "local"}),
    "timestamptz": _stamp("timestamptz", pa.timestamp("us", "UTC"), {"format": "date-time"}),
    "time": _text(schema={"type": ["string", "null"], "format": "time"}, note="24:00:00 stays as it is"),
    "timetz": _text(note="with its own offset"),
    "interval": _text(note="ISO 8601, as in P1Y2M3DT4H5M6.7S"),
    "json": _Element("{}::text", pa.string(), JSON_TEXT, note="the text as stored"),
    "jsonb": _Element("{}::text", pa.string(), JSON_TEXT, note="the server's own text"),
    "hstore": _Element("pg_catalog.to_json({})::text", pa.string(), JSON_TEXT, note="a JSON object of texts"),
    "inet": _printed(),
    "cidr": _printed(),
}
_KINDS: Mapping[str, _Element] = {
    "c": _Element("pg_catalog.to_json({})::text", pa.string(), JSON_TEXT, note="a JSON object of its fields"),
    "e": _text(note="the label"),
}


def _element(kind: PgType) -> _Element:
    if kind.name == "numeric" and kind.builtin:
        return _numeric(kind.precision, kind.scale)
    if kind.kind in _KINDS:
        return _KINDS[kind.kind]
    if kind.builtin or kind.name in {"citext", "hstore"}:
        return _NAMED.get(kind.name, _OTHER)
    return _OTHER


_OTHER = _Element("{}::text", pa.string(), _TEXT, note="the server's text")


def _numeric(precision: int | None, scale: int | None) -> _Element:
    """A decimal where both numbers are declared and fit 38 digits; else the exact text."""
    if precision is None or scale is None:
        return _text(ordered=True, schema={"type": ["string", "null"], "format": "singer.decimal"}, cast="numeric")
    digits = max(precision, scale) - min(scale, 0)  # numeric(2,-3) holds 99000; numeric(3,5) holds 0.00999
    places = max(scale, 0)
    if digits > MAX_PRECISION:
        return _text(ordered=True, schema={"type": ["string", "null"], "format": "singer.decimal"}, cast="numeric")
    schema: Schema = {"type": ["number", "null"], "x-decimal": {"precision": digits, "scale": places}}
    return _Element(
        "{}::text", pa.decimal128(digits, places), schema, ordered=True, cast="numeric", proven=True, array_cast="text"
    )
