"""The guard against pages that go round: a request that was sent before, or a page that was read before.

Takes pages as they come; gives nothing. Refuses a circle of any length, within twice the pages that it took to close,
and compares whole pages: two pages that merely begin and end alike are two pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singerkit.rest.message import Request


class Circle:
    """One walk's memory: every request, the page before, and one page that is replaced at each power of two.

    The last is Brent's way to find a cycle; it costs one comparison a page, which ends at the first difference.
    """

    def __init__(self, stream: str, first: Request) -> None:
        self.stream = stream
        self.sent = {first.fingerprint()}
        self.before: Sequence[Any] = ()
        self.kept: Sequence[Any] = ()
        self.count, self.turn = 0, 1

    def look(self, records: Sequence[Any], following: Request | None) -> None:
        """Take note of a page and of the request after it, or raise where one of them was there before."""
        self.count += 1
        if following is not None:
            mark = following.fingerprint()
            if mark in self.sent or (records and records in (self.before, self.kept)):
                self._refuse()
            self.sent.add(mark)
        self.before = records
        if self.count == self.turn:
            self.kept, self.turn = records, 2 * self.turn

    def _refuse(self) -> None:
        raise SafetyStopError(
            "the pages go round in a circle",
            stream=self.stream,
            pages=self.count,
            remedy="check the page style of the row: the server gave the same page, or the same way on, twice",
        )
