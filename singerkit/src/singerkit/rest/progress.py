"""How far a walk came: which spans are still to be read, and what a STATE may say after each page.

Takes the stream's STATE, the pages seen and the time; gives spans and bookmarks. A STATE never passes an unread record.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError, SettingsError
from singerkit.rest import bookmarks
from singerkit.rest.descending import Descending
from singerkit.rest.marks import Marks, Progress, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.rest.bookmarks import Bookmark, Seen
    from singerkit.rest.message import Request


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

    def broken_off(self) -> dict[str, Any]:
        """Return nothing: there is no more to be had."""
        return {}


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


def begin(marks: Marks, window_days: float | None) -> Progress:
    """Return the progress that the row's bookmark asks for."""
    if window_days is not None:
        return Windows(marks, window_days)
    return Descending(marks) if marks.bookmark.order == "desc" else Ascending(marks)


def without_order(bookmark: Bookmark) -> Bookmark:
    """Return the bookmark as a walk that keeps its old value until the end sees it."""
    return replace(bookmark, order=None)


__all__ = ["Ascending", "Full", "Marks", "Progress", "Span", "Windows", "begin", "without_order"]
