"""Reading ahead: order is kept, memory is bounded, errors and stops arrive, and the source is let go in its thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from singerkit.ahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Generator


def nothing() -> None:
    """Neither cancel nor look."""


def test_items_come_in_order() -> None:
    """Every item arrives once, in the order of the source."""
    with ReadAhead((n for n in range(100)), cancel=nothing, look=nothing) as items:
        assert [*items] == [*range(100)]


def test_the_source_is_read_only_so_far_ahead() -> None:
    """A reader that takes nothing holds back the source after `depth` items."""
    made, third = [], threading.Event()

    def source() -> Generator[int, None, None]:
        for n in range(100):
            made.append(n)
            if n == 2:
                third.set()
            yield n

    with ReadAhead(source(), cancel=nothing, look=nothing, depth=2):
        assert third.wait(10)

        assert len(made) == 3


def test_an_error_of_the_source_is_the_readers() -> None:
    """What the source raises is raised where its items are read, after those before it."""

    def source() -> Generator[int, None, None]:
        yield 1
        raise ValueError("gone")

    taken: list[int] = []
    with ReadAhead(source(), cancel=nothing, look=nothing) as items, pytest.raises(ValueError, match="gone"):
        taken.extend(items)

    assert taken == [1]


def test_a_blocked_source_is_cancelled() -> None:
    """Leaving the block cancels a source that blocks, and closes it in its own thread."""
    release, closed_in = threading.Event(), []

    def source() -> Generator[int, None, None]:
        try:
            yield 1
            release.wait(30)
            yield 2
        finally:
            closed_in.append(threading.current_thread().name)

    with ReadAhead(source(), cancel=release.set, look=nothing) as items:
        assert next(iter(items)) == 1

    assert closed_in == ["read-ahead"]


@pytest.mark.slow
def test_a_stop_is_heard_while_nothing_comes() -> None:
    """`look` is asked again and again while the source is silent, and what it raises ends the reading."""
    release, looks = threading.Event(), []

    def source() -> Generator[int, None, None]:
        release.wait(30)
        yield 1

    def look() -> None:
        looks.append(1)
        if len(looks) > 1:
            raise InterruptedError

    with ReadAhead(source(), cancel=release.set, look=look) as items, pytest.raises(InterruptedError):
        next(iter(items))
