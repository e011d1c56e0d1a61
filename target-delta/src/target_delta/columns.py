"""One property of a JSON Schema -> one column: the kind of value it holds and its Arrow type.

Takes JSON Schema nodes and the document they refer into; gives Column values. Refuses what no column can hold.
The table that a person reads is docs/reference/target-delta-types.md.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Literal

import pyarrow as pa

from target_delta.collisions import distinct, renamed
from target_delta.nodes import Branch, Node, Seen, alternatives

Kind = Literal[
    "integer", "decimal", "double", "boolean", "string", "scalar", "json",
    "instant", "local", "date", "binary", "struct", "list",
]  # fmt: skip
Nested = Literal["struct", "json"]

MAX_PRECISION = 38  # digits; Delta's and Arrow's decimal128
SCALARS = frozenset({"integer", "decimal", "double", "boolean", "string", "instant", "local", "date", "binary"})
TEXTS = frozenset({"string", "instant", "local", "date", "binary"})

# The bounds that a database's own integer types declare; any other bounds are a rule about values, not a type.
_INTEGERS: Mapping[tuple[int, int], pa.DataType] = {
    (-(2**15), 2**15 - 1): pa.int16(),
    (-(2**31), 2**31 - 1): pa.int32(),
}
_FORMATS: Mapping[str, tuple[Kind, pa.DataType]] = {
    "date-time": ("instant", pa.timestamp("us", "UTC")),
    "date": ("date", pa.date32()),
}


@dataclass(frozen=True)
class Column:
    """A column: its name, what kind of JSON value fills it, its Arrow type, and its fields or its element."""

    name: str
    kind: Kind
    type: pa.DataType
    children: tuple[Column, ...] = ()
    property: str | None = None
    """The property that fills it, where that has another name: one that readers take for that of another column."""

    @builtins.property
    def source(self) -> str:
        """The name of the property that fills it."""
        return self.name if self.property is None else self.property

    @builtins.property
    def field(self) -> pa.Field:
        """The Arrow field; always nullable, since an absent property is NULL."""
        return renamed(pa.field(self.name, self.type), self.source)


def column(name: str, node: Branch, document: Node, nested: Nested, seen: Seen = frozenset()) -> Column:
    """Return the column of one property; what several types may fill is the narrowest one that holds them all."""
    options = [_single(name, option, document, nested, led) for option, led in alternatives(node, document, seen)]
    distinct = list(dict.fromkeys(options))
    if len(distinct) == 1:
        return distinct[0]
    return _union(name, {option.kind for option in distinct})


def _union(name: str, kinds: set[Kind]) -> Column:
    if kinds and kinds <= {"integer", "double"}:
        return Column(
            name, "double" if "double" in kinds else "integer", pa.float64() if "double" in kinds else pa.int64()
        )
    if kinds and kinds <= TEXTS:
        return Column(name, "string", pa.string())
    if kinds and kinds <= SCALARS:
        return Column(name, "scalar", pa.string())
    return Column(name, "json", pa.string())


def _single(name: str, node: Node, document: Node, nested: Nested, seen: Seen) -> Column:
    match node.get("type"):
        case "integer" | "number":
            return _number(name, node)
        case "boolean":
            return Column(name, "boolean", pa.bool_())
        case "string":
            return _text(name, node)
        case "object" if nested == "struct":
            return _struct(name, node, document, seen)
        case "array" if nested == "struct":
            return _list(name, node, document, seen)
        case _:
            return Column(name, "json", pa.string())


def _number(name: str, node: Node) -> Column:
    if (declared := _declared_decimal(node)) is not None:
        return _decimal(name, *declared)
    if node["type"] == "integer":
        return _integer(name, node.get("minimum"), node.get("maximum"))
    if "multipleOf" in node:
        return _decimal(name, MAX_PRECISION, _scale(node["multipleOf"]))
    return Column(name, "double", pa.float64())


def _integer(name: str, low: object, high: object) -> Column:
    wide = [bound for bound in (low, high) if isinstance(bound, int) and not -(2**63) <= bound < 2**63]
    if wide:  # an unsigned or arbitrary integer: only a decimal holds it
        return _decimal(name, max(MAX_PRECISION, *(len(str(abs(bound))) for bound in wide)), 0)
    declared = (low, high) if isinstance(low, int) and isinstance(high, int) else None
    return Column(name, "integer", pa.int64() if declared is None else _INTEGERS.get(declared, pa.int64()))


def _decimal(name: str, precision: int, scale: int) -> Column:
    if 1 <= precision <= MAX_PRECISION and 0 <= scale <= precision:
        return Column(name, "decimal", pa.decimal128(precision, scale))
    return Column(name, "scalar", pa.string())  # more digits than any decimal of Delta: kept as the literal's own text


def _declared_decimal(node: Node) -> tuple[int, int] | None:
    for hint in (node.get("x-decimal"), node.get("x-singer.decimal"), node):
        if isinstance(hint, Mapping) and isinstance(hint.get("precision"), int):
            return hint["precision"], _whole(hint.get("scale"))
    return None


def _whole(number: object) -> int:
    """Return a number that may be missing, or written as text."""
    try:
        return int(str(number))
    except ValueError:
        return int(number) if isinstance(number, float) and number.is_integer() else 0


def _scale(multiple: object) -> int:
    try:
        exponent = Decimal(str(multiple)).normalize().as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _text(name: str, node: Node) -> Column:
    written = node.get("format")
    if written in {"singer.decimal", "x-singer.decimal"}:
        declared = _declared_decimal(node)
        return _decimal(name, *declared) if declared else Column(name, "string", pa.string())
    if node.get("contentEncoding") == "base64":
        return Column(name, "binary", pa.binary())
    if written == "date-time" and node.get("x-timestamp") == "local":
        return Column(name, "local", pa.timestamp("us"))
    return Column(name, *_FORMATS.get(str(written), ("string", pa.string())))


def _struct(name: str, node: Node, document: Node, seen: Seen) -> Column:
    properties = node.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return Column(name, "json", pa.string())
    fields = told_apart([column(child, inner, document, "struct", seen) for child, inner in properties.items()])
    return Column(name, "struct", pa.struct([child.field for child in fields]), fields)


def told_apart(columns: Sequence[Column], first: Collection[str] = ()) -> tuple[Column, ...]:
    """Return columns under names that readers tell apart; of those that they do not, one of `first` keeps its own."""
    names = distinct([one.name for one in columns], first)
    return tuple(
        one if names[one.name] == one.name else replace(one, name=names[one.name], property=one.name) for one in columns
    )


def _list(name: str, node: Node, document: Node, seen: Seen) -> Column:
    items = node.get("items")
    if isinstance(items, Sequence) or items in (None, True, False, {}):  # a tuple or anything: no one element type
        return Column(name, "json", pa.string())
    element = column("element", items, document, "struct", seen)
    return Column(name, "list", pa.list_(element.field), (element,))
