"""One record's JSON text -> the column values it holds, exactly, one by one.

Takes the raw JSON text of each property; gives Python values that Arrow takes without a change. Refuses a value that
its column cannot hold unchanged, naming the column and what was expected, never the value.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isinf
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from target_delta import temporal

if TYPE_CHECKING:
    from target_delta.columns import Column

Read = Callable[[bytes], Any]

NULL = b"null"
_DIGITS = 400  # longer integer literals than any column takes are not even counted
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_TEXT = msgspec.json.Decoder(str)
_LIST = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


class RefusedError(ValueError):
    """A value does not fit its column; `path` is the way to it inside the record."""

    def __init__(self, expected: str, path: str = "") -> None:
        super().__init__(expected)
        self.expected, self.path = expected, path


def reader(column: Column) -> Read:
    """Return the function that reads a column's value from its JSON text; `null` is None for every column."""
    read = _READERS[column.kind](column)

    def read_or_null(raw: bytes) -> Any:
        if raw == NULL:
            return None
        try:
            return read(raw)
        except RefusedError as refused:
            raise RefusedError(refused.expected, f"{column.name}.{refused.path}".rstrip(".")) from refused
        except (ValueError, msgspec.MsgspecError) as error:
            raise RefusedError(_EXPECTED[column.kind].format(type=column.type), column.name) from error

    return read_or_null


def object_reader(
    columns: Sequence[Column], instead: Callable[[Column, bytes, RefusedError], Any] | None = None
) -> Callable[[bytes], Mapping[str, Any]]:
    """Return the function that reads an object's declared properties; an absent one is None, another is passed over.

    `instead` gives what is taken in the place of a value that is refused, or raises the refusal.
    """
    readers = [
        (column.name, column.source, reader(column) if instead is None else _mended(column, instead))
        for column in columns
    ]
    decode = _OBJECT.decode if any(awkward(column.source) for column in columns) else _known(columns)

    def read(raw: bytes) -> Mapping[str, Any]:
        texts = decode(raw)
        return {name: one(bytes(texts[source])) if source in texts else None for name, source, one in readers}

    return read


def _mended(column: Column, instead: Callable[[Column, bytes, RefusedError], Any]) -> Read:
    read = reader(column)

    def read_or_mend(raw: bytes) -> Any:
        try:
            return read(raw)
        except RefusedError as refused:
            return instead(column, raw, refused)

    return read_or_mend


def literal(raw: bytes) -> str:
    """Return the text that stands for a JSON value: a string as it is, everything else letter by letter."""
    return str(_TEXT.decode(raw)) if raw[:1] == b'"' else raw.decode()


def awkward(name: str) -> bool:
    """Tell whether a name must be escaped in JSON: no msgspec struct can have such a field."""
    return any(letter in '"\\' or ord(letter) < 0x20 for letter in name)


def _known(columns: Sequence[Column]) -> Callable[[bytes], Mapping[str, Raw]]:
    """Return a decoder of the declared properties alone: what nobody declared is skipped as the bulk path skips it."""
    names = [column.source for column in columns]
    fields = [(f"f{index}", Raw, Raw(NULL)) for index in range(len(names))]
    rename = dict(zip((field[0] for field in fields), names, strict=True))
    decoder = msgspec.json.Decoder(msgspec.defstruct("Texts", fields, rename=rename, gc=False))
    return lambda raw: dict(zip(names, msgspec.structs.astuple(decoder.decode(raw)), strict=True))


def _integer(column: Column) -> Read:
    low, high = -(2 ** (column.type.bit_width - 1)), 2 ** (column.type.bit_width - 1) - 1

    def read(raw: bytes) -> int:
        value = _decimal_of(raw.decode())
        if value != value.to_integral_value() or not low <= value <= high:
            raise RefusedError(f"an integer of {column.type.bit_width} bits")
        return int(value)

    return read


def _decimal(column: Column) -> Read:
    precision, scale = column.type.precision, column.type.scale

    def read(raw: bytes) -> Decimal:
        value = _decimal_of(literal(raw))
        whole, fraction = _places(value)
        if whole > precision - scale or fraction > scale:
            raise RefusedError(f"a decimal of {precision} digits, {scale} of them after the point")
        return value or Decimal(0)  # 0E+400000 is a zero too

    return read


def _places(value: Decimal) -> tuple[int, int]:
    """Return how many digits stand before and after the point; by the digits, as arithmetic rounds to a context."""
    digits = "".join(map(str, value.as_tuple().digits))
    exponent = value.as_tuple().exponent
    if not value or not isinstance(exponent, int):
        return 0, 0
    return value.adjusted() + 1, -exponent - (len(digits) - len(digits.rstrip("0")))


def _double(_: Column) -> Read:
    def read(raw: bytes) -> float:
        if raw[:1] == b'"':
            return not_finite(_TEXT.decode(raw))
        text = raw.decode()
        value = float(text)
        whole = text.removeprefix("-").isdigit()
        if isinf(value) or (whole and int(text) != int(value)):
            raise RefusedError("a number that a double holds (declare multipleOf or x-decimal for more digits)")
        return float(int(text)) if whole else value  # the integer -0 is 0, the number -0.0 is not

    return read


def not_finite(name: str) -> float:
    """Return the double that JSON has no number for, by the name that JSON texts give it."""
    if name not in _NOT_FINITE:
        raise ValueError("not a number")
    return _NOT_FINITE[name]


def _boolean(_: Column) -> Read:
    return msgspec.json.Decoder(bool).decode


def _string(_: Column) -> Read:
    return _TEXT.decode


def _scalar(_: Column) -> Read:
    def read(raw: bytes) -> str:
        if raw[:1] in b"[{":
            raise RefusedError("a string, number or boolean")
        return literal(raw)

    return read


def _json(_: Column) -> Read:
    return bytes.decode


def _binary(_: Column) -> Read:
    return lambda raw: binascii.a2b_base64(_TEXT.decode(raw), strict_mode=True)


def _temporal(read: Callable[[str], Any]) -> Callable[[Column], Read]:
    return lambda _: lambda raw: read(_TEXT.decode(raw))


def _struct(column: Column) -> Read:
    return object_reader(column.children)


def _list(column: Column) -> Read:
    read = reader(column.children[0])
    return lambda raw: [read(bytes(element)) for element in _LIST.decode(raw)]


def _decimal_of(text: str) -> Decimal:
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return Decimal(text)


_READERS: Mapping[str, Callable[[Column], Read]] = {
    "integer": _integer, "decimal": _decimal, "double": _double, "boolean": _boolean, "string": _string,
    "scalar": _scalar, "json": _json, "binary": _binary, "struct": _struct, "list": _list,
    "instant": _temporal(temporal.instant), "local": _temporal(temporal.local), "date": _temporal(temporal.day),
}  # fmt: skip
_EXPECTED: Mapping[str, str] = {
    "integer": "an integer", "decimal": "a number or its text", "double": "a number", "boolean": "true or false",
    "string": "a string", "scalar": "a string, number or boolean", "json": "JSON in UTF-8", "binary": "base64 text",
    "struct": "an object", "list": "an array", "instant": "a date-time from year 1 to 9999, to the microsecond",
    "local": "a date-time without a zone, to the microsecond", "date": "a date, or midnight in UTC",
}  # fmt: skip
