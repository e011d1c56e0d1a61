"""Many walks at once, their pages in the order of the walks: fetched ahead in threads, given one by one.

Takes functions that yield pages; gives pages. Refuses to let more than a stated number of rows and bytes wait for its
reader, beside the pages that are under way.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

ROWS_AHEAD = 5_000
BYTES_AHEAD = 32 << 20  # of JSON text: as objects in memory it is three to five times as much, so under 200 MiB
_PAGES_AHEAD = 2  # of the walk that is read, however much waits of others: one is written while the next is fetched
_LOOK_S = 0.2  # how often a waiting main thread looks whether a signal came


class _Lane(Generic[T]):
    """One walk: its pages that wait, with their weights, and how it ended."""

    def __init__(self, walk: Callable[[], Iterator[T]]) -> None:
        self.walk = walk
        self.pages: deque[tuple[T, int, int]] = deque()
        self.ended = False
        self.error: BaseException | None = None


class _Crew(Generic[T]):
    """Threads that run lanes in their order; daemons, so that a server that never answers cannot hold the process.

    The first lane is the one that is read. It was begun before all others, and always has room for a page: so the
    others may wait for room without an end, and nobody waits for them.
    """

    def __init__(self, size: int, weigh: Callable[[T], tuple[int, int]]) -> None:
        self.size, self.weigh = size, weigh
        self.lock = threading.Lock()  # one for all, and a condition for each who waits: a page wakes nobody in vain
        self.read_on, self.room, self.work = (threading.Condition(self.lock) for _ in range(3))
        self.lanes: deque[_Lane[T]] = deque()
        self.unbegun: deque[_Lane[T]] = deque()
        self.rows = self.bytes = 0
        self.threads = self.idle = 0
        self.closed = False

    def wants(self) -> bool:
        """Return whether another lane is of use: threads find one when they come to the end of theirs."""
        with self.lock:
            return not self.lanes or (len(self.unbegun) < self.size and self._has_room())

    def give(self, lane: _Lane[T]) -> None:
        """Add a lane behind the others."""
        with self.lock:
            self.lanes.append(lane)
            if lane.ended:
                return
            self.unbegun.append(lane)
            if self.idle < len(self.unbegun) and self.threads < self.size:
                self.threads += 1
                threading.Thread(target=self._run, daemon=True, name="singerkit-walk").start()
            self.work.notify()

    def read(self, look: Callable[[], None], more: Callable[[], None]) -> Iterator[T]:
        """Yield the pages of the first lane as they come, and give up that lane; raise the error that it ended in."""
        lane = self.lanes[0]
        while True:
            more()
            with self.lock:
                if self.closed:  # the pages are not all here: an end would look like the walk's own
                    raise RuntimeError("a dropped walk was read on")
                if lane.pages:
                    page = self._taken(lane)
                elif lane.ended:
                    break
                else:
                    look()
                    self.read_on.wait(_LOOK_S)
                    continue
            yield page
        if lane.error is not None:
            raise lane.error
        with self.lock:
            self.lanes.popleft()
            self.room.notify_all()

    def close(self) -> None:
        """Tell the threads that nobody reads on."""
        with self.lock:
            self.closed = True
            for waiting in (self.read_on, self.room, self.work):
                waiting.notify_all()

    def _run(self) -> None:
        while (lane := self._next()) is not None:
            try:
                for page in lane.walk():
                    if not self._put(lane, page):
                        return
            except BaseException as error:  # noqa: BLE001  # it is raised again where the pages are read
                lane.error = error
            with self.lock:
                lane.ended = True
                self.read_on.notify()

    def _next(self) -> _Lane[T] | None:
        with self.lock:
            self.idle += 1
            self.work.wait_for(lambda: bool(self.unbegun) or self.closed)
            self.idle -= 1
            return None if self.closed else self.unbegun.popleft()

    def _put(self, lane: _Lane[T], page: T) -> bool:
        """Let a page wait for its reader; return, once there is room for the next, whether it is wanted."""
        rows, size = self.weigh(page)
        rows = max(rows, 1)  # a page without rows is a page
        with self.lock:
            lane.pages.append((page, rows, size))
            self.rows, self.bytes = self.rows + rows, self.bytes + size
            if lane is self.lanes[0]:
                self.read_on.notify()
            self.room.wait_for(lambda: self.closed or self._has_room() or self._is_due(lane))
            return not self.closed

    def _taken(self, lane: _Lane[T]) -> T:
        page, rows, size = lane.pages.popleft()
        self.rows, self.bytes = self.rows - rows, self.bytes - size
        self.room.notify_all()
        return page

    def _has_room(self) -> bool:
        return self.rows < ROWS_AHEAD and self.bytes < BYTES_AHEAD

    def _is_due(self, lane: _Lane[T]) -> bool:
        return lane is self.lanes[0] and len(lane.pages) < _PAGES_AHEAD


def in_order(
    walks: Iterable[Callable[[], Iterator[T]]],
    at_once: int,
    look: Callable[[], None] = lambda: None,
    weigh: Callable[[T], tuple[int, int]] = lambda page: (1, 0),  # noqa: ARG005  # one shape
) -> Iterator[Iterator[T]]:
    """Yield, for each walk in its order, its pages, which are to be read to their end; `at_once` walks run at once.

    `walks` is itself read in the caller's thread, and an error of it is raised where its next walk would be. `look` is
    called while waiting, so that a signal ends the wait. `weigh` returns the rows and bytes of a page: no walk goes on
    while ROWS_AHEAD or BYTES_AHEAD wait, but the one that is read.
    """
    crew: _Crew[T] = _Crew(at_once, weigh)
    coming = iter(walks)

    def more() -> None:
        while crew.wants() and (lane := _next_lane(coming)) is not None:
            crew.give(lane)

    try:
        more()
        while crew.lanes:
            yield crew.read(look, more)
            more()
    finally:
        crew.close()


def _next_lane(walks: Iterator[Callable[[], Iterator[T]]]) -> _Lane[T] | None:
    lane: _Lane[T] = _Lane(lambda: iter(()))
    try:
        walk = next(walks, None)
    except Exception as error:  # noqa: BLE001  # it is raised again in its place, behind the lanes that are there
        lane.error, lane.ended = error, True
        return lane
    return None if walk is None else _Lane(walk)
