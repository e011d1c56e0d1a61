"""Which STATE may leave: the newest one before which no record is missing from the tables.

Takes counts of records received and durable, and STATE values; gives a STATE to print, or None. Pure.
"""

from __future__ import annotations

import copy
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

State = dict[str, Any]


@dataclass(frozen=True)
class _Mark:
    """A STATE, and how many records and complete full loads of each stream had come before it."""

    state: State
    received: Mapping[str, int]
    loads: Mapping[str, int]


class Ledger:
    """Counts records per stream and holds every STATE back until the records before it are durable.

    A stream is `held` while its full load is staged: its rows are in no table yet, so its bookmark stays the one that
    left last, while the bookmarks of the other streams go on. The exception is a bookmark that itself names the load
    (`full_load.version`): it promises only that those rows are part of that load, which a synced manifest does.
    """

    def __init__(self) -> None:
        self._received: Counter[str] = Counter()
        self._durable: Counter[str] = Counter()
        self._staged: Counter[str] = Counter()
        self._loads: Counter[str] = Counter()
        """Full loads that are complete, by stream; one without rows is told by nothing else."""
        self._swapped: Counter[str] = Counter()
        self._held: dict[str, tuple[int, str]] = {}
        self._marks: deque[_Mark] = deque()
        self._left: State = {}
        self._newest: State | None = None
        self._last: _Mark | None = None

    def received(self, stream: str, rows: int) -> int:
        """Note records of a stream and return how many have come in all."""
        self._received[stream] += rows
        return self._received[stream]

    def durable(self, stream: str, upto: int) -> None:
        """Note that the first `upto` records of a stream are in its table, or were stored where they belong."""
        self._durable[stream] = max(self._durable[stream], upto)

    def staged(self, stream: str, upto: int) -> None:
        """Note that the first `upto` records of a stream are safe, but part of a full load that is not complete."""
        self._staged[stream] = max(self._staged[stream], upto)

    def hold(self, stream: str, version: int, bookmark: str) -> None:
        """Keep one bookmark back: what comes now is staged under this version."""
        self._held[stream] = (version, bookmark)

    def swap(self, stream: str) -> None:
        """The full load of a stream is on its way into the table: a STATE that comes now waits for that."""
        self._staged.pop(stream, None)
        self._loads[stream] += 1

    def free(self, stream: str) -> None:
        """The full load of a stream is in its table; the bookmark that was kept back may leave now."""
        self._swapped[stream] += 1
        if self._held.pop(stream, None) is not None and self._last is not None:
            self._marks.appendleft(self._last)

    def state(self, value: State) -> None:
        """Note a STATE; one that repeats the last costs nothing."""
        if value == self._newest:
            return
        self._newest = value
        mark = _Mark(value, dict(self._received), dict(self._loads))
        if self._marks and self._marks[-1].received == mark.received:
            self._marks.pop()
        self._marks.append(mark)

    @property
    def waiting(self) -> bool:
        """Whether a STATE is held back by records that are not safe yet."""
        return bool(self._marks)

    def left(self, bookmark: str) -> Any:
        """Return what the STATE that left last says under a name, or None."""
        bookmarks = self._left.get("bookmarks")
        return bookmarks.get(bookmark) if isinstance(bookmarks, dict) else None

    def behind(self) -> Iterable[str]:
        """Return the streams that have records which are not safe yet."""
        return [name for name, rows in self._received.items() if rows > self._safe(name)]

    def release(self) -> State | None:
        """Return the newest STATE whose records are all durable, or None where none is newer than the last returned."""
        newest = None
        while self._marks and self._complete(self._marks[0]):
            newest = self._marks.popleft()
        if newest is None:
            return None
        self._last = newest
        merged = self._merged(newest)
        if merged == self._left or (not self._left and merged == {"bookmarks": {}}):
            return None
        self._left = merged
        return copy.deepcopy(merged)  # what left must not change

    def _safe(self, stream: str) -> int:
        return max(self._durable[stream], self._staged[stream] if stream in self._held else 0)

    def _complete(self, mark: _Mark) -> bool:
        swapped = all(loads <= self._swapped[name] for name, loads in mark.loads.items())
        return swapped and all(rows <= self._safe(name) for name, rows in mark.received.items())

    def _merged(self, mark: _Mark) -> State:
        """Return the STATE with the old bookmark of every stream whose records before it are staged and no more."""
        state = mark.state
        for stream, (version, bookmark) in self._held.items():
            if mark.received.get(stream, 0) > self._durable[stream] and not _names_load(state, bookmark, version):
                state = _with_bookmark_of(state, self._left, bookmark)
        return state


def full_load_of(state: State, stream: str) -> State | None:
    """Return what the bookmark of a stream says about an unfinished full load, or None."""
    bookmarks = state.get("bookmarks")
    bookmark = bookmarks.get(stream) if isinstance(bookmarks, dict) else None
    load = bookmark.get("full_load") if isinstance(bookmark, dict) else None
    return load if isinstance(load, dict) else None


def _names_load(state: State, stream: str, version: int) -> bool:
    load = full_load_of(state, stream)
    return load is not None and load.get("version") == version


def _with_bookmark_of(state: State, older: State, stream: str) -> State:
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict):
        return older  # a STATE of another shape says nothing about one stream alone
    kept = {name: value for name, value in bookmarks.items() if name != stream}
    before = older.get("bookmarks", {})
    if isinstance(before, dict) and stream in before:
        kept[stream] = before[stream]
    return {**state, "bookmarks": kept}
