"""A bookmark's value by what it is: a moment, a local time, a day, a number, or a text that only the source can order.

Takes JSON values and a person's text; gives values that compare, and the text in the form that was kept. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

KEY, VALUE = "replication_key", "replication_key_value"
"""Where a STATE keeps the name of a bookmark's column, and the bookmark."""

Kind = Literal["moment", "local time", "day", "number", "text"]

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])\d\d:\d\d(:\d\d([.]\d+)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?")
_NUMBER = re.compile(r"[+-]?\d+([.]\d+)?")


@dataclass(frozen=True)
class Value:
    """A bookmark's value: its kind, the form that compares, and how it was written."""

    kind: Kind
    comparable: Any
    written: Any


def read(written: Any) -> Value:
    """Return a value as what it is; whatever is neither a time nor a number is a text."""
    if isinstance(written, int | float | Decimal) and not isinstance(written, bool):
        return Value("number", Decimal(str(written)), written)
    text = str(written)
    try:
        if _DAY.fullmatch(text):
            return Value("day", date.fromisoformat(text), written)
        if found := _TIME.fullmatch(text):
            moment = datetime.fromisoformat(text.replace(" Z", "Z"))
            return Value("moment" if found[5] else "local time", moment, written)
    except ValueError:  # the thirtieth of February
        return Value("text", text, written)
    if _NUMBER.fullmatch(text):
        return Value("number", Decimal(text), written)
    return Value("text", text, written)


def asked(text: str, kind: Kind) -> Value | None:
    """Return what a person asked for as a value of a kind, or None where the text is not of that kind.

    A day stands for its midnight; without an offset a moment is taken as UTC.
    """
    given = read(text.strip())
    if given.kind == kind:
        return given
    if given.kind == "day" and kind in {"moment", "local time"}:
        midnight = datetime.combine(given.comparable, time(), UTC if kind == "moment" else None)
        return Value(kind, midnight, text)
    if given.kind == "local time" and kind == "moment":
        return Value(kind, given.comparable.replace(tzinfo=UTC), text)
    return None


def like(value: Value, old: Value) -> Any:
    """Return a value in the form of the old one: its offset, its separator, its digits, a number or a text."""
    if old.kind == "number":
        return str(value.comparable) if isinstance(old.written, str) else _number(value.comparable, old.written)
    if old.kind == "day":
        return value.comparable.isoformat()
    found = _TIME.fullmatch(str(old.written))
    assert found is not None  # noqa: S101  # `read` has matched it
    moment: datetime = value.comparable
    if old.comparable.tzinfo:
        moment = moment.astimezone(old.comparable.tzinfo)
    digits = len(found[4]) - 1 if found[4] else 0
    text = moment.replace(tzinfo=None).isoformat(found[2], timespec="microseconds" if digits else "seconds")
    text = (
        text[: len("2026-01-01T00:00:00.") + digits].ljust(len("2026-01-01T00:00:00.") + digits, "0")
        if digits
        else text
    )
    return text + _offset(found[5] or "", moment)


def _number(number: Decimal, old: Any) -> int | float | Decimal:
    if isinstance(old, int) and number == number.to_integral_value():
        return int(number)
    return float(number)


def _offset(old: str, moment: datetime) -> str:
    if old in {"", "Z"}:
        return old
    text = moment.strftime("%z")  # +0200
    return text if ":" not in old else f"{text[:3]}:{text[3:]}"
