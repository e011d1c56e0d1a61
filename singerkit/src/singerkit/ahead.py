"""Reading ahead: a source that blocks is read in a thread, so that reading overlaps writing and a stop is heard.

Takes a source of items and a way to cancel it; gives the items. Refuses to outlive its block or to hold more than
`depth` items.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType
    from typing import Self

Item = TypeVar("Item")
LOOK_EVERY_S = 0.5
"""How often a waiting reader looks whether it was stopped."""
JOIN_S = 5.0
"""How long a cancelled source may take to come back; after that its thread, a daemon, is left behind."""


class ReadAhead(Generic[Item]):
    """Iterates over `source` in a thread of its own; `cancel` makes a blocked source return early, from any thread."""

    def __init__(
        self,
        source: Generator[Item, None, None],
        *,
        cancel: Callable[[], None],
        look: Callable[[], None],
        depth: int = 2,
    ) -> None:
        self._source, self._cancel, self._look = source, cancel, look
        self._items: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(depth)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._cancel()
        while self._thread.is_alive() and not self._items.empty():
            self._items.get()
        self._thread.join(JOIN_S)

    def __iter__(self) -> Iterator[Item]:
        """Yield the items; an error of the source is raised here, `look` may raise while nothing comes."""
        while True:
            self._look()
            try:
                item, error = self._items.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def _run(self) -> None:
        try:
            with contextlib.closing(self._source) as source:  # ends what it holds open, here in its own thread
                for item in source:
                    if not self._put(item, None):
                        return
            self._put(None, None)
        except BaseException as error:  # noqa: BLE001  # handed to the thread that reads
            self._put(None, error)

    def _put(self, item: Item | None, error: BaseException | None) -> bool:
        while not self._closing.is_set():
            try:
                self._items.put((item, error), timeout=LOOK_EVERY_S)
            except queue.Full:
                continue
            return True
        return False
