"""How far a run is: one line on a terminal, a line of the log elsewhere."""

from __future__ import annotations

import io
import logging

import pytest

from singerkit.show.progress import DRAW_EVERY_S, LOG_EVERY_S, Progress, Reached, duration, size
from tests.terminal import terminal

LINES = [
    (Reached("orders", 1234567, 210_000_000, 100), "orders  1,234,567 rows  210 MB  12,346 rows/s"),
    (Reached("orders", 500, 0, 10, 1000), "orders  500 rows  50 rows/s  50%  0:10 left"),
    (Reached("orders", 1500, 0, 10, 1000), "orders  1,500 rows  150 rows/s  100%"),
    (Reached("orders", 0, 0, 0), "orders  0 rows  0 rows/s"),
    (Reached("orders", 0, 0, 5, 10), "orders  0 rows  0 rows/s  0%"),
]


@pytest.mark.parametrize(("reached", "line"), LINES)
def test_one_line(reached: Reached, line: str) -> None:
    """Rows, bytes and rate; share and time left where the count is known, and not where it was wrong."""
    assert reached.line(200) == line


def test_no_line_is_wider_than_the_terminal() -> None:
    """A line that wrapped could not be written over."""
    assert len(Reached("a" * 200, 1, 1, 1).line(80)) == 79


@pytest.mark.parametrize(
    ("number", "text"), [(0, ""), (999, "999 B"), (1500, "1.5 kB"), (2.1e8, "210 MB"), (5e15, "5000 TB")]
)
def test_bytes_for_an_eye(number: float, text: str) -> None:
    """Bytes are written with the unit that keeps them short."""
    assert size(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (42, "0:42"), (725, "12:05"), (11045, "3:04:05")])
def test_times_for_an_eye(seconds: float, text: str) -> None:
    """Times are minutes and seconds, with hours where there are any."""
    assert duration(seconds) == text


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_terminal_gets_one_line_over_and_over() -> None:
    """The line is drawn a few times a second, replaces itself, makes way for the log, and is gone at the end."""
    clock, terminal = Clock(), io.StringIO()
    progress = Progress(lambda seconds: Reached("a", round(seconds * 10), 0, seconds), terminal=terminal, clock=clock)
    with progress.shown():
        progress.tick()
        clock.now += DRAW_EVERY_S
        progress.tick()
        clock.now += DRAW_EVERY_S / 2
        progress.tick()  # too soon
        logging.getLogger("x").warning("something else")
        clock.now += DRAW_EVERY_S
        progress.tick()

    clear = "\r\x1b[2K"
    assert terminal.getvalue() == f"{clear}a  2 rows  10 rows/s{clear}{clear}a  5 rows  10 rows/s{clear}"


@pytest.mark.parametrize(("columns", "longest"), [(20, 19), (0, 60)])
def test_the_line_fits_the_terminal(columns: int, longest: int) -> None:
    """As wide as the terminal is; one that does not know its width has eighty columns."""
    clock = Clock()
    with terminal(columns) as screen:
        progress = Progress(lambda seconds: Reached("x" * 58, 2, 0, 1), terminal=screen.stream, clock=clock)
        clock.now += DRAW_EVERY_S
        progress.tick()

    assert screen.text().startswith(f"\r\x1b[2K{'x' * 58}  2 rows  2 rows/s"[: 5 + longest])
    assert len(screen.text()) == 5 + (19 if columns else 58 + len("  2 rows  2 rows/s"))


def test_log_gets_a_line_every_half_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Where there is no terminal, the log says the same every 30 s."""
    clock = Clock()
    caplog.set_level(logging.INFO)
    progress = Progress(lambda seconds: Reached("orders", 600, 2000, seconds, 1200), terminal=None, clock=clock)
    with progress.shown():
        for _ in range(7):
            progress.tick()
            clock.now += LOG_EVERY_S / 3

    assert caplog.messages == [
        "progress, orders, rows=600, bytes=2000, rows_per_s=20, share=50%, left=0:30",
        "progress, orders, rows=600, bytes=2000, rows_per_s=10, share=50%, left=1:00",
    ]
