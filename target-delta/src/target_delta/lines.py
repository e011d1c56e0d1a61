"""A block of whole lines -> runs of RECORD lines of one stream, and all other lines.

Takes bytes; gives Records and Other in an order that keeps every promise. Refuses a line that is no Singer message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Records:
    """RECORD lines of one stream, each ended by a newline but perhaps the last."""

    stream: str
    lines: bytes
    rows: int


@dataclass(frozen=True)
class Other:
    """One line of any other message type."""

    line: bytes


class _Envelope(msgspec.Struct, gc=False):
    type: str
    stream: str | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def pieces(block: bytes) -> Iterator[Records | Other]:
    """Return the block's messages: RECORD lines gathered by stream, never past a line of another type."""
    runs: dict[str, list[bytes]] = {}
    for line in block.split(b"\n"):
        if not line.strip():
            continue
        envelope = _envelope(line)
        if envelope.type == "RECORD" and envelope.stream is not None:
            runs.setdefault(envelope.stream, []).append(line)
            continue
        yield from _gathered(runs)
        runs = {}
        yield Other(line)
    yield from _gathered(runs)


def _gathered(runs: dict[str, list[bytes]]) -> Iterator[Records]:
    for stream, lines in runs.items():
        yield Records(stream, b"\n".join(lines) + b"\n", len(lines))


def _envelope(line: bytes) -> _Envelope:
    try:
        return _ENVELOPE.decode(line)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise SafetyStopError(
            "a line of the input is not a Singer message", remedy="look at what the tap printed", bytes=len(line)
        ) from error
