"""The stream that the figures of the loader are measured with: ten mixed columns, 342 bytes a line.

Takes a number of rows; gives Singer messages, the same for the same number. Nothing here is random between two runs.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "orders"
STATE_EVERY = 10_000  # records, as singer-sdk's taps send it
TEXT = {"type": ["null", "string"]}
PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "qty": {"type": ["null", "integer"]},
    "price": {"type": ["null", "number"]},
    "active": {"type": ["null", "boolean"]},
    "code": TEXT,
    "name": TEXT,
    "description": TEXT,
    "created_at": {**TEXT, "format": "date-time"},
    "day": {**TEXT, "format": "date"},
    "address": {"type": ["null", "object"], "properties": {"city": TEXT, "zip": TEXT, "lat": {"type": "number"}}},
}
SCHEMA = {
    "type": "SCHEMA",
    "stream": STREAM,
    "key_properties": ["id"],
    "schema": {"type": "object", "properties": PROPERTIES},
}
WORDS = ["lorem", "ipsum", "dolor", "amet", "consectetur", "adipiscing", "elit", "sed", "eiusmod", "tempor", "labore"]
START, DAYS_US = datetime(2024, 1, 1, tzinfo=UTC), 731 * 86_400_000_000


def messages(rows: int) -> Iterator[bytes]:
    """Return the lines of a whole input: SCHEMA, records, a STATE every 10,000 of them and at the end."""
    yield _line(SCHEMA)
    for number, line in enumerate(records(rows), 1):
        yield line
        if number % STATE_EVERY == 0 or number == rows:
            yield _line({"type": "STATE", "value": {"bookmarks": {STREAM: {"replication_key_value": number}}}})


def records(rows: int) -> Iterator[bytes]:
    """Return RECORD lines, each ended by a newline."""
    dice = random.Random(7)
    phrases = [" ".join(dice.choices(WORDS, k=5)) for _ in range(4096)]  # two make one of 16 million
    for number in range(rows):
        yield _line({"type": "RECORD", "stream": STREAM, "record": _record(number, dice, phrases)})


def _record(number: int, dice: random.Random, phrases: list[str]) -> dict[str, Any]:
    at = START + timedelta(microseconds=int(dice.random() * DAYS_US))
    return {
        "id": number,
        "qty": int(dice.random() * 1000) if number % 50 else None,
        "price": round(dice.random() * 1000, 4),
        "active": dice.random() < 0.5,
        "code": f"C{int(dice.random() * 5000):04}",
        "name": f"Customer {int(dice.random() * 1_000_000)}",
        "description": f"{dice.choice(phrases)} {dice.choice(phrases)}"[:70],
        "created_at": at.isoformat(),
        "day": at.date().isoformat(),
        "address": {
            "city": dice.choice(WORDS),
            "zip": f"{int(dice.random() * 99_999):05}",
            "lat": round(dice.random() * 90, 4),
        },
    }


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
