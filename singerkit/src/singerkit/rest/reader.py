"""One run of one stream: its walks, alone or for each parent, as rows and checkpoints in the order of writing.

Takes a row, the STATE and the tap's client; gives what is to be written. Writes nothing; runs in a thread of its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any

from singerkit.checks.guards import ENOUGH, STUCK, CappedError
from singerkit.errors import SettingsError
from singerkit.rest import bookmarks, own, progress
from singerkit.rest.endpoint import ReadCall
from singerkit.rest.family import Context, FamilyState, after, bound_since
from singerkit.rest.fanout import Families
from singerkit.rest.lanes import in_order
from singerkit.rest.output import Rows
from singerkit.rest.parents import OwnWalk
from singerkit.rest.reading import Piece, Reading
from singerkit.rest.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.client import Client
    from singerkit.rest.endpoint import Endpoint, Source
    from singerkit.rest.parents import ParentRows
    from singerkit.rest.progress import Progress

    Item = Rows | Mapping[str, Any]
    """Rows, or the bookmark that a STATE may hold once all rows before it are written."""

_SHARE_OF_PARENTS = 20  # a STATE holds all parents: one for as many pages as 5 % of them keeps its traffic linear


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a tap's run gives to each of its streams."""

    client: Client
    source: Source
    rows: Mapping[str, Endpoint]
    values: Mapping[str, Any]
    """What fills the `{names}` of rows."""
    now: datetime
    parents: ParentRows
    """Parents' rows that another child has walked already."""
    start_date: datetime | None = None
    max_rows: int | None = None


@dataclass(frozen=True)
class Reader:
    """Reads one stream: `mark` is its bookmark, or None for a full load; `before` is what STATE holds of it."""

    run: Run
    endpoint: Endpoint
    columns: Sequence[str]
    mark: Bookmark | None
    before: Mapping[str, Any]

    def items(self) -> Iterator[Item]:
        """Yield rows and bookmarks until all is read, or as many rows as the run wants."""
        left, moved = self.run.max_rows, False
        for item in self._families() if self.endpoint.parents else self._alone():
            moved = moved or not isinstance(item, Rows)
            if isinstance(item, Rows) and left is not None:
                if item.num_rows > left:
                    yield item.slice(0, left)
                    raise CappedError(ENOUGH if moved else STUCK)
                left -= item.num_rows
            yield item

    @cached_property
    def fingerprint(self) -> str:
        """What a resumed walk must agree in: its rows and their first requests, parents' too, and the columns."""
        said = [*sorted(self.columns), *self._said(self.endpoint, self.mark)]
        return sha256("\n".join(said).encode()).hexdigest()[:16]

    def _said(self, row: Endpoint, mark: Bookmark | None) -> Iterator[str]:
        run, nameless = self.run, {name: "" for parent in row.parents for name in parent.params}
        reading = Reading(run.client, run.source, row, Shaper(row), mark, {**run.values, **nameless})
        yield repr(row)
        yield reading.request(progress.Span()).fingerprint()
        for parent in row.parents:
            yield from self._said(run.rows[parent.stream], None)

    def _alone(self) -> Iterator[Item]:
        resume = self.before.get("resume")
        came, steps = False, self._progress(self.mark, self.before, resume)
        own_walk = self._own_walk(whole=steps.is_whole())
        walk = partial(self._pieces, Context(), steps)
        try:
            for piece in chain.from_iterable(in_order([walk], 1, self.run.client.look, Piece.weight)):
                came = True
                if piece.rows:
                    own_walk.met(piece.rows, Context().key)
                    yield Rows(piece.rows)
                yield piece.state
            own_walk.ended()
        except SettingsError:
            if self.mark is None and resume and not came:
                yield {}  # the vendor has forgotten the place: the next run is to begin anew
            raise

    def _families(self) -> Iterator[Item]:
        limit = self.run.source.parents_with_bookmark
        family = FamilyState(self.before, self.mark, limit, self.run.now, self._moved_by())
        bounded, contexts = self._contexts(family)
        own_walk = self._own_walk(whole=self.mark is None and family.after is None)
        ahead: deque[Context] = deque()
        walks = (self._child(context, family, ahead) for context in contexts)
        untold = page = 0
        lanes = in_order(walks, self.run.source.concurrency, self.run.client.look, Piece.weight)
        for piece in chain.from_iterable(lanes):
            if piece.rows:
                own_walk.met(piece.rows, ahead[0].key)
                yield Rows(piece.rows)
            if piece.final:
                family.done(ahead.popleft(), piece.state)
            else:
                family.reached(ahead[0], piece.state)
            page = 0 if piece.final else page + 1
            untold += page != 1  # a parent of one page counts once
            if untold > len(family.known) / _SHARE_OF_PARENTS:
                untold = 0
                yield family.state()
        own_walk.ended()
        yield family.finished(pruned=not bounded, behind_s=self.run.client.clock.behind_s)

    def _own_walk(self, *, whole: bool) -> OwnWalk:
        """Return what remembers the rows for children: those of a walk that leaves nothing out."""
        return OwnWalk(self.run.parents, self.endpoint, self.run.rows, self.columns if whole else ())

    def _contexts(self, family: FamilyState) -> tuple[bool, Iterable[Context]]:
        """Return the contexts still to be walked, and whether some parents were left out."""
        run, parent = self.run, self.endpoint.parents[0]
        families = Families(
            run.client,
            run.source,
            run.rows,
            run.values,
            run.parents,
            now=run.now,
            start_date=run.start_date,
            look=run.client.look,
        )
        since = None  # a full load is swapped in: it must hold the children of every parent
        if self.mark is not None:
            row = run.rows[parent.stream]
            since = bound_since(parent, row, family.bound, run.now, run.start_date, family.looked)
        contexts = partial(families.contexts, self.endpoint, since)
        if family.after is None:
            return since is not None, family.left(contexts())
        return True, after(contexts, family)

    def _moved_by(self) -> Bookmark | None:
        """Return the parents' bookmark by which only those are walked that moved, or None."""
        parent = self.endpoint.parents[0]
        return self.run.rows[parent.stream].bookmark(parent.changed_by) if self.mark and parent.changed_by else None

    def _child(self, context: Context, family: FamilyState, ahead: deque[Context]) -> Callable[[], Iterator[Piece]]:
        ahead.append(context)
        return partial(self._pieces, context, self._progress(self.mark, family.of(context.key), None))

    def _progress(self, mark: Bookmark | None, before: Mapping[str, Any], resume: Any) -> Progress:
        if mark is None:
            return progress.Full(self.endpoint.name, resume, int(before.get("passed", 0)))
        if self.endpoint.read is not None:
            mark = progress.without_order(mark)  # what a function yields has no promised order
        window = self.endpoint.window.days if self.endpoint.window else None
        run, name = self.run, self.endpoint.name
        clock = run.client.clock
        marks = progress.Marks(
            mark, before, name, run.now, run.start_date, self.fingerprint, behind_s=lambda: clock.behind_s
        )
        return progress.begin(marks, window)

    def _reading(self, context: Context) -> Reading:
        run, shaper = self.run, Shaper(self.endpoint, self.columns)
        values = {**run.values, **context.params}
        return Reading(run.client, run.source, self.endpoint, shaper, self.mark, values, context.columns)

    def _pieces(self, context: Context, steps: Progress) -> Iterator[Piece]:
        """Yield the pieces of one walk, or of the row's own function where it has one."""
        reading = self._reading(context)
        if self.endpoint.read is not None:
            return self._own_pieces(context, steps, reading.shaper)
        most = None if self.endpoint.parents else self.run.max_rows
        return replace(reading, most=most).pieces(steps)

    def _own_pieces(self, context: Context, steps: Progress, shaper: Shaper) -> Iterator[Piece]:
        run = self.run
        for span in steps.spans():
            call = ReadCall(self.endpoint, run.client.send, span.since, context.params, run.values, run.source)
            for records, size in own.called(call):
                rows = shaper.rows(records, context.columns)
                steps.saw(bookmarks.seen(self.mark, rows, self.endpoint.name) if self.mark else bookmarks.Seen(), None)
                yield Piece(rows, steps.state(), size_bytes=size)
        yield Piece((), steps.finished(), final=True)


def is_young(at: Any, hours: float, now: datetime) -> bool:
    """Return whether a moment that a STATE holds is no older than so many hours."""
    if not isinstance(at, str):
        return False
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:  # somebody's own edit: then the place counts for nothing
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (now - moment).total_seconds() < hours * 3600
