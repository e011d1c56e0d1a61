"""Parents' rows for their children: walked once in a run, and kept as the few values that children need of them.

Takes walks of parents, the one for a parent's own stream too; gives their values. Refuses to hold more rows than a
stated number: then it walks them again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from singerkit.rest import selector

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from singerkit.rest.endpoint import Endpoint, Parent

logger = logging.getLogger("singerkit.rest")

Facts = Mapping[str, Any]
"""What children need of one parent's row: each path that a child names, with its value."""


FAMILY = ""
"""Where the facts of a parent hold the key of the context that it was walked in: no path is empty."""


class ParentRows:
    """The facts of parents that were walked to their end in this run, `most` rows in all."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: dict[Hashable, list[Facts]] = {}
        self.large: set[Hashable] = set()

    def facts(self, stream: str, walk: Hashable, rows: Callable[[], Iterator[Facts]]) -> Iterator[Facts]:
        """Yield the facts of a parent's walk, from memory where it came to its end before and they were few enough."""
        if walk in self.kept:
            yield from self.kept[walk]
            return
        held: list[Facts] = []
        for fact in rows():
            if walk not in self.large:
                held.append(fact)
                if len(held) > self._room():
                    self._give_up(stream, walk)
                    held = []
            yield fact
        if walk not in self.large:
            self.kept[walk] = held

    def keep(self, walk: Hashable, held: list[Facts]) -> None:
        """Keep what another walk to the end has met, where there is room."""
        if walk not in self.kept and len(held) <= self._room():
            self.kept[walk] = held

    def _room(self) -> int:
        return self.most - sum(map(len, self.kept.values()))

    def _give_up(self, stream: str, walk: Hashable) -> None:
        self.large.add(walk)
        logger.warning("too many parents to keep, walked again when needed stream=%s kept=%d", stream, self.most)


class OwnWalk:
    """What the walk for a parent's own stream meets on its way, for the children that are read after it."""

    def __init__(
        self, rows: ParentRows, row: Endpoint, endpoints: Mapping[str, Endpoint], columns: Sequence[str]
    ) -> None:
        self.rows, self.walk = rows, walk_of(row, {})
        self.wanted = paths(row.name, endpoints)
        tops = {path.removeprefix("$.").partition(".")[0] for path in self.wanted}
        self.held: list[Facts] | None = [] if self.wanted and tops <= {*columns} else None

    def met(self, records: Sequence[Mapping[str, Any]], family: str) -> None:
        """Take note of rows; of too many, nothing is kept."""
        if self.held is not None and len(self.held) + len(records) > self.rows.most:
            self.held = None
        if self.held is not None:
            self.held.extend(facts(record, self.wanted, family) for record in records)

    def ended(self) -> None:
        """Let the children have them: the walk came to its end."""
        if self.held is not None:
            self.rows.keep(self.walk, self.held)


def walk_of(row: Endpoint, query: Mapping[str, Any], changed_by: str | None = None, since: Any = None) -> Hashable:
    """Return what tells one walk of a parent from another in the same run."""
    return row.name, repr(sorted(query.items())), changed_by if since is not None else None, since


def paths(parent: str, rows: Mapping[str, Endpoint]) -> frozenset[str]:
    """Return every path that some child names of this parent's rows."""
    asking = [one for row in rows.values() for one in row.parents if one.stream == parent]
    return frozenset(path for one in asking for path in _named(one))


def facts(record: Mapping[str, Any], wanted: frozenset[str], family: str) -> Facts:
    """Return the values at these paths, and the key of the context that the parent was walked in."""
    return {FAMILY: family} | {
        path: record[path] if path in record else selector.value(path, record) for path in wanted
    }


def _named(parent: Parent) -> Iterator[str]:
    yield from parent.params.values()
    yield from parent.columns.values()
    yield from (condition.field for condition in parent.only_if)
    yield from filter(None, (parent.changed_by, parent.known_by))
