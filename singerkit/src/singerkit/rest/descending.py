"""How far a walk came that goes from the newest record down: a low mark and a high mark, and the place between pages.

Takes pages as they come; gives spans and bookmarks. A STATE never passes an unread record. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.rest.marks import Marks, Progress, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.rest.bookmarks import Seen
    from singerkit.rest.message import Request


class Descending(Progress):
    """Newest first: `earliest` follows the pages down, the high mark moves only at the end.

    A walk that was cut is first finished below `earliest`, then what is new above the high mark is read. Where the
    server has no filter for that, the last page is asked for again: as long as it begins above `earliest`, nothing
    unread stands before it. Where it does not, more than a page has gone from the list, and the walk begins again.
    """

    def __init__(self, marks: Marks) -> None:
        super().__init__(marks.stream)
        self.marks = marks
        self.old = marks.read("replication_key_value")
        self.earliest, self.high = marks.read("earliest"), marks.read("high")
        self.like = marks.state.get("high", marks.state.get("replication_key_value"))
        self.place: Mapping[str, Any] | None = None
        self.following: Mapping[str, Any] | None = marks.place()
        self.floor: Any = None
        self.last: Any = None
        self.ordered = True
        self.below = False
        self.border: Any = None
        """Where the walk was cut, until a page has shown that this one joins it."""

    def spans(self) -> Iterator[Span]:
        """Yield what is left below a walk that was cut, then what is new above."""
        if self.is_cut():
            yield self._rest()
            self.old = self.high if self._joins() else self.old
        self.earliest = self.high = self.last = self.place = self.following = self.border = None
        self.below, self.ordered = False, True
        self.floor = self.marks.since(self.old)
        yield Span(self.floor)

    def is_cut(self) -> bool:
        """Return whether the STATE holds a walk that was cut, and a way to go on with it."""
        known = self.earliest is not None and self.high is not None
        return known and (self.marks.bookmark.until_param is not None or self.following is not None)

    def is_whole(self) -> bool:
        """Without a bookmark, a floor, and a walk that was cut it is."""
        return self.earliest is None and self.marks.since(self.old) is None

    def _rest(self) -> Span:
        self.below, self.floor = True, self.marks.since(self.old)
        if self.marks.bookmark.until_param is not None:
            return Span(self.floor, self.earliest)
        self.border = self.earliest
        return Span(self.floor, self.earliest, self.following)

    def _joins(self) -> bool:
        """Return whether all that the list holds between the walk that was cut and this one's beginning is read."""
        return self.border is None and (self.ordered or self.marks.bookmark.until_param is not None)

    def saw(self, page: Seen, following: Request | None) -> None:
        """Move the low mark down, and the high mark of this walk up; the page is the place until the next one comes."""
        self.place, self.following = self.following, following.token() if following else None
        if page.high is None:
            return
        self.ordered = self.ordered and page.descending and (self.last is None or page.first <= self.last)
        self.last, self.like = page.last, page.raw
        if self.border is not None and page.first > self.border:
            self.border = None
        if not self.below:  # what is new above the walk that was cut is read after it
            self.high = page.high if self.high is None else max(self.high, page.high)
        self.earliest = page.low if self.earliest is None else min(self.earliest, page.low)

    def enough(self, page: Seen) -> bool:
        """Stop below the bookmark, as long as the order that the row promises holds; and where walks do not join."""
        if self.below and not self._joins():
            return True
        return self.ordered and page.low is not None and self.floor is not None and page.low < self.floor

    def forgot(self) -> bool:
        """The walk begins again where the server does not know the place any more."""
        return self.border is not None

    def state(self) -> dict[str, Any]:
        """Return the old bookmark with both ends of the walk, or the old one alone where the order does not hold."""
        if self.border is not None or not self.ordered:
            return self.marks.written(self.like, replication_key_value=self.old)
        state = self.marks.written(self.like, replication_key_value=self.old, earliest=self.earliest, high=self.high)
        if self.earliest is None or self.marks.bookmark.until_param is not None:
            return state
        return state | self.marks.placed(self.place)

    def finished(self) -> dict[str, Any]:
        """Return the high mark."""
        high = self.high if self.old is None or (self.high is not None and self.high > self.old) else self.old
        return self.marks.written(self.like, replication_key_value=high)
