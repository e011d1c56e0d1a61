"""Many walks at once, their pages in the order of the walks: fetched ahead in threads, given one by one.

Takes functions that yield pages; gives pages. Refuses to hold more than a few pages of each walk in memory.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

PAGES_AHEAD = 2  # of each walk: one is written while the next is fetched
_LOOK_S = 0.2  # how often a waiting main thread looks whether a signal came


class _Lane(Generic[T]):
    """One walk in one thread: a short queue of pages, closed by its end, its error or its reader."""

    def __init__(self, walk: Callable[[], Iterator[T]]) -> None:
        self.walk = walk
        self.pages: deque[T] = deque()
        self.changed = threading.Condition()
        self.ended = self.dropped = False
        self.error: BaseException | None = None

    def run(self) -> None:
        """Fetch pages until the end, waiting while the reader has enough."""
        try:
            for page in self.walk():
                with self.changed:
                    self.changed.wait_for(lambda: len(self.pages) < PAGES_AHEAD or self.dropped)
                    if self.dropped:
                        return
                    self.pages.append(page)
                    self.changed.notify_all()
        except BaseException as error:  # noqa: BLE001  # it is raised again where the pages are read
            self.error = error
        finally:
            with self.changed:
                self.ended = True
                self.changed.notify_all()

    def read(self, look: Callable[[], None]) -> Iterator[T]:
        """Yield the pages as they come; raise the walk's error where it ended in one."""
        while True:
            with self.changed:
                while not (self.pages or self.ended):
                    look()
                    self.changed.wait(_LOOK_S)
                if not self.pages:
                    break
                page = self.pages.popleft()
                self.changed.notify_all()
            yield page
        if self.error is not None:
            raise self.error
        if self.dropped:  # its pages are not all here: an end would look like the walk's own
            raise RuntimeError("a dropped walk was read on")

    def drop(self) -> None:
        """Tell the thread that nobody reads on."""
        with self.changed:
            self.dropped = self.ended = True
            self.changed.notify_all()


class _Crew:
    """Threads that run lanes as they come; daemons, so that a server that never answers cannot hold the process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.work: deque[_Lane[object]] = deque()
        self.changed = threading.Condition()
        self.closed = False
        self.threads = 0
        self.idle = 0

    def give(self, lane: _Lane[object]) -> None:
        with self.changed:
            self.work.append(lane)
            if self.idle < len(self.work) and self.threads < self.size:
                self.threads += 1
                threading.Thread(target=self._run, daemon=True, name="singerkit-walk").start()
            self.changed.notify()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _run(self) -> None:
        while True:
            with self.changed:
                self.idle += 1
                self.changed.wait_for(lambda: bool(self.work) or self.closed)
                self.idle -= 1
                if self.closed:
                    return
                lane = self.work.popleft()
            lane.run()


def in_order(
    walks: Iterable[Callable[[], Iterator[T]]], at_once: int, look: Callable[[], None] = lambda: None
) -> Iterator[Iterator[T]]:
    """Yield, for each walk in its order, its pages; up to `at_once` walks run ahead of the one being read.

    `walks` is itself read in the caller's thread. `look` is called while waiting, so that a signal ends the wait.
    """
    crew = _Crew(at_once)
    lanes: deque[_Lane[T]] = deque()
    coming = iter(walks)
    try:
        while True:
            while len(lanes) < at_once and (walk := next(coming, None)) is not None:
                lanes.append(_Lane(walk))
                crew.give(lanes[-1])  # type: ignore[arg-type]  # a crew runs lanes of anything
            if not lanes:
                return
            yield lanes[0].read(look)
            lanes.popleft()
    finally:
        crew.close()
        for lane in lanes:
            lane.drop()
