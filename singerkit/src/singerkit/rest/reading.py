"""Reads one stream, or one parent's part of it: spans of a progress become walks, pages become pieces.

Takes a row, a progress and a client; gives rows together with the bookmark that they allow. Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from singerkit.checks.guards import ENOUGH, STUCK, CappedError
from singerkit.errors import SettingsError
from singerkit.rest import bookmarks, conditions, fill, inside, selector, walk
from singerkit.rest.bookmarks import Bookmark, Seen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from singerkit.rest.endpoint import Endpoint, Source
    from singerkit.rest.message import Request
    from singerkit.rest.progress import Progress, Span
    from singerkit.rest.shape import Shaper
    from singerkit.rest.walk import Page, Sender


@dataclass(frozen=True)
class Piece:
    """Rows, and what a STATE may say once they are written; `final` closes the walk and may hold no rows."""

    rows: Sequence[Mapping[str, Any]]
    state: Mapping[str, Any]
    final: bool = False
    size_bytes: int = 0
    """Length of the answer that the rows come from."""

    def weight(self) -> tuple[int, int]:
        """Return the rows and bytes that wait for their reader with this piece."""
        return len(self.rows), self.size_bytes


@dataclass(frozen=True)
class Reading:
    """Everything that one walk needs beside its progress."""

    sender: Sender
    source: Source
    endpoint: Endpoint
    shaper: Shaper
    bookmark: Bookmark | None
    values: Mapping[str, Any]
    """What fills the `{names}` of the row: settings, and the parent's parameters."""
    parent: Mapping[str, Any] = field(default_factory=dict)
    """The columns that come from the parent."""
    most: int | None = None
    """How many rows to give before the stream is stopped, or None for all."""

    def request(self, span: Span) -> Request:
        """Return the first request for a span."""
        request = fill.first_request(self.endpoint, self.source, self.values)
        if self.bookmark is not None:
            request = request.with_values(self.bookmark.into, self.bookmark.params)
            for name, value, until in _edges(self.bookmark, span):
                said = bookmarks.rendered(self.bookmark, value, until=until)
                request = request.with_values(self.bookmark.into, {name: said})
        return request.resumed(span.token) if span.token else request

    def pieces(self, progress: Progress) -> Iterator[Piece]:
        """Yield the pieces of all spans, then the final one."""
        for span in progress.spans():
            try:
                if (yield from self._span(span, progress)):
                    yield Piece((), progress.broken_off(), final=True)
                    return
            except SettingsError:  # a server may refuse a place that it has forgotten
                if not progress.forgot():
                    raise
        yield Piece((), progress.finished(), final=True)

    def _span(self, span: Span, progress: Progress) -> Generator[Piece, None, bool]:
        """Yield the pieces of one span; return whether its pages broke off."""
        came = given = 0
        passed, before = span.passed, progress.state()
        for page in walk.pages(self.sender, self.endpoint, self.request(span), parent=self.parent):
            if page.broken_off:  # of a fresh walk without a record nothing is missing
                return came > 0 or span.until is not None
            came += len(page.records)
            capped = self._capped(page, came)
            if capped and self.endpoint.window and self.endpoint.window.total:
                progress.capped(span)
                return False
            rows = self.shaper.rows(page.records, self.parent)[passed:]
            left = len(rows) if self.most is None else self.most - given
            cut, rows = len(rows) > left, rows[:left]
            given += len(rows)
            seen = bookmarks.seen(self.bookmark, rows, self.endpoint.name) if self.bookmark else Seen()
            if cut:
                progress.paused(seen, passed + len(rows))
            else:
                progress.saw(seen, page.following)
            if capped:
                progress.capped(span)
            new = self.opened(self._new(self._wanted(page.records[passed:], rows), span))
            yield Piece(new, progress.state(), size_bytes=page.size_bytes)
            passed = 0
            if cut:
                raise CappedError(ENOUGH if progress.state() != before else STUCK)
            if capped or progress.enough(seen):
                return False
        return False

    def _capped(self, page: Page, came: int) -> bool:
        window = self.endpoint.window
        if window is None:
            return False
        total = selector.value(window.total, page.body) if window.total else None
        if str(total).isdigit():
            return int(str(total)) > window.cap
        return came >= window.cap  # no total, whatever the row says: what came is all there is to judge by

    def _wanted(self, records: Sequence[Mapping[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Leave out rows whose records do not meet the row's conditions; the bookmark has seen them."""
        if not self.endpoint.only_if or self.endpoint.inside:
            return rows
        pairs = zip(rows, records, strict=False)  # `max_rows` may have cut the rows
        return [row for row, record in pairs if conditions.wanted(self.endpoint, record)]

    def _new(self, rows: list[dict[str, Any]], span: Span) -> list[dict[str, Any]]:
        """Leave out what the last run read, where the server cannot; rows without a bookmark stay."""
        mark = self.bookmark
        if mark is None or mark.param or mark.of_parent or span.since is None:
            return rows
        read, name = bookmarks.comparable, mark.field
        return [row for row in rows if row.get(name) is None or read(mark.type, row[name]) >= span.since]

    def opened(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Take out the rows that are inside of records."""
        if self.endpoint.inside is None:
            return rows
        found = (inside.opened(self.sender, self.source, self.endpoint, self.shaper, one, self.values) for one in rows)
        return [*chain.from_iterable(found)]


def _edges(bookmark: Bookmark, span: Span) -> Iterator[tuple[str, Any, bool]]:
    if bookmark.param and span.since is not None:
        yield bookmark.param, span.since, False
    if bookmark.until_param and span.until is not None:
        yield bookmark.until_param, span.until, True
