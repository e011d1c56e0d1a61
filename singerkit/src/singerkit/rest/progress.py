"""How far a walk came: which spans are still to be read, and what a STATE may say after each page.

Takes the stream's STATE, the pages seen and the time; gives spans and bookmarks. A STATE never passes an unread record.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError, SettingsError
from singerkit.rest import bookmarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

    def is_whole(self) -> bool:
        """Return whether the walk is to read all there is, from the beginning: its rows are then all parents."""
        return False

    def enough(self, page: Seen) -> bool:  # noqa: ARG002  # for walks that can end early
        """Return whether nothing after this page can be new."""
        return False

    def paused(self, page: Seen, given: int) -> None:  # noqa: ARG002  # a bookmark follows the rows themselves
        """Take note of the part of a page, its first `given` rows, after which the run wants no more."""
        self.saw(page, None)

    def capped(self, span: Span) -> None:  # noqa: ARG002  # for walks that can halve a span
        """Take note that the vendor cut the results of a span."""
        raise SafetyStopError(
            "the vendor caps the results of one query, and a full load has nothing to halve",
            stream=self.stream,
            remedy="read the stream INCREMENTAL: its bookmark allows windows",
        )


class Full(Progress):
    """A full load: no bookmark, but a place to resume at while it is unfinished."""

    def __init__(self, stream: str, resume: Mapping[str, Any] | None = None, passed: int = 0) -> None:
        super().__init__(stream)
        self.token, self.passed = resume, passed

    def spans(self) -> Iterator[Span]:
        """Yield one open span, from the place where the last run stopped."""
        yield Span(token=self.token, passed=self.passed)

    def is_whole(self) -> bool:
        """A load that goes on where another was cut is not."""
        return not self.token and not self.passed

    def saw(self, page: Seen, following: Request | None) -> None:  # noqa: ARG002  # not needed here
        """Remember the next page."""
        self.token, self.passed = following.token() if following else None, 0

    def paused(self, page: Seen, given: int) -> None:  # noqa: ARG002  # not needed here
        """Stay at the page, and remember how much of it is given: a page may be longer than a run."""
        self.passed = given

    def state(self) -> dict[str, Any]:
        """Return the place of the next row: its page, and how many rows of that are passed over."""
        place = {"resume": self.token, "passed": self.passed}
        return {name: value for name, value in place.items() if value}

    def finished(self) -> dict[str, Any]:
        """Return nothing: the load is complete."""
        return {}


@dataclass
class Marks:
    """What every incremental walk begins with: the row's bookmark, the STATE, the floor and the time."""

    bookmark: Bookmark
    state: Mapping[str, Any]
    stream: str
    now: datetime
    start_date: datetime | None = None

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
        """Return a bookmark as STATE holds it; values in the future count as now."""
        out = {"replication_key": self.bookmark.field}
        for name, value in values.items():
            if value is not None:
                out[name] = bookmarks.storable(bookmarks.clamped(self.bookmark, value, self.now), like)
        return out


class Ascending(Progress):
    """Oldest first: the bookmark follows the pages, as long as they keep the order that the row promises.

    Where they do not, or no order is promised, the bookmark stays until the end: no gap after an interruption.
    """

    def __init__(self, marks: Marks) -> None:
        super().__init__(marks.stream)
        self.marks = marks
        self.old = marks.read("replication_key_value")
        self.high = self.old
        self.like = marks.state.get("replication_key_value")
        self.last: Any = None
        self.ordered = marks.bookmark.order == "asc"

    def spans(self) -> Iterator[Span]:
        """Yield one span, from the bookmark on."""
        yield Span(since=self.marks.since(self.old))

    def is_whole(self) -> bool:
        """Without a bookmark and without a floor it is."""
        return self.marks.since(self.old) is None

    def saw(self, page: Seen, following: Request | None) -> None:  # noqa: ARG002  # not needed here
        """Move the bookmark up to the page's highest value."""
        if page.high is None:
            return
        self.ordered = self.ordered and page.ascending and (self.last is None or page.first >= self.last)
        self.last, self.like = page.last, page.raw
        self.high = page.high if self.high is None else max(self.high, page.high)

    def state(self) -> dict[str, Any]:
        """Return the highest value seen, or the old one where the order does not hold."""
        return self.marks.written(self.like, replication_key_value=self.high if self.ordered else self.old)

    def finished(self) -> dict[str, Any]:
        """Return the highest value seen."""
        return self.marks.written(self.like, replication_key_value=self.high)


class Windows(Ascending):
    """Windows of time from the bookmark to now; the bookmark follows finished windows, whatever their inner order."""

    def __init__(self, marks: Marks, days: float) -> None:
        super().__init__(marks)
        self.length = timedelta(days=days)
        self.safe = self.old
        self.waiting: list[Span] = []
        self.cut = False

    def spans(self) -> Iterator[Span]:
        """Yield window after window; a halved one comes back as two."""
        begin = self.marks.since(self.old)
        if begin is None:
            remedy = "set start_date, or first_days in the row's bookmark"
            raise SettingsError("windows need a place to begin", stream=self.stream, remedy=remedy)
        while begin < self.marks.now:
            end = min(begin + self.length, self.marks.now)
            self.waiting = [Span(begin, end)]
            while self.waiting:
                span, self.cut = self.waiting.pop(0), False
                yield span
                if not self.cut and self.high is not None:  # a capped window has shown records beyond this one's end
                    self.safe = min(self.high, span.until)
            begin = end

    def is_whole(self) -> bool:
        """Windows begin somewhere."""
        return False

    def capped(self, span: Span) -> None:
        """Halve the window; one that cannot be halved would lose records, which is an error."""
        half = (span.until - span.since) / 2
        if half < bookmarks.unit(self.marks.bookmark):
            raise SafetyStopError(
                "the vendor cuts the results of the smallest window",
                stream=self.stream,
                since=span.since.isoformat(),
                remedy="raise the row's cap to the vendor's, or choose a finer bookmark format",
            )
        middle = span.since + half
        self.cut = True
        self.waiting[:0] = [Span(span.since, middle), Span(middle, span.until)]

    def state(self) -> dict[str, Any]:
        """Return the highest value of the finished windows."""
        return self.marks.written(self.like, replication_key_value=self.safe)


class Descending(Progress):
    """Newest first: `earliest` follows the pages down, the high mark moves only at the end.

    An interrupted walk is first finished below `earliest`, then what is new above the high mark is read.
    """

    def __init__(self, marks: Marks) -> None:
        super().__init__(marks.stream)
        self.marks = marks
        self.old = marks.read("replication_key_value")
        self.earliest, self.high = marks.read("earliest"), marks.read("high")
        self.like = marks.state.get("high", marks.state.get("replication_key_value"))
        self.floor: Any = None
        self.last: Any = None
        self.ordered = True

    def spans(self) -> Iterator[Span]:
        """Yield what is left below an interrupted walk, then what is new above."""
        if self.earliest is not None and self.high is not None and self.marks.bookmark.until_param:
            yield self._span(self.marks.since(self.old), self.earliest)
            self.old = self.high
        self.earliest = self.high = self.last = None
        yield self._span(self.marks.since(self.old), None)

    def is_whole(self) -> bool:
        """Without a bookmark, a floor, and an interrupted walk it is."""
        return self.earliest is None and self.marks.since(self.old) is None

    def _span(self, since: Any, until: Any) -> Span:
        self.floor = since
        return Span(since, until)

    def saw(self, page: Seen, following: Request | None) -> None:  # noqa: ARG002  # not needed here
        """Move the low mark down, and the high mark of this walk up."""
        if page.high is None:
            return
        self.ordered = self.ordered and page.descending and (self.last is None or page.first <= self.last)
        self.last, self.like = page.last, page.raw
        self.high = page.high if self.high is None else max(self.high, page.high)
        self.earliest = page.low if self.earliest is None else min(self.earliest, page.low)

    def enough(self, page: Seen) -> bool:
        """Stop below the bookmark, as long as the order that the row promises holds."""
        return self.ordered and page.low is not None and self.floor is not None and page.low < self.floor

    def state(self) -> dict[str, Any]:
        """Return the old bookmark with both ends of the walk, or the old one alone where the order does not hold."""
        ends = {"earliest": self.earliest, "high": self.high} if self.ordered else {}
        return self.marks.written(self.like, replication_key_value=self.old, **ends)

    def finished(self) -> dict[str, Any]:
        """Return the high mark."""
        high = self.high if self.old is None or (self.high is not None and self.high > self.old) else self.old
        return self.marks.written(self.like, replication_key_value=high)


def begin(marks: Marks, window_days: float | None) -> Progress:
    """Return the progress that the row's bookmark asks for."""
    if window_days is not None:
        return Windows(marks, window_days)
    return Descending(marks) if marks.bookmark.order == "desc" else Ascending(marks)


def without_order(bookmark: Bookmark) -> Bookmark:
    """Return the bookmark as a walk that keeps its old value until the end sees it."""
    return replace(bookmark, order=None)
