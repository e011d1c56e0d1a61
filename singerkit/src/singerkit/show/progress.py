"""How far a run has come: one line on a terminal that is written over and over, a line of the log elsewhere.

Takes counts and the time as they come; gives text on stderr. Refuses to write more often than an eye or a log can bear.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG_EVERY_S = 30.0
DRAW_EVERY_S = 0.2
_CLEAR = "\r\x1b[2K"
_UNITS = ("B", "kB", "MB", "GB", "TB")

_LOGGER = logging.getLogger("singerkit.progress")


@dataclass(frozen=True)
class Reached:
    """Where a run stands: `expected` is the number of rows that it will come to, None where nobody knows."""

    what: str
    rows: int
    bytes: int
    seconds: float
    expected: int | None = None

    @property
    def rate(self) -> float:
        """Rows a second since the beginning."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float | None:
        """The part that is done, never more than all of it: what is expected is an estimate."""
        return min(1.0, self.rows / self.expected) if self.expected else None

    @property
    def left_s(self) -> float | None:
        """Seconds to go at this rate, or None where the end is not known, or was expected earlier."""
        if not self.expected or not self.rate or self.rows > self.expected:
            return None
        return (self.expected - self.rows) / self.rate

    def line(self, width: int) -> str:
        """Return one line of a terminal."""
        parts = [self.what, f"{self.rows:,} rows", size(self.bytes), f"{self.rate:,.0f} rows/s"]
        if self.share is not None:
            parts.append(f"{self.share:.0%}")
        if self.left_s is not None:
            parts.append(f"{duration(self.left_s)} left")
        return "  ".join(part for part in parts if part)[: max(0, width - 1)]


class Progress:
    """Says how far a run is, on a terminal often and in the log seldom; between `with` and its end."""

    def __init__(
        self, look: Callable[[float], Reached], *, terminal: TextIO | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.terminal = terminal
        self._look, self._clock = look, clock
        self._begun_s = self._said_s = clock()
        self._every_s = LOG_EVERY_S if terminal is None else DRAW_EVERY_S
        self._drawn = False

    def tick(self) -> None:
        """Say where the run stands, if that was long enough ago; called from the loop that does the work."""
        now = self._clock()
        if now - self._said_s < self._every_s:
            return
        self._said_s = now
        reached = self._look(now - self._begun_s)
        if self.terminal is None:
            _log(reached)
            return
        with contextlib.suppress(OSError):  # a terminal that went away is no reason to end
            self.terminal.write(_CLEAR + reached.line(_width(self.terminal)))
            self.terminal.flush()
            self._drawn = True

    def clear(self) -> None:
        """Take the line off the terminal, for another line to stand there."""
        if self._drawn and self.terminal is not None:
            self._drawn = False
            with contextlib.suppress(OSError):
                self.terminal.write(_CLEAR)
                self.terminal.flush()

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the line out of the way of the log's lines, inside the block, and take it off at the end."""
        eraser = _Eraser(self)
        root = logging.getLogger()
        if self.terminal is not None:
            root.handlers.insert(0, eraser)  # before those that write
        try:
            yield
        finally:
            if eraser in root.handlers:
                root.removeHandler(eraser)
            self.clear()


class _Eraser(logging.Handler):
    """Clears the line before another handler writes."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002  # whatever it says
        self._progress.clear()


def terminal_of_tap() -> TextIO | None:
    """Return where a tap draws: on stderr, unless its messages go to that very terminal."""
    return sys.stderr if sys.stderr.isatty() and not sys.stdout.isatty() else None


def terminal_of_target() -> TextIO | None:
    """Return where a target draws: on stderr, unless a tap before it in the pipe draws there already."""
    return sys.stderr if sys.stderr.isatty() and not _is_pipe(sys.stdin) else None


def size(number: float) -> str:
    """Return a number of bytes for an eye; nothing for none."""
    if not number:
        return ""
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("the last unit takes every number")


def duration(seconds: float) -> str:
    """Return a time for an eye: 0:42, 12:05, 3:04:05."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _width(terminal: TextIO) -> int:
    try:
        columns = os.get_terminal_size(terminal.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns or shutil.get_terminal_size().columns  # some terminals of machines do not know their width


def _is_pipe(stream: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _log(reached: Reached) -> None:
    known = "" if reached.share is None else f", share={reached.share:.0%}"
    left = "" if reached.left_s is None else f", left={duration(reached.left_s)}"
    _LOGGER.info(
        "progress, %s, rows=%d, bytes=%d, rows_per_s=%.0f%s%s",
        reached.what, reached.rows, reached.bytes, reached.rate, known, left,
    )  # fmt: skip
