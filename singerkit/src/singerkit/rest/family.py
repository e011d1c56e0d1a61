"""What a STATE remembers of parents: a bookmark for each, one for all, and how far the parents themselves moved. Pure.

Takes contexts of parents that are done; gives one bookmark. A STATE of thousands of parents stays small.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from singerkit.rest import bookmarks
from singerkit.rest.covered import Covered
from singerkit.rest.progress import Marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.endpoint import Endpoint, Parent

_ALONE = "[]"  # the key of a context without parents


@dataclass(frozen=True)
class Context:
    """What one parent gives to its child: parameters, columns, and where the parent's own bookmark stands."""

    params: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    changed: Any = None
    family: str = ""
    """The key of the context in which the parent itself was walked."""
    name: str = ""
    """What the parent is known by, where that is not its parameters."""

    @property
    def key(self) -> str:
        """The parent's name in a STATE."""
        if self.name:
            return self.name
        values = list(self.params.values())
        return str(values[0]) if len(values) == 1 else json.dumps(values, default=str, separators=(",", ":"))

    def __or__(self, other: Context) -> Context:
        """Combine two parents."""
        params, columns = {**self.params, **other.params}, {**self.columns, **other.columns}
        return replace(self, params=params, columns=columns, name="")


@dataclass(frozen=True)
class Bound:
    """From where the parents of each family are walked that moved since the last good run; `floor` for new families."""

    floor: Any = None
    families: tuple[tuple[str, Any], ...] = ()

    def of(self, family: str) -> Any:
        """Return where the walk of one family begins; None for everything."""
        return dict(self.families).get(family, self.floor)


class FamilyState:
    """The bookmarks of all parents: one each up to a number, then one for all.

    The one for all never passes the moment the run began: a record that came to a parent after its walk would else be
    lost. It needs values in time; streams whose bookmark is a number keep one bookmark for each parent.
    """

    def __init__(
        self,
        state: Mapping[str, Any],
        bookmark: Bookmark | None,
        limit: int,
        now: datetime,
        moved_by: Bookmark | None = None,
    ) -> None:
        same = bookmark is not None and state.get("replication_key") == bookmark.field
        self.bookmark = bookmark
        self.known: dict[str, Any] = dict(state.get("parents", {})) if same else {}
        self.everyone: Any = state.get("global") if same else None
        self.after: str | None = state.get("after")
        self.way = Way(str(state.get("way", "")))
        self.began: str = state.get("began", now.isoformat())
        self.high: Any = state.get("high") if "began" in state and same else None
        self.limit = limit if bookmark is not None and bookmark.type in {"datetime", "date"} else None
        self.crowded = self.everyone is not None or (same and "began" in state)  # it was, where the run was cut
        self.crowded = self.crowded or (bookmark is not None and bookmark.of_parent)
        self.old_parents = dict(self.known)
        self.halves: dict[str, Mapping[str, Any]] = dict(state.get("halves", {})) if same else {}
        """How far the walks of parents came that were cut before their end."""
        self.met: set[str] = set()
        self.bound: Any = state.get("changed")
        self.covered = Covered(moved_by, state.get("covered", {}) if same else {}, now)
        self.changed: dict[str, Any] = {family: high for family, (_, high) in self.covered.held.items()}
        self.complete: set[str] = set()
        self.looked: str | None = state.get("looked")
        self.looks_back = moved_by is not None and bool(moved_by.lookback_s) and moved_by.order is not None

    def of(self, key: str) -> dict[str, Any]:
        """Return the STATE that one parent's walk begins with."""
        value = self.old_parents.get(key, self.everyone)
        held = self.halves.get(key) or ({} if value is None else {"replication_key_value": value})
        return {"replication_key": self.bookmark.field, **held} if self.bookmark and held else {}

    def reached(self, context: Context, state: Mapping[str, Any]) -> None:
        """Take note of how far a parent's walk came whose rows so far are all written."""
        told = {name: value for name, value in state.items() if name != "replication_key"}
        if self.bookmark is not None and told and state != self.of(context.key):
            self.halves[context.key] = told

    def done(self, context: Context, finished: Mapping[str, Any]) -> None:
        """Take note of a parent whose rows are all written."""
        self.after = context.key
        self.way.pass_by(context.key)
        self.halves.pop(context.key, None)
        if context.changed is not None:
            before = self.changed.get(context.family, context.changed)
            self.changed[context.family] = max(before, context.changed)
        if (passed := self.covered.done(context)) is not None:
            self.complete.add(passed)
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
        placed = self.after and (self.crowded or not self.bookmark)
        place: dict[str, Any] = {"began": self.began} if placed else {}
        if placed and not self.covered.order:
            place |= {"after": self.after, "way": self.way.text}
        copies = {"parents": dict(self.known), "halves": dict(self.halves)}  # it may be written when more are done
        done = [family for family in self.changed if family in self.complete]
        moved = {"covered": self.covered.state(), "changed": self._changed(datetime.fromisoformat(self.began), done)}
        return self._named(**copies, **{"global": self.everyone}, high=self.high if place else None, **place, **moved)

    def left(self, contexts: Iterable[Context]) -> Iterator[Context]:
        """Yield the contexts of parents whose children a cut run has not written, or that moved since."""
        return (context for context in contexts if not self.covered.holds(context))

    def finished(self, *, pruned: bool, behind_s: float = 0) -> dict[str, Any]:
        """Return the bookmarks after the last parent; `pruned` forgets parents that are gone.

        `behind_s` is how far the server's clock is behind ours: its records have the time of its clock.
        """
        known = {key: value for key, value in self.known.items() if key in self.met} if pruned else self.known
        began_there = datetime.fromisoformat(self.began) - timedelta(seconds=behind_s)
        if self.crowded and self.bookmark is not None and self.high is not None:
            began = bookmarks.comparable(self.bookmark.type, began_there.isoformat())
            top = min(bookmarks.comparable(self.bookmark.type, self.high), began)
            old = None if self.everyone is None else bookmarks.comparable(self.bookmark.type, self.everyone)
            self.everyone = bookmarks.storable(top if old is None else max(top, old), self.high)
        changed, looked = self._changed(began_there, self.changed), began_there.isoformat() if self.looks_back else None
        return self._named(parents=known, **{"global": self.everyone}, changed=changed, looked=looked)

    def _named(self, **parts: Any) -> dict[str, Any]:
        parts = {"changed": self.bound, "looked": self.looked} | parts
        given = {name: value for name, value in parts.items() if value not in (None, {})}
        return {"replication_key": self.bookmark.field, **given} if self.bookmark else given

    def _changed(self, began: datetime, families: Iterable[str]) -> Any:
        """Return how far the parents of these families have moved; one value where there is one family."""
        moved = {
            family: bookmarks.storable(min(value, began) if isinstance(value, datetime) else value, None)
            for family in families
            if (value := self.changed[family]) is not None
        }
        if moved.keys() <= {_ALONE}:
            return moved.get(_ALONE, self.bound)
        return {**(self.bound if isinstance(self.bound, dict) else {}), **moved}

    def _order(self, value: Any) -> Any:
        return bookmarks.comparable(self.bookmark.type if self.bookmark else "text", value)


def bound_since(
    parent: Parent, row: Endpoint, state: Any, now: datetime, start_date: datetime | None = None, looked: Any = None
) -> Bound | None:
    """Return from where the parents are walked that moved since the last good run, or None for all.

    The lookback is taken from when that run `looked`, where parents come in the order in which they were made: one that
    was older then has not changed since, and a family in which nothing happens costs nothing.
    """
    mark = row.bookmark(parent.changed_by) if parent.changed_by else None
    if mark is None:
        return None
    mark = replace(mark, first_days=parent.first_days)
    seen = datetime.fromisoformat(looked) if looked and mark.order is not None else None

    def since(value: Any) -> Any:
        held = {"replication_key": mark.field, "replication_key_value": value}
        marks = Marks(mark, held, row.name, now, start_date)
        last = marks.read("replication_key_value")
        far = marks.since(last)
        if last is None or far is None or seen is None or not isinstance(last, datetime):
            return far
        return max(far, min(last, bookmarks.before(seen, mark.lookback_s) or far))

    families = state if isinstance(state, dict) else {_ALONE: state}
    return Bound(since(None), tuple((family, since(value)) for family, value in families.items()))


class Way:
    """The parents that were passed, in their order, as a text of 16 digits: two ways are the same or they are not."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def pass_by(self, key: str) -> None:
        """Go on by one parent."""
        self.text = hashlib.sha256(f"{self.text}\n{key}".encode()).hexdigest()[:16]


class PlaceLostError(Exception):
    """Others stand before the parent where a full load was cut: all are to be read, as a load of its own number."""


def after(contexts: Callable[[], Iterable[Context]], state: FamilyState) -> Iterator[Context]:
    """Yield the contexts that come after the parent where a run was cut.

    All of them where that parent is gone, or where others stand before it than stood there: one of those may not have
    been read. PlaceLostError where all are to be a full load: rows of the part that was read would be in it twice.
    """
    way, rest = Way(), iter(contexts())
    for context in rest:
        way.pass_by(context.key)
        if context.key == state.after:
            break
    if way.text == state.way.text:
        yield from rest
        return
    if state.bookmark is None:
        raise PlaceLostError
    state.way = Way()
    yield from contexts()
