"""Bookmark values: compared by their type, never as text; clamped, and said in the server's own format.

Takes values as records and STATE hold them; gives values that compare. Refuses what is not of the type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as member
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from singerkit.errors import SettingsError
from singerkit.rest import held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singerkit.rest.message import Place

Kind = Literal["datetime", "date", "integer", "numeric", "text"]
Moment = TypeVar("Moment", datetime, date)

_MS_FROM = 100_000_000_000  # a number above this is an epoch in milliseconds: seconds reach it in the year 5138
BEGINNING = datetime.min.replace(tzinfo=UTC)
_US = timedelta(microseconds=1)
_UNITS: Mapping[str, timedelta] = {
    "iso": _US,
    "iso_seconds": timedelta(seconds=1),
    "epoch": timedelta(seconds=1),
    "epoch_ms": timedelta(milliseconds=1),
    "date": timedelta(days=1),
}
_DIRECTIVES = (
    ("%f", _US),
    ("%S", timedelta(seconds=1)),
    ("%M", timedelta(minutes=1)),
    ("%H", timedelta(hours=1)),
)


@dataclass(frozen=True, kw_only=True)
class Bookmark:
    """One field that tells how far a run came, and how the server is asked for what is newer."""

    field: str
    """The field of the record."""
    type: Kind = "datetime"
    """How values compare. A number of type datetime is an epoch, in seconds or milliseconds."""
    param: str | None = None
    """The server's parameter for "from here on", or none where it cannot filter."""
    until_param: str | None = None
    """The server's parameter for "up to here", or none."""
    into: Place = "query"
    """Where the parameters go."""
    format: str = "iso"
    """How the server wants a moment: iso, iso_seconds, epoch, epoch_ms, date, or a pattern for strftime."""
    template: str = "{value}"
    """The parameter's text around the value: `greater-or-equal(updated,{value})`."""
    exclusive: bool = False
    """Whether the server leaves out the value itself; one unit of the format is then added on both sides."""
    params: Mapping[str, Any] = member(default_factory=dict)
    """Parameters that go with this bookmark, such as the sort order that makes `order` true."""
    order: Literal["asc", "desc"] | None = None
    """Order in which records arrive, or none where it is not promised."""
    of_parent: bool = False
    """Whether the value is the parent's, by which it is `changed_by`: a parent that moved brings all its children."""
    lookback_s: float = 0
    """How far before the bookmark a run begins again; the bookmark itself does not move."""
    clamp_future: bool = True
    """Whether a value in the future counts as now; one wrong record would else hide all that follow."""
    first_days: int | None = None
    """How far back the first run goes, where `start_date` says nothing later."""


def comparable(kind: Kind, value: Any) -> Any:
    """Return a value that orders as its type does; ValueError where it is none of that type."""
    try:
        return _READERS[kind](value)
    except (TypeError, InvalidOperation, OverflowError, OSError) as error:
        raise ValueError(f"not of type {kind}") from error


def from_state(bookmark: Bookmark, value: Any, stream: str) -> Any:
    """Return the comparable value of a STATE, or say what is wrong with it and how to put it right."""
    try:
        return comparable(bookmark.type, value)
    except ValueError as error:
        raise SettingsError(
            f"the bookmark in the STATE is not of type {bookmark.type}",
            stream=stream,
            key=bookmark.field,
            holds=type(value).__name__,
            remedy=held.REMEDY,
        ) from error


def storable(value: Any, like: Any) -> Any:
    """Return a comparable value as a STATE holds it, in the form of the record's own value."""
    if isinstance(value, datetime):
        if isinstance(like, int | Decimal):
            number = Decimal(str(value.timestamp()))
            number = number * 1000 if like > _MS_FROM else number
            return math.floor(number) if isinstance(like, int) else number
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def rendered(bookmark: Bookmark, value: Any, *, until: bool = False) -> Any:
    """Return the value as the server wants it: rounded outwards, so that no record at the edge is lost."""
    if isinstance(value, datetime):
        value = _moment(bookmark, value, until=until)
    elif isinstance(value, date):
        days = timedelta(days=(1 if until else -1) if bookmark.exclusive else 0)
        value = (value + days).isoformat()
    elif isinstance(value, int) and bookmark.exclusive:
        value += 1 if until else -1
    return value if bookmark.template == "{value}" else bookmark.template.replace("{value}", str(value))


def clamped(bookmark: Bookmark, value: Any, now: datetime) -> Any:
    """Return the value, or now where it lies in the future."""
    if not bookmark.clamp_future or not isinstance(value, date):
        return value
    return min(value, now if isinstance(value, datetime) else now.date())


def before(value: Moment, seconds: float) -> Moment | None:
    """Return what lies so many seconds before, or None where the calendar has not begun."""
    try:
        return value - timedelta(seconds=seconds)
    except OverflowError:
        return None


def since(bookmark: Bookmark, last: Any, start_date: datetime | None, now: datetime) -> Any:
    """Return where a read begins: the bookmark less its lookback, never before `start_date`; None for everything."""
    if bookmark.type not in {"datetime", "date"}:
        return last
    floors = [start_date] if start_date else []
    if last is None and bookmark.first_days is not None:
        floors.append(before(now, bookmark.first_days * 86400) or BEGINNING)
    if bookmark.type == "date":
        back = None if last is None else before(last, math.ceil(bookmark.lookback_s / 86400) * 86400)
        return max([floor.date() for floor in floors] + ([back] if back else []), default=None)
    back = None if last is None else before(last, bookmark.lookback_s)
    return max(floors + ([back] if back else []), default=None)


@dataclass(frozen=True)
class Seen:
    """What a page tells about a bookmark: its lowest and highest value, and the orders that its values allow."""

    low: Any = None
    high: Any = None
    first: Any = None
    last: Any = None
    ascending: bool = True
    descending: bool = True
    raw: Any = None
    """One value as the records hold it: STATE keeps that form."""


def seen(bookmark: Bookmark, records: Sequence[Mapping[str, Any]], stream: str) -> Seen:
    """Return what a page tells; records without a value count for nothing, one of another type is an error."""
    raws = [raw for record in records if (raw := record.get(bookmark.field)) is not None]
    if not raws:
        return Seen()
    read = _READERS[bookmark.type]
    try:
        values = [read(raw) for raw in raws]
    except (TypeError, ValueError, InvalidOperation, OverflowError) as error:
        raise SettingsError(
            f"a record's bookmark is not of type {bookmark.type}",
            stream=stream,
            field=bookmark.field,
            remedy="correct the bookmark's type in the row, or choose another bookmark",
        ) from error
    ordered = sorted(values)
    return Seen(
        low=ordered[0],
        high=ordered[-1],
        first=values[0],
        last=values[-1],
        ascending=values == ordered,
        descending=values == ordered[::-1],
        raw=raws[0],
    )


def unit(bookmark: Bookmark) -> timedelta:
    """Return the smallest step that the server's format can say: that of a pattern's finest directive."""
    if bookmark.format in _UNITS:
        return _UNITS[bookmark.format]
    return next((step for directive, step in _DIRECTIVES if directive in bookmark.format), timedelta(days=1))


def _moment(bookmark: Bookmark, value: datetime, *, until: bool) -> Any:
    step = unit(bookmark)
    past = (value - datetime(1970, 1, 1, tzinfo=UTC)) % step
    value = value - past + (step if until and past else timedelta(0))
    if bookmark.exclusive:
        value = value + step if until else before(value, step.total_seconds()) or value
    match bookmark.format:
        case "epoch":
            return int(value.timestamp())
        case "epoch_ms":
            return int((value - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
        case "date":
            return value.date().isoformat()
        case "iso" | "iso_seconds":
            return value.isoformat().replace("+00:00", "Z")
        case pattern:
            return value.strftime(pattern)


def _datetime(value: Any) -> datetime:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(value, bool):
        raise TypeError("a truth value is no moment")
    number = Decimal(value)
    micros = int(number * (1000 if abs(number) > _MS_FROM else 1_000_000))
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or (not isinstance(value, str) and value != int(value)):
        raise TypeError("no integer")
    return int(value)


def _numeric(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise TypeError("no number")  # NaN has no place in an order
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "datetime": _datetime,
    "date": lambda value: date.fromisoformat(value[:10]),
    "integer": _integer,
    "numeric": _numeric,
    "text": _text,
}
