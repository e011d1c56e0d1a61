"""Parents and their children: which walks there are, and what a STATE remembers of thousands of parents.

Takes the rows of parents and the stream's STATE; gives contexts and one bookmark. A STATE stays small.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.rest import bookmarks, conditions, lanes, parents, walk
from singerkit.rest.progress import Marks, Span
from singerkit.rest.reading import Reading
from singerkit.rest.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.endpoint import Endpoint, Parent, Source
    from singerkit.rest.parents import Facts, ParentRows
    from singerkit.rest.walk import Sender


@dataclass(frozen=True)
class Context:
    """What one parent gives to its child: parameters, columns, and where the parent's own bookmark stands."""

    params: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    changed: Any = None

    @property
    def key(self) -> str:
        """The parent's name in a STATE."""
        values = list(self.params.values())
        return str(values[0]) if len(values) == 1 else json.dumps(values, default=str, separators=(",", ":"))

    def __or__(self, other: Context) -> Context:
        """Combine two parents."""
        return Context({**self.params, **other.params}, {**self.columns, **other.columns}, self.changed)


@dataclass(frozen=True)
class Families:
    """Walks parents for their children: all rows of the source by name, a client, and the settings."""

    sender: Sender
    source: Source
    endpoints: Mapping[str, Endpoint]
    config: Mapping[str, Any]
    parents: ParentRows
    look: Callable[[], None] = lambda: None

    def contexts(self, endpoint: Endpoint, since: Any = None) -> Iterator[Context]:
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

    def _children(self, child: Endpoint, parent: Parent, since: Any) -> Iterator[Context]:
        row = self.endpoints[parent.stream]
        row = replace(row, params={**row.params, **parent.query})
        bound = row.bookmark(parent.changed_by) if parent.changed_by else None
        walk = (row.name, repr(sorted(parent.query.items())), parent.changed_by if since is not None else None, since)
        for found in self.parents.facts(row.name, walk, lambda: self._facts(row, bound, since)):
            if _wanted(child, parent, found):
                yield _context(child, parent, bound, found)

    def _facts(self, row: Endpoint, bound: Bookmark | None, since: Any) -> Iterator[Facts]:
        shaper, wanted = Shaper(row), parents.paths(row.name, self.endpoints)
        walks = (self._walk(row, bound, shaper, context, since) for context in self.contexts(row))
        for records in itertools.chain.from_iterable(lanes.in_order(walks, self.source.concurrency, self.look)):
            yield from (parents.facts(record, wanted) for record in records)

    def _walk(
        self, row: Endpoint, bound: Bookmark | None, shaper: Shaper, above: Context, since: Any
    ) -> Callable[[], Iterator[list[dict[str, Any]]]]:
        values = {**self.config, **above.params}
        reading = Reading(self.sender, self.source, row, shaper, bound, values, above.columns)

        def pages() -> Iterator[list[dict[str, Any]]]:
            for page in walk.pages(self.sender, row, reading.request(Span(since)), parent=above.params):
                records = shaper.rows(page.records, above.columns)
                seen = bookmarks.seen(bound, records, row.name) if bound else None
                pairs = zip(records, page.records, strict=True)
                wanted = [one for one, record in pairs if conditions.wanted(row, record)]
                yield [one for one in wanted if not bound or since is None or _moved(bound, one, since)]
                if bound and seen and since is not None and _over(bound, seen, since):
                    return

        return pages


class FamilyState:
    """The bookmarks of all parents: one each up to a number, then one for all.

    The one for all never passes the moment the run began: a record that came to a parent after its walk would else be
    lost. It needs values in time; streams whose bookmark is a number keep one bookmark for each parent.
    """

    def __init__(self, state: Mapping[str, Any], bookmark: Bookmark | None, limit: int, now: datetime) -> None:
        same = bookmark is not None and state.get("replication_key") == bookmark.field
        self.bookmark = bookmark
        self.known: dict[str, Any] = dict(state.get("parents", {})) if same else {}
        self.everyone: Any = state.get("global") if same else None
        self.after: str | None = state.get("after")
        self.began: str = state.get("began", now.isoformat()) if self.after else now.isoformat()
        self.high: Any = state.get("high") if self.after and same else None
        self.limit = limit if bookmark is not None and bookmark.type in {"datetime", "date"} else None
        self.crowded = self.everyone is not None
        self.old_parents = dict(self.known)
        self.met: set[str] = set()
        self.bound: Any = state.get("changed")
        self.changed: Any = None

    def of(self, key: str) -> dict[str, Any]:
        """Return the STATE that one parent's walk begins with."""
        value = self.old_parents.get(key, self.everyone)
        if self.bookmark is None or value is None:
            return {}
        return {"replication_key": self.bookmark.field, "replication_key_value": value}

    def done(self, context: Context, finished: Mapping[str, Any]) -> None:
        """Take note of a parent whose rows are all written."""
        self.after = context.key
        if context.changed is not None and (self.changed is None or context.changed > self.changed):
            self.changed = context.changed
        value = finished.get("replication_key_value")
        if not self.crowded:
            self.met.add(context.key)
        if self.bookmark is None or value is None:
            return
        self.high = value if self.high is None else max(self.high, value, key=self._order)
        if not self.crowded:
            self.known[context.key] = value
            self.crowded = self.limit is not None and len(self.known) > self.limit
        if self.crowded:
            self.known = {}

    def state(self) -> dict[str, Any]:
        """Return the bookmarks of the parents done so far; the old ones stay for the others."""
        place = {"after": self.after, "began": self.began} if self.after and (self.crowded or not self.bookmark) else {}
        parents = dict(self.known)  # a copy: this STATE may be written when more parents are done
        return self._named(parents=parents, **{"global": self.everyone}, high=self.high if place else None, **place)

    def finished(self, *, pruned: bool) -> dict[str, Any]:
        """Return the bookmarks after the last parent; `pruned` forgets parents that are gone."""
        known = {key: value for key, value in self.known.items() if key in self.met} if pruned else self.known
        if self.crowded and self.bookmark is not None and self.high is not None:
            began = bookmarks.comparable(self.bookmark.type, self.began)
            top = min(bookmarks.comparable(self.bookmark.type, self.high), began)
            old = None if self.everyone is None else bookmarks.comparable(self.bookmark.type, self.everyone)
            self.everyone = bookmarks.storable(top if old is None else max(top, old), self.high)
        return self._named(parents=known, **{"global": self.everyone}, changed=self._changed())

    def _named(self, **parts: Any) -> dict[str, Any]:
        parts.setdefault("changed", self.bound)
        given = {name: value for name, value in parts.items() if value not in (None, {})}
        return {"replication_key": self.bookmark.field, **given} if self.bookmark else given

    def _changed(self) -> Any:
        if self.changed is None:
            return self.bound
        began = datetime.fromisoformat(self.began)
        moved = min(self.changed, began) if isinstance(self.changed, datetime) else self.changed
        return bookmarks.storable(moved, None)

    def _order(self, value: Any) -> Any:
        return bookmarks.comparable(self.bookmark.type if self.bookmark else "text", value)


def bound_since(parent: Parent, row: Endpoint, state: Any, now: datetime) -> Any:
    """Return from where the parents are walked that moved since the last good run, or None for all."""
    mark = row.bookmark(parent.changed_by) if parent.changed_by else None
    if mark is None:
        return None
    mark = replace(mark, first_days=parent.first_days)
    marks = Marks(mark, {"replication_key": mark.field, "replication_key_value": state}, row.name, now)
    return marks.since(marks.read("replication_key_value"))


def after(contexts: Callable[[], Iterable[Context]], key: str) -> Iterator[Context]:
    """Yield the contexts that come after a parent; all of them where that parent is gone."""
    met = False
    for context in contexts():
        if met:
            yield context
        met = met or context.key == key
    if not met:
        yield from contexts()


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
    return Context(params, columns, value)


def _moved(bound: Bookmark, record: Mapping[str, Any], since: Any) -> bool:
    value = record.get(bound.field)
    return value is None or bool(bookmarks.comparable(bound.type, value) >= since)


def _over(bound: Bookmark, seen: bookmarks.Seen, since: Any) -> bool:
    return bound.order == "desc" and seen.low is not None and seen.descending and bool(seen.low < since)
