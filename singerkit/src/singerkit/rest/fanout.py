"""Parents and their children: which walks there are, in the order of the parents' rows.

Takes the rows of parents; gives contexts. Refuses a parent without a value that its children need.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.rest import bookmarks, conditions, lanes, own, parents, walk
from singerkit.rest.endpoint import ReadCall
from singerkit.rest.family import Context
from singerkit.rest.progress import Marks, Span, Windows
from singerkit.rest.reading import Piece, Reading
from singerkit.rest.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.endpoint import Endpoint, Parent, Source
    from singerkit.rest.family import Bound
    from singerkit.rest.parents import Facts, ParentRows
    from singerkit.rest.walk import Sender


@dataclass(frozen=True)
class Families:
    """Walks parents for their children: all rows of the source by name, a client, and the settings."""

    sender: Sender
    source: Source
    endpoints: Mapping[str, Endpoint]
    config: Mapping[str, Any]
    parents: ParentRows
    now: datetime
    """The moment that the run takes for the present."""
    start_date: datetime | None = None
    look: Callable[[], None] = lambda: None

    def contexts(self, endpoint: Endpoint, since: Bound | None = None) -> Iterator[Context]:
        """Yield the context of every walk of a row, in the order of the parents' rows.

        `since` bounds the first parent by its own bookmark, where the row asks for it.
        """
        if not endpoint.parents:
            yield Context()
            return
        one, *others = endpoint.parents
        if not others:
            yield from self._children(endpoint, one, since)
            return
        for left in self._children(endpoint, one, since):
            for right in self._children(
                endpoint, others[0], None
            ):  # from memory, or walked again where they are too many
                yield left | right

    def _children(self, child: Endpoint, parent: Parent, since: Bound | None) -> Iterator[Context]:
        row = self.endpoints[parent.stream]
        row = replace(row, params={**row.params, **parent.query})
        bound = row.bookmark(parent.changed_by) if parent.changed_by else None
        walk = parents.walk_of(row, parent.query, parent.changed_by, since)
        met: set[bytes] = set()
        for found in self.parents.facts(row.name, walk, lambda: self._facts(row, bound, since)):
            if not _wanted(child, parent, found):
                continue
            context = _context(child, parent, bound, found)
            if not child.keys:  # a parent that is on two pages would double its children, and no key tells
                asked = hashlib.blake2b(repr((context.params, context.columns)).encode(), digest_size=16).digest()
                if asked in met:
                    continue
                met.add(asked)
            yield context

    def _facts(self, row: Endpoint, bound: Bookmark | None, since: Bound | None) -> Iterator[Facts]:
        shaper, wanted = Shaper(row), parents.paths(row.name, self.endpoints)
        above: deque[str] = deque()
        walks = (self._walk(row, bound, shaper, context, since, above) for context in self.contexts(row))
        for pieces in lanes.in_order(walks, self.source.concurrency, self.look, Piece.weight):
            for piece in pieces:
                yield from (parents.facts(record, wanted, above[0]) for record in piece.rows)
            above.popleft()

    def _walk(
        self,
        row: Endpoint,
        bound: Bookmark | None,
        shaper: Shaper,
        above: Context,
        bounds: Bound | None,
        families: deque[str],
    ) -> Callable[[], Iterator[Piece]]:
        families.append(above.key)
        since = bounds.of(above.key) if bounds else None
        values = {**self.config, **above.params}
        reading = Reading(self.sender, self.source, row, shaper, bound, values, above.columns)

        def pages() -> Iterator[Piece]:
            for page in walk.pages(self.sender, row, reading.request(Span(since)), parent=above.params):
                records = shaper.rows(page.records, above.columns)
                seen = bookmarks.seen(bound, records, row.name) if bound else None
                pairs = zip(records, page.records, strict=True)
                wanted = [one for one, record in pairs if conditions.wanted(row, record)]
                moved = [one for one in wanted if not bound or since is None or _moved(bound, one, since)]
                yield Piece(moved, {}, size_bytes=page.size_bytes)
                if bound and seen and since is not None and _over(bound, seen, since):
                    return

        def own_pages() -> Iterator[Piece]:
            call = ReadCall(row, self.sender.send, since, above.params, self.config, self.source)
            for records, size in own.called(call):
                yield Piece(shaper.rows(records, above.columns), {}, size_bytes=size)

        def windows() -> Iterator[Piece]:
            mark = bound or row.bookmarks[0]
            marks = Marks(replace(mark, lookback_s=0), {}, row.name, self.now, since or self.start_date)
            steps = replace(reading, bookmark=mark).pieces(Windows(marks, row.window.days if row.window else 0))
            yield from _once(row, steps)

        return own_pages if row.read else windows if row.window else pages


def _wanted(child: Endpoint, parent: Parent, found: Facts) -> bool:
    try:
        return all(conditions.holds(one, found.get(one.field)) for one in parent.only_if)
    except TypeError as error:
        raise conditions.two_types(child.name, parent=parent.stream) from error


def _context(child: Endpoint, parent: Parent, bound: Bookmark | None, found: Facts) -> Context:
    params = {name: found[path] for name, path in parent.params.items()}
    if empty := [parent.params[name] for name, value in params.items() if value is None]:
        raise SettingsError(
            "a parent's record has no value that its children need",
            stream=child.name,
            parent=parent.stream,
            field=empty[0],
            remedy=f"correct the path, or pass such parents over: only_if: [{{field: {empty[0]}, is: present}}]",
        )
    columns = {name: found[path] for name, path in parent.columns.items()}
    changed = found[bound.field] if bound else None
    value = None if bound is None or changed is None else bookmarks.comparable(bound.type, changed)
    name = found[parent.known_by] if parent.known_by else None
    return Context(params, columns, value, found[parents.FAMILY], "" if name is None else str(name))


def _once(row: Endpoint, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield each row once: a window that was halved is read again."""
    met: set[tuple[Any, ...]] = set()
    for piece in pieces:
        keyed = {tuple(one.get(key) for key in row.keys) if row.keys else (id(one),): one for one in piece.rows}
        yield replace(piece, rows=[one for key, one in keyed.items() if key not in met])
        met.update(keyed)


def _moved(bound: Bookmark, record: Mapping[str, Any], since: Any) -> bool:
    value = record.get(bound.field)
    return value is None or bool(bookmarks.comparable(bound.type, value) >= since)


def _over(bound: Bookmark, seen: bookmarks.Seen, since: Any) -> bool:
    return bound.order == "desc" and seen.low is not None and seen.descending and bool(seen.low < since)
