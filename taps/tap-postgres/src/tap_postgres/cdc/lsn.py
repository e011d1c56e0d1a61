"""Positions in the write-ahead log: integers inside, `16/B374D848` where a person or the server reads them. Pure."""

from __future__ import annotations

import re

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
