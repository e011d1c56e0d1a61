"""What the memory of every walk begins with: spans, what a STATE held, and the promises that a progress keeps. Pure.

Takes a stream's STATE, its bookmark and the time; gives values that compare. Refuses to halve what has no halves.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError
from singerkit.rest import bookmarks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from singerkit.rest.bookmarks import Bookmark, Seen
    from singerkit.rest.message import Request


@dataclass(frozen=True)
class Span:
    """What one walk is to read: values from `since` to `until`, both inclusive; None is open. Or from a token on."""

    since: Any = None
    until: Any = None
    token: Mapping[str, Any] | None = None
    passed: int = 0
    """How many rows of the first page the last run gave."""


class Progress(abc.ABC):
    """One walk's memory: spans to read, pages seen, and the bookmark that these allow."""

    def __init__(self, stream: str) -> None:
        self.stream = stream

    @abc.abstractmethod
    def spans(self) -> Iterator[Span]:
        """Yield what is still to be read; each span is decided when the one before is done."""

    @abc.abstractmethod
    def saw(self, page: Seen, following: Request | None) -> None:
        """Take note of a page whose records are about to be written, and of the request that follows."""

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the bookmark that the pages seen so far allow."""

    @abc.abstractmethod
    def finished(self) -> dict[str, Any]:
        """Return the bookmark after the whole walk."""

    def broken_off(self) -> dict[str, Any]:
        """Return the bookmark where an answer amid the pages was passed over: what is unread comes again."""
        return self.state()

    def is_whole(self) -> bool:
        """Return whether the walk is to read all there is, from the beginning: its rows are then all parents."""
        return False

    def enough(self, page: Seen) -> bool:  # noqa: ARG002  # for walks that can end early
        """Return whether nothing after this page can be new."""
        return False

    def paused(self, page: Seen, given: int) -> None:  # noqa: ARG002  # a bookmark follows the rows themselves
        """Take note of the part of a page, its first `given` rows, after which the run wants no more."""
        self.saw(page, None)

    def forgot(self) -> bool:
        """Return whether a walk that the server cannot take up at its place begins again in this run."""
        return False

    def capped(self, span: Span) -> None:  # noqa: ARG002  # for walks that can halve a span
        """Take note that the vendor cut the results of a span."""
        raise SafetyStopError(
            "the vendor caps the results of one query, and a full load has nothing to halve",
            stream=self.stream,
            remedy="read the stream INCREMENTAL: its bookmark allows windows",
        )


@dataclass
class Marks:
    """What every incremental walk begins with: the row's bookmark, the STATE, the floor and the time."""

    bookmark: Bookmark
    state: Mapping[str, Any]
    stream: str
    now: datetime
    start_date: datetime | None = None
    fingerprint: str = ""
    """What tells the walk's first request from others: a place inside of one walk means nothing to another."""
    behind_s: Callable[[], float] = lambda: 0.0
    """How far the server's clock is seen to be behind ours."""

    def read(self, name: str) -> Any:
        """Return a value of the STATE, comparable, or None; a bookmark on another field counts for nothing."""
        value = self.state.get(name)
        if value is None or self.state.get("replication_key") != self.bookmark.field:
            return None
        return bookmarks.from_state(self.bookmark, value, self.stream)

    def since(self, last: Any) -> Any:
        """Return where a read begins."""
        return bookmarks.since(self.bookmark, last, self.start_date, self.now)

    def written(self, like: Any, **values: Any) -> dict[str, Any]:
        """Return a bookmark as STATE holds it; values in the future count as now, by the server's clock.

        Where it is behind ours, its records are too: one that came while the list was walked would hide others.
        """
        now = self.now - timedelta(seconds=self.behind_s())
        out = {"replication_key": self.bookmark.field}
        for name, value in values.items():
            if value is not None:
                out[name] = bookmarks.storable(bookmarks.clamped(self.bookmark, value, now), like)
        return out

    def place(self) -> Mapping[str, Any] | None:
        """Return the request of the page where a walk like this one was cut, or None."""
        found: Mapping[str, Any] | None = self.state.get("resume")
        return found if self.state.get("fingerprint") == self.fingerprint else None

    def placed(self, place: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return a place as STATE holds it."""
        return {"resume": place, "fingerprint": self.fingerprint} if place else {}
