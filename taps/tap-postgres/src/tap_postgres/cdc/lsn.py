"""Positions in the write-ahead log: integers inside, `16/B374D848` where a person or the server reads them. Pure."""

from __future__ import annotations

import re

_HEADER, _FIRST_HEADER = 24, 40  # bytes at the start of a page, and of the first page of a segment
_TEXT = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


def to_text(lsn: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def from_text(text: str) -> int:
    """Return the position that PostgreSQL wrote; ValueError where it is none."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a position in the write-ahead log")
    return int(match[1], 16) << 32 | int(match[2], 16)


def last_end(insert: int, page_bytes: int, segment_bytes: int) -> int:
    """Return where the last record ends, of a log in which the next one begins at `insert`.

    Where a record fills its page, the next one begins behind the header of another. An idle server never tells that
    position, so a run would wait for it for ever.
    """
    offset = insert % page_bytes
    header = _FIRST_HEADER if insert % segment_bytes == offset else _HEADER
    return insert - offset if offset <= header else insert
