"""Rows to Singer messages: RECORD lines encoded a page at a time, or row by row through singer-sdk's stream maps.

Takes rows of JSON values; gives bytes on stdout, and counts the rows told, so that no STATE runs ahead of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENCODER = msgspec.json.Encoder(decimal_format="number")
"""A decimal leaves with the digits it came with."""


@dataclass(frozen=True)
class Rows:
    """Rows of JSON values, as long as a batch and cut like one."""

    values: Sequence[Mapping[str, Any]]

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    def slice(self, start: int, length: int | None = None) -> Rows:
        """Return a part of the rows."""
        return Rows(self.values[start : None if length is None else start + length])


class RowLines:
    """RECORD lines, one write a page, never held back."""

    def __init__(self, stream: str, state_every_s: float) -> None:
        self.head = b'{"type":"RECORD","stream":' + ENCODER.encode(stream) + b',"record":'
        self.state_every_s = state_every_s
        self.rows = self.told = self.bytes = 0

    def write(self, batch: Rows) -> None:
        """Write the rows at once; the time of extraction is that of the page."""
        encode, head = ENCODER.encode, self.head
        tail = f',"time_extracted":"{datetime.now(UTC).isoformat()}"}}\n'.encode()
        lines = b"".join([head + encode(row) + tail for row in batch.values])
        write_lines(lines)
        self.bytes += len(lines)
        self.rows = self.told = self.rows + batch.num_rows

    def finish(self) -> None:
        """Nothing is held back."""

    def abandon(self) -> None:
        """Nothing is held back."""


class MappedRowValues(RowLines):
    """Rows one by one through `emit`, which applies stream maps and flattening, as singer-sdk does."""

    def __init__(self, stream: str, state_every_s: float, emit: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(stream, state_every_s)
        self.emit = emit

    def write(self, batch: Rows) -> None:
        """Emit each row."""
        for row in batch.values:
            self.emit(dict(row))
        self.rows = self.told = self.rows + batch.num_rows


def write_lines(lines: bytes) -> None:
    """Write whole lines to stdout, after what singer-sdk has written there as text."""
    sys.stdout.flush()
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()
