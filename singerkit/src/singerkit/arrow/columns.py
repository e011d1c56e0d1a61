"""JSON values to Arrow columns: each type has its maker, and none of them changes a value. Pure.

Takes the values of one column and its field; gives an array. Refuses what does not fit, by the column's name: a
fraction in an integer, a digit that a double or a microsecond has not, a number as a moment, a time of day as a date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import accumulate
from typing import Any

import msgspec
import pyarrow as pa

from singerkit.errors import SafetyStopError

Values = Sequence[Any]
Types = set[type]
"""The types among the values, without that of NULL: found in one pass, they decide for the whole column."""

_ENCODE = msgspec.json.Encoder(decimal_format="number").encode
_NUMBERS = {int, float, Decimal}
_WORDS = {"NaN", "Infinity", "-Infinity"}
_EXACT = 2**53  # beyond, not every integer has a double
_LOST_DIGIT = re.compile(r"[.,]\d{6}\d*[1-9]")  # a seventh digit of a second that is not 0


def column(values: Values, wanted: pa.Field) -> pa.Array:
    """Return values as a column, or name the column and its type where one does not fit."""
    try:
        return _maker(wanted.type)(values, {*map(type, values)} - {type(None)}, wanted.type)
    except (pa.ArrowException, ValueError, TypeError, ArithmeticError) as error:
        raise SafetyStopError(
            "a value does not fit its column",
            column=wanted.name,
            type=str(wanted.type),
            remedy="correct the stream's schema",
        ) from error


def _maker(kind: pa.DataType) -> Callable[[Values, Types, pa.DataType], pa.Array]:
    return next((make for fits, make in _MAKERS.items() if fits(kind)), _plain)


def _plain(values: Values, types: Types, kind: pa.DataType) -> pa.Array:  # noqa: ARG001  # one shape
    return pa.array(values, kind)


def _texts(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    """What is no text travels as its JSON."""
    return pa.array(values if types <= {str} else [_json_text(value) for value in values], kind)


def _structs(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    if types - {dict}:
        raise TypeError("no object")
    fields = [kind.field(index) for index in range(kind.num_fields)]
    children = [column([None if value is None else value.get(one.name) for value in values], one) for one in fields]
    return pa.StructArray.from_arrays(children, fields=fields, mask=_absent(values))


def _lists(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    if types - {list}:
        raise TypeError("no list")
    items = column([one for value in values if value is not None for one in value], kind.value_field)
    ends = accumulate((len(value or ()) for value in values), initial=0)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items, type=kind, mask=_absent(values))


def _absent(values: Values) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())


def _json_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _ENCODE(value).decode()


def _integers(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    return pa.array(values if types <= {int} else [_integer(value) for value in values], kind)


def _integer(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) not in _NUMBERS or value != int(value):
        raise TypeError("no integer")
    return int(value)


def _doubles(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    if types <= {float}:
        return pa.array(values, kind)
    if types == {Decimal} and None not in values:
        made = list(map(float, values))
        if math.inf in made or -math.inf in made:
            raise OverflowError("no double is so large")
        return pa.array(made, kind)
    return pa.array([_double(value) for value in values], kind)


def _double(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _WORDS:
            raise TypeError("a text is no number")
        return float(value)
    if type(value) not in _NUMBERS:
        raise TypeError("no number")
    made = float(value)
    if (isinstance(value, int) and abs(value) > _EXACT and int(made) != value) or (math.isinf(made) and made != value):
        raise OverflowError("no double equals it")
    return made


def _decimals(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    if bool in types:
        raise TypeError("a truth value is no number")
    return pa.array([None if value is None else Decimal(str(value)) for value in values], kind)


def _moments(values: Values, types: Types, kind: pa.DataType) -> pa.Array:
    """Parse by Arrow in one go where all are plain texts, else one by one."""
    if types <= {str}:
        try:
            return pa.array(values, pa.string()).cast(kind)
        except pa.ArrowInvalid:  # another spelling of ISO 8601, such as one without an offset
            pass
    return pa.array([_moment(value, local=kind.tz is None) for value in values], kind)


def _moment(value: Any, *, local: bool) -> datetime | None:
    if value is None:
        return None
    made = _read_moment(value)
    if local:
        if made.tzinfo:
            raise ValueError("a local moment has no offset")
        return made
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _read_moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if not isinstance(value, str):  # an epoch: in which unit, nothing says
        raise TypeError("no moment")
    if _LOST_DIGIT.search(value):
        raise ValueError("finer than a microsecond")
    return datetime.fromisoformat(value)


def _dates(values: Values, types: Types, kind: pa.DataType) -> pa.Array:  # noqa: ARG001  # one shape
    return pa.array([_date(value) for value in values], kind)


def _date(value: Any) -> date | None:
    if value is None:
        return None
    made = _read_moment(value)
    made = made.astimezone(UTC) if made.tzinfo else made
    if made.time() != time():
        raise ValueError("a time of day would be lost")
    return made.date()


_MAKERS: Mapping[Callable[[pa.DataType], bool], Callable[[Values, Types, pa.DataType], pa.Array]] = {
    pa.types.is_string: _texts,
    pa.types.is_integer: _integers,
    pa.types.is_floating: _doubles,
    pa.types.is_decimal: _decimals,
    pa.types.is_timestamp: _moments,
    pa.types.is_date: _dates,
    pa.types.is_struct: _structs,
    pa.types.is_list: _lists,
}
