"""One thread that writes while the main thread reads and stays awake for signals.

Takes jobs, one at a time and in order; gives their results back on the main thread. An error of a job ends the run.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WAKE_S = 0.1  # a signal handler of Python runs only between two steps of the main thread


class StopWritingError(Exception):
    """The run was told to stop; what is not committed is abandoned."""


class Worker:
    """Runs a job beside the main thread; the next one waits for it.

    `interrupt` is called while something waits, and by work on the main thread; it may raise. `waiting` is around each
    wait for a job.
    """

    def __init__(
        self, interrupt: Callable[[], None], waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self.interrupt = interrupt
        self._waiting = waiting
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write")
        self._running: tuple[Future[Any], Callable[[Any], None]] | None = None
        self._stopped = threading.Event()

    def submit(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Start a job once the one before it is done; `then` gets its result, on this thread, in a later call."""
        self.settle()
        self._running = self._threads.submit(job), then

    def settle(self) -> None:
        """Wait for the job that runs, and hand its result over."""
        if self._running is None:
            return
        future, then = self._running
        with self._waiting():
            result = self._result(future)
        self._running = None
        then(result)

    def _result(self, future: Future[Any]) -> Any:
        while True:
            try:
                return future.result(timeout=WAKE_S)
            except NotYetError:
                if future.done():  # the job itself ended in a TimeoutError
                    raise
                self.interrupt()

    def collect(self) -> None:
        """Hand the result over if the job is done; else go on."""
        if self._running is not None and self._running[0].done():
            self.settle()

    def alive(self) -> None:
        """Raise StopWritingError where the run was told to stop; called by jobs where nothing is half done."""
        if self._stopped.is_set():
            raise StopWritingError

    def stop(self) -> None:
        """Tell the running job to stop at the next safe point, and wait for it; its error is not raised again."""
        self._stopped.set()
        if self._running is not None:
            future, then = self._running
            self._running = None
            while not future.done():
                threading.Event().wait(WAKE_S)
            if future.exception() is None:
                then(future.result())
        self._threads.shutdown()
