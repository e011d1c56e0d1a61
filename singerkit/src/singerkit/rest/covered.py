"""Which parents need no second walk after a run was cut: those whose values lie between two that were walked. Pure.

Takes contexts in the order of their walks; gives an interval for the family under way. Refuses to remember one where
the parents do not come in the order that their row promises.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from singerkit.rest import bookmarks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.family import Context


class Covered:
    """The parents of each family whose children are written, as the lowest and the highest value among them.

    A parent that moved since lies beyond the interval, and is walked; so are those at its borders, since several may
    have one value, and those that each run walks again, by the bookmark's lookback.
    """

    def __init__(self, mark: Bookmark | None, held: Mapping[str, Any], now: datetime, stream: str = "") -> None:
        self.order = mark.order if mark else None
        self.held: dict[str, tuple[Any, Any]] = {}
        if mark is not None and self.order is not None:
            read = bookmarks.from_state
            self.held = {
                name: (read(mark, low, stream), read(mark, high, stream)) for name, (low, high) in held.items()
            }
        self.before = dict(self.held)  # what a cut run left: this run's own walk passes over nothing
        back_s = mark.lookback_s if mark else 0
        self.again_from = (bookmarks.before(now, back_s) or bookmarks.BEGINNING) if back_s else None
        self.family: str | None = None
        self.first: Any = None
        self.last: Any = None
        self.ordered = True

    def holds(self, context: Context) -> bool:
        """Return whether a parent's children were written before the run was cut, and it has not moved since."""
        between, value = self.before.get(context.family), context.changed
        if between is None or value is None or not between[0] < value < between[1]:
            return False
        return self.again_from is None or not isinstance(value, datetime) or value < self.again_from

    def done(self, context: Context) -> str | None:
        """Take note of a parent whose children are written; return the family that is complete with that, or None."""
        before = None
        if self.order is None:
            return None
        if context.family != self.family:
            before, self.family = self.family, context.family
            self.first = self.last = None
            self.ordered = True
            self.held.pop(before or "", None)
        if context.changed is not None:
            self._note(context.family, context.changed)
        return before

    def state(self) -> dict[str, list[Any]]:
        """Return the intervals as a STATE holds them."""
        return {name: [bookmarks.storable(one, None) for one in between] for name, between in self.held.items()}

    def _note(self, family: str, value: Any) -> None:
        kept = self.last is None or (value <= self.last if self.order == "desc" else value >= self.last)
        self.ordered = self.ordered and kept
        self.first = value if self.first is None else self.first
        self.last = value
        if self.ordered:
            self.held[family] = self._joined(self.held.get(family))
        else:
            self.held.pop(family, None)

    def _joined(self, old: tuple[Any, Any] | None) -> tuple[Any, Any]:
        """Return the interval with this walk's part; the old one alone until the walk has come to it."""
        low, high = min(self.first, self.last), max(self.first, self.last)
        if old is None:
            return low, high
        if self.order == "desc":
            return (low, max(high, old[1])) if self.last <= old[0] else old
        return (min(low, old[0]), high) if self.last >= old[1] else old
