"""A block of whole lines -> RECORD lines by stream, and all other lines.

Takes bytes; gives Records and Other in an order that keeps every promise of the wire. Refuses a line that is no
Singer message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from numpy.typing import NDArray

NEWLINE = ord("\n")
# How singer-sdk, singer-python and most others begin a RECORD line; what begins otherwise is decoded instead.
_BEGINS = re.compile(
    rb'\{"type": ?"RECORD", ?"stream": ?"([^"\\]+)"(?=,)|\{"stream": ?"([^"\\]+)", ?"type": ?"RECORD"(?=,)'
)


@dataclass(frozen=True)
class Records:
    """RECORD lines of one stream, none of them blank, each ended by a newline but perhaps the last."""

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


@dataclass
class _Gathered:
    """Lines of several streams between two messages that no record may pass."""

    lines: dict[str, list[bytes]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def add(self, stream: str, lines: bytes, rows: int) -> None:
        self.lines.setdefault(stream, []).append(lines)
        self.rows[stream] = self.rows.get(stream, 0) + rows

    def add_all(self, other: _Gathered) -> None:
        for stream, lines in other.lines.items():
            self.lines.setdefault(stream, []).extend(lines)
            self.rows[stream] = self.rows.get(stream, 0) + other.rows[stream]

    def records(self) -> Iterator[Records]:
        for stream, lines in self.lines.items():
            yield Records(stream, b"".join(lines), self.rows[stream])


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def pieces(block: bytes, schemas: MutableMapping[str, bytes] | None = None) -> Iterator[Records | Other]:
    """Return the messages of a block of whole lines.

    Records of a stream are gathered as far as order allows: they pass records of other streams, and nothing else.
    A STATE that another follows in the block, with none but records between, is left out: the newer one says it all.
    `schemas` remembers the last SCHEMA line of each stream; a repeated one is left out, as if it had not come.
    """
    sure, state, since = _Gathered(), None, _Gathered()  # up to the newest STATE, that STATE, and after it
    for message in _messages(block, {} if schemas is None else schemas):
        match message:
            case Records(stream, lines, rows):
                since.add(stream, lines, rows)
            case Other(line), "STATE":
                sure.add_all(since)
                state, since = Other(line), _Gathered()
            case other, _:
                yield from _in_order(sure, state, since)
                yield other
                sure, state, since = _Gathered(), None, _Gathered()
    yield from _in_order(sure, state, since)


def _in_order(sure: _Gathered, state: Other | None, since: _Gathered) -> Iterator[Records | Other]:
    yield from sure.records()
    if state is not None:
        yield state
    yield from since.records()


def _messages(block: bytes, schemas: MutableMapping[str, bytes]) -> Iterator[Records | tuple[Other, str]]:
    """Return runs of RECORD lines as they stand, and any other line with its type."""
    position = 0
    while position < len(block):
        if begins := _BEGINS.match(block, position):
            end, rows = _extent(block, begins)
            yield _run(begins[1] or begins[2], block[position:end], rows)
            position = end
            continue
        end = block.find(b"\n", position) + 1 or len(block)
        line, position = block[position:end], end
        if line.strip():
            yield from _decoded(line, schemas)


def _extent(block: bytes, begins: re.Match[bytes]) -> tuple[int, int]:
    """Return where a run ends, and how many lines it has; mostly it is the whole block."""
    begin = begins[0] + b","
    if begins.start() == 0 and block.endswith(b"\n"):
        starts = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)[:-1] + 1
        if not len(starts) or _all_begin(block, starts, begin):
            return len(block), len(starts) + 1
    found = _end_of_run(begins[0]).search(block, begins.end())
    end = found.end() if found else len(block)
    return end, block.count(b"\n", begins.start(), end) + (block[end - 1 : end] != b"\n")


def _all_begin(block: bytes, starts: NDArray[np.intp], begin: bytes) -> bool:
    """Return whether every line begins like this; half the price of counting such beginnings in the text."""
    if starts[-1] + len(begin) > len(block):
        return False
    words = np.ndarray(len(block) - len(begin) + 1, dtype=f"V{len(begin)}", buffer=block, strides=(1,))
    return bool(words[starts].tobytes() == begin * len(starts))


def _run(stream: bytes, lines: bytes, rows: int) -> Records:
    """Return a run. Only the input's last line may lack a newline; it must be whole, or the tap was cut short in it."""
    if not lines.endswith(b"\n"):
        _envelope(lines[lines.rfind(b"\n") + 1 :])
    try:
        return Records(stream.decode(), lines, rows)
    except UnicodeDecodeError as error:
        raise _no_message(lines) from error


@lru_cache(maxsize=1024)
def _end_of_run(begins: bytes) -> re.Pattern[bytes]:
    """Return the search for the end of the first line that another beginning follows."""
    return re.compile(rb"\n(?!" + re.escape(begins) + rb",)")


def _decoded(line: bytes, schemas: MutableMapping[str, bytes]) -> Iterator[Records | tuple[Other, str]]:
    envelope = _envelope(line)
    if envelope.type == "RECORD":
        if envelope.stream is None:
            raise _no_message(line)
        yield Records(envelope.stream, line, 1)
        return
    if envelope.type == "SCHEMA" and envelope.stream is not None:
        if schemas.get(envelope.stream) == line:
            return
        schemas[envelope.stream] = line
    yield Other(line), envelope.type


def _envelope(line: bytes) -> _Envelope:
    try:
        return _ENVELOPE.decode(line)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise _no_message(line) from error


def _no_message(line: bytes) -> SafetyStopError:
    return SafetyStopError(
        "a line of the input is not a Singer message",
        remedy="let the tap print messages alone on stdout, and see whether it was cut short", bytes=len(line),
    )  # fmt: skip
