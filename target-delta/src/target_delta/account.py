"""Keeps account of a load while it runs: how far it is, where the time goes, which bookmarks came and left.

Takes the report of the run, and blocks and STATEs as they pass; gives a line on the terminal or in the log, and facts
to the report. Refuses nothing.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from singerkit.report import short
from singerkit.show.progress import Progress, Reached, terminal_of_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from singerkit.report import Report
    from target_delta.ledger import State
    from target_delta.router import Router

INPUT, READING, WRITING = "the input", "reading", "writing"
"""What the time of a load goes to."""


class Account:
    """The account of one load."""

    def __init__(self, report: Report, raise_if_stopped: Callable[[], None], emit: Callable[[State], None]) -> None:
        self.report = report
        self._raise_if_stopped, self._emit = raise_if_stopped, emit
        self._progress = Progress(self._reached, terminal=terminal_of_target())
        self._begun_s = time.monotonic()
        self._first: State = {}
        self._last: State = {}

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Show how far the load is, and gather its warnings, inside the block."""
        with self.report.listening(), self._progress.shown():
            yield

    def look(self) -> None:
        """Let a signal be heard and the progress be seen."""
        self._raise_if_stopped()
        self._progress.tick()

    def waiting(self, blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
        """Yield the blocks; the time until one comes is the input's."""
        following = iter(blocks)
        while True:
            with self.report.timing(INPUT):
                try:
                    block = next(following)
                except StopIteration:
                    return
            yield block

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Count the time of the block as waiting for what is written."""
        return self.report.timing(WRITING)

    def told(self, state: State) -> None:
        """Let a STATE leave; one that leaves before any row came is what the run began with."""
        self._emit(state)
        self._last = state
        if not any(counts.get("rows") for counts in self.report.streams.values()):
            self._first = state

    def end(self, router: Router) -> None:
        """Note each stream's bookmark before the load and after it: the newest that left."""
        waited = self.report.spent(INPUT) + self.report.spent(WRITING)
        self.report.took(READING, time.monotonic() - self._begun_s - waited)
        for name, stream in router.streams.items():
            before, after = (_bookmark(state, stream.source) for state in (self._first, self._last))
            self.report.note(name, bookmark_before=short(before), bookmark_after=short(after))

    def _reached(self, seconds: float) -> Reached:
        counts = [*self.report.streams.values()]
        rows, size = (int(sum(count.get(name, 0) for count in counts)) for name in ("rows", "received_bytes"))
        what = f"loading {len(counts)} streams" if len(counts) != 1 else f"loading {next(iter(self.report.streams))}"
        return Reached(what, rows, size, seconds)


def _bookmark(state: State, stream: str) -> Any:
    bookmarks = state.get("bookmarks")
    return bookmarks.get(stream) if isinstance(bookmarks, dict) else None
