"""Page styles that count: records passed over, or pages.

Takes the request that was sent and its answer; gives the next request, or None at the end. Refuses to guess. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from singerkit.rest import selector
from singerkit.rest.paging import Pages

if TYPE_CHECKING:
    from singerkit.rest.message import Answer, Request


@dataclass(frozen=True, kw_only=True)
class Offset(Pages):
    """The number of records passed over is sent; a total may be given, and may lie.

    An empty page ends the walk. A total ends it one request earlier, but only where the page was short too: a total
    that is too low costs no record, one that is too high costs one request.
    """

    style: ClassVar[str] = "offset"
    param: str = "offset"
    """The parameter that takes the number of records passed over."""
    total: str | None = None
    """JSONPath of the total in the body."""
    total_header: str | None = None
    """Name of the header that holds the total."""
    short_is_last: bool = False
    """Whether the vendor promises that only the last page is short; saves the last, empty page."""
    start: int = 0
    """The offset of the first record."""

    def first(self, request: Request) -> Request:
        """Begin at the first record."""
        return super().first(request).with_values(self.into, {self.param: self.start})

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Pass over the records that came."""
        came = len(answer.records)
        passed = int(request.value(self.into, self.param) or 0) + came
        short = came < self.size
        if not came or (short and (self.short_is_last or self._reached(passed, answer))):
            return None
        return request.with_values(self.into, {self.param: passed})

    def _reached(self, passed: int, answer: Answer) -> bool:
        given = answer.headers.get(self.total_header.lower()) if self.total_header else None
        given = selector.value(self.total, answer.body) if self.total else given
        return given is not None and str(given).isdigit() and passed - self.start >= int(given)


@dataclass(frozen=True, kw_only=True)
class PageNumber(Pages):
    """Pages are numbered; an empty page, or the number of pages, ends the walk."""

    style: ClassVar[str] = "page_number"
    param: str = "page"
    """The parameter that takes the number."""
    start: int = 1
    """The number of the first page."""
    total_pages: str | None = None
    """JSONPath of the number of pages."""
    short_is_last: bool = False
    """Whether the vendor promises that only the last page is short; saves the last, empty page."""

    def first(self, request: Request) -> Request:
        """Begin at the first page."""
        return super().first(request).with_values(self.into, {self.param: self.start})

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Count on."""
        number = int(request.value(self.into, self.param) or self.start) + 1
        total = selector.value(self.total_pages, answer.body) if self.total_pages else None
        over = str(total).isdigit() and number - self.start >= int(str(total))
        short = self.short_is_last and len(answer.records) < self.size
        return None if not answer.records or over or short else request.with_values(self.into, {self.param: number})
