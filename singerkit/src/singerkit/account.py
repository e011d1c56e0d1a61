"""Keeps account of a tap's run while it moves rows: counts, where the time goes, and what a person is shown of it.

Takes streams and outputs as they are at work; gives numbers to the report and to the progress line. Refuses nothing.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, TypeVar

from singerkit.report import short
from singerkit.show.progress import Progress, Reached, terminal_of_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from singerkit.output import Output
    from singerkit.report import Report
    from singerkit.stream import ArrowStream

Item = TypeVar("Item")

SOURCE, WRITING = "the source", "writing"


class Account:
    """The account of one run; one stream is at work at a time."""

    def __init__(self, report: Report, raise_if_stopped: Callable[[], None]) -> None:
        self.report = report
        self._raise_if_stopped = raise_if_stopped
        self._progress = Progress(self._reached, terminal=terminal_of_tap())
        self._stream = ""
        self._begun_s = time.monotonic()
        self._expected: int | None = None
        self._output: Output | None = None
        self._bytes = 0

    @property
    def is_watched(self) -> bool:
        """Whether a person sees how far the run is, and may wonder how far it has to go."""
        return self._progress.terminal is not None

    def shown(self) -> contextlib.AbstractContextManager[None]:
        """Show how far the run is, inside the block."""
        return self._progress.shown()

    def look(self) -> None:
        """Let a signal be heard and the progress be seen; called while nothing else happens."""
        self._raise_if_stopped()
        self._progress.tick()

    @contextlib.contextmanager
    def of(self, stream: ArrowStream) -> Iterator[None]:
        """Keep account of one stream: its bookmarks before and after, and how long it took."""
        self._stream, self._begun_s = stream.name, time.monotonic()
        self._expected = stream.expected
        self.report.note(stream.name, rows_to_sync=self._expected, bookmark_before=short(stream.stream_state))
        self.report.add(stream.name, read=0, written=0)
        try:
            yield
        finally:
            self.report.add(stream.name, seconds=time.monotonic() - self._begun_s)
            self.report.note(stream.name, bookmark_after=short(stream.stream_state))

    def timed(self, items: Iterable[Item], output: Output) -> Iterator[Item]:
        """Yield the items; the time until one comes is the source's, the time until the next is asked for ours."""
        self._output = output
        since = time.monotonic()
        for item in items:
            came = time.monotonic()
            self.report.took(SOURCE, came - since, self._stream)
            yield item
            since = time.monotonic()
            self.report.took(WRITING, since - came, self._stream)
            self._progress.tick()

    def moved(self, output: Output) -> None:
        """Count what an output has taken and told."""
        self._output = None
        size = getattr(output, "bytes", 0)  # an output of singer-sdk's own lines does not see them
        self.report.add(self._stream, read=output.rows, written=output.told, bytes=size)

    def _reached(self, seconds: float) -> Reached:  # noqa: ARG002  # each stream has its own time
        known = self.report.streams[self._stream] if self._stream else {}
        output = self._output
        rows = int(known.get("read", 0)) + (output.rows if output else 0)
        size = int(known.get("bytes", 0)) + (getattr(output, "bytes", 0) if output else 0)
        taken = time.monotonic() - self._begun_s
        return Reached(self._stream or "looking at the source", rows, size, taken, self._expected)
