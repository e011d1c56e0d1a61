"""What all rows of a stream say of its key and its bookmark: how many, which keys come twice, which bookmarks mislead.

Takes rows and how to read a bookmark as a time; gives numbers and remarks. Reads everything: `check --deep` asks first.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

SHOWN = 3
"""So many keys that come more than once are named."""


@dataclass(frozen=True)
class Survey:
    """Numbers of one stream; None is what cannot be said of it."""

    rows: int
    duplicates: Sequence[str] | None = None
    """Keys that name more than one row, a few of them; None for a stream without keys."""
    null_bookmarks: int | None = None
    future_bookmarks: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers that are known."""
        known = {
            "rows": self.rows,
            "duplicate_keys": None if self.duplicates is None else list(self.duplicates),
            "null_bookmarks": self.null_bookmarks,
            "future_bookmarks": self.future_bookmarks,
        }
        return {name: value for name, value in known.items() if value is not None}

    def remarks(self) -> Iterator[str]:
        """Yield what is wrong, with what it would lead to."""
        if self.duplicates:
            yield f"keys name more than one row, a loader would keep one of them: {', '.join(self.duplicates)}"
        if self.null_bookmarks:
            yield f"{self.null_bookmarks:,} rows have no bookmark: every run reads them again, or never"
        if self.future_bookmarks:
            yield f"{self.future_bookmarks:,} bookmarks are in the future: a run that follows them passes over rows"


def survey(
    rows: Iterable[Mapping[str, Any]],
    keys: Sequence[str],
    bookmark: str | None,
    moment: Callable[[Any], datetime | None],
    now: datetime,
) -> Survey:
    """Return the numbers of rows that are read one by one; `moment` reads a bookmark as a time where it is one."""
    seen: set[bytes] = set()
    twice: dict[str, None] = {}
    count = empty = ahead = 0
    for row in rows:
        count += 1
        if keys:
            _note(json.dumps({key: row.get(key) for key in keys}, default=str), seen, twice)
        value = row.get(bookmark) if bookmark else None
        empty += bool(bookmark) and value is None
        at = None if value is None else moment(value)
        ahead += at is not None and at > now
    numbers = (empty, ahead) if bookmark else (None, None)
    return Survey(count, tuple(twice) if keys else None, *numbers)


def _note(key: str, seen: set[bytes], twice: dict[str, None]) -> None:
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    if digest not in seen:
        seen.add(digest)
    elif len(twice) < SHOWN:
        twice[key] = None
