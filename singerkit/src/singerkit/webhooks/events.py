"""What a tap says of its vendor's webhooks: which event holds a record of which stream, and how it is signed. Pure.

Takes deliveries; gives the records of a stream, the newest version of each. Refuses nothing: what holds no record of a
stream is none of its deliveries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singerkit.rest import conditions, selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singerkit.rest.endpoint import Condition
    from singerkit.webhooks.signature import Hmac

DELETED_AT = "_sdc_deleted_at"


@dataclass(frozen=True)
class Delivery:
    """One delivery as the spool holds it: its place in the order of arrival, the event, when it came, and its body."""

    place: str
    event: str
    at: str
    body: Any


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of the vendor, and the record of one stream in it."""

    name: str
    """The vendor's name of the event."""
    stream: str
    """The stream that the record is a row of."""
    record: str
    """JSONPath of the record."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns that stand elsewhere in the delivery, each with its JSONPath."""
    only_if: tuple[Condition, ...] = ()
    """Conditions on the delivery; where one does not hold, it holds no row of this stream."""
    gone_if: tuple[Condition, ...] = ()
    """Conditions on the delivery under which the record was deleted."""
    upper: tuple[str, ...] = ()
    """Fields that the API writes in capital letters, and deliveries do not."""

    def row(self, delivery: Delivery) -> dict[str, Any] | None:
        """Return the record with its columns, or None where the delivery holds none."""
        found = selector.value(self.record, delivery.body)
        if not isinstance(found, dict) or not _hold(self.only_if, delivery.body):
            return None
        capital = {name: str(found[name]).upper() for name in self.upper if found.get(name) is not None}
        columns = {name: selector.value(path, delivery.body) for name, path in self.columns.items()}
        gone = {DELETED_AT: delivery.at} if self.gone_if and _hold(self.gone_if, delivery.body) else {}
        return {**found, **capital, **columns, **gone}


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """All that a receiver and a drain must know of a vendor."""

    signature: Hmac
    event_header: str
    """Header of the event's name."""
    events: tuple[Event, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The events that are wanted, by name."""
        return tuple(sorted({event.name for event in self.events}))

    def streams(self, name: str | None = None) -> frozenset[str]:
        """Return the streams of one event, or of all."""
        return frozenset(event.stream for event in self.events if name in {None, event.name})

    def rows(self, stream: str, deliveries: Iterable[Delivery]) -> Iterator[dict[str, Any]]:
        """Yield the records of a stream, in the order of arrival."""
        wanted = [event for event in self.events if event.stream == stream]
        for delivery in deliveries:
            for event in wanted:
                if event.name == delivery.event and (row := event.row(delivery)) is not None:
                    yield row


def latest(rows: Iterable[dict[str, Any]], keys: Sequence[str], versions: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row a key: of the highest version, and of two equal versions what came later."""
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row.get(name) for name in keys)
        before = newest.get(key)
        if before is None or _version(row, versions) >= _version(before, versions):
            newest.pop(key, None)
            newest[key] = row
    return [*newest.values()]


def _version(row: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[bool, Any], ...]:
    return tuple((row.get(name) is not None, row.get(name) or "") for name in names)


def _hold(wanted: Sequence[Condition], body: Any) -> bool:
    return all(conditions.holds(one, selector.value(one.field, body)) for one in wanted)
