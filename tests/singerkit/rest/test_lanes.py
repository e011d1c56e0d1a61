"""Walks fetched ahead: their order, their errors, how far ahead, and that none stands still while there is room."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from singerkit.errors import SettingsError
from singerkit.rest import lanes
from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.rest.lanes import in_order
from singerkit.testing.fake_api import FakeApi, Reply

Pages = Callable[[], Iterator[int]]


def walk(first: int, count: int, begun: Callable[[int], None] = lambda page: None, fails: bool = False) -> Pages:
    def pages_of() -> Iterator[int]:
        for page in range(first, first + count):
            begun(page)
            yield page
        if fails:
            raise SettingsError("five")

    return pages_of


class Fetched:
    """The pages that were begun, for whom waits until there are so many."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.changed = threading.Condition()

    def __call__(self, page: int) -> None:
        with self.changed:
            self.pages.append(page)
            self.changed.notify_all()

    def come_to(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.pages) >= count, 5)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 5))
def test_pages_come_in_the_order_of_their_walks(counts: list[int], at_once: int) -> None:
    """Whatever the lengths of the walks, no page is lost, doubled or moved."""
    walks = (walk(100 * place, count) for place, count in enumerate(counts))

    read = [[*pages] for pages in in_order(walks, at_once)]

    assert read == [[100 * place + n for n in range(count)] for place, count in enumerate(counts)]


def test_the_error_of_a_walk_comes_in_its_place() -> None:
    """An error of a walk is raised where its next page would have been."""
    seen: list[int] = []

    def read() -> None:
        for pages in in_order((walk(n * 10, 3, fails=n == 5) for n in range(9)), 3):
            seen.extend(pages)

    with pytest.raises(SettingsError, match="five"):
        read()

    assert seen == [n * 10 + k for n in range(6) for k in range(3)]


def test_the_error_of_what_gives_walks_comes_in_its_place() -> None:
    """Where the list of walks ends in an error, the pages of the walks before it are given first."""
    seen: list[int] = []

    def walks() -> Iterator[Pages]:
        yield walk(0, 3)
        yield walk(10, 3)
        raise SettingsError("no more walks")

    def read() -> None:
        for pages in in_order(walks(), 8):
            seen.extend(pages)

    with pytest.raises(SettingsError, match="no more walks"):
        read()

    assert seen == [0, 1, 2, 10, 11, 12]


def test_the_next_page_is_fetched_while_records_are_written() -> None:
    """A walk runs ahead of its reader."""
    fetched = Fetched()
    read = in_order([walk(0, 9, fetched)], 1, weigh=lambda page: (100, 0))

    assert next(next(read)) == 0
    assert fetched.come_to(9)
    read.close()  # type: ignore[attr-defined]  # a generator


def test_no_walk_stands_still_while_another_is_read() -> None:
    """Walks run to their end, and others begin, while the first is read: what is ahead is counted in rows."""
    fetched = Fetched()

    def patient() -> Iterator[int]:
        yield 0
        yield int(fetched.come_to(40))

    walks = [patient, *(walk(n * 10, 4, fetched) for n in range(1, 20))]
    read = in_order(walks, 2, weigh=lambda page: (lanes.ROWS_AHEAD // 50, 0))

    assert [*next(read)] == [0, 1]
    read.close()  # type: ignore[attr-defined]  # a generator


@pytest.mark.parametrize(
    ("rows", "size"),
    [(lanes.ROWS_AHEAD // 10, 0), (0, lanes.BYTES_AHEAD // 10)],
    ids=["rows", "bytes"],
)
def test_no_more_than_a_stated_number_of_rows_and_bytes_wait(rows: int, size: int) -> None:
    """Never more than 5,000 rows or 32 MiB of JSON wait for the reader, beside a page of each walk under way."""
    fetched, at_once = Fetched(), 3
    read = in_order((walk(n * 1000, 100, fetched) for n in range(9)), at_once, weigh=lambda page: (rows, size))
    most = 10 + 2 * at_once  # what fills the limit, one that comes and one that is asked for by each

    pages = next(read)
    for number in range(100):
        next(pages)
        assert len(fetched.pages) - number <= most
    read.close()  # type: ignore[attr-defined]  # a generator


def test_a_full_house_never_holds_up_the_walk_that_is_read() -> None:
    """Pages larger than all that may wait are given one after the other."""
    walks = (walk(n * 10, 5) for n in range(5))

    read = [[*pages] for pages in in_order(walks, 3, weigh=lambda page: (lanes.ROWS_AHEAD, lanes.BYTES_AHEAD))]

    assert read == [[n * 10 + k for k in range(5)] for n in range(5)]


def test_walks_without_rows_are_not_begun_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page counts as a row at least: thousands of parents without children are not all asked while one is read."""
    monkeypatch.setattr(lanes, "ROWS_AHEAD", 20)
    fetched = Fetched()
    read = in_order((walk(n, 1, fetched) for n in range(1000)), 2, weigh=lambda page: (0, 0))

    for number, pages in enumerate(read):
        next(pages)
        assert len(fetched.pages) - number <= 20 + 2 * 2
        next(pages, None)


def test_what_is_dropped_is_not_read_on() -> None:
    """A walk that was dropped ends in an error: an end would look like its own."""
    read = in_order([walk(0, 3), walk(10, 3)], 1)
    pages = next(read)
    next(pages)
    read.close()  # type: ignore[attr-defined]  # a generator

    with pytest.raises(RuntimeError, match="a dropped walk was read on"):
        next(pages)


def test_requests_under_way_at_once(api: FakeApi, tries: Any, schema: Callable[..., dict[str, Any]]) -> None:
    """Grandparents, parents and children together send no more requests at once than the source allows."""
    ids: dict[str, Any] = {"schema": schema(id="integer"), "keys": ("id",), "own_keys": True}
    house = Endpoint(name="houses", path="/houses", selected=False, **ids)
    above = Parent(stream="houses", params={"house_id": "id"})
    flat = Endpoint(name="flats", path="/houses/{house_id}/flats", parents=(above,), selected=False, **ids)
    above = Parent(stream="flats", params={"flat_id": "id"})
    room = Endpoint(name="rooms", path="/flats/{flat_id}/rooms", parents=(above,), **ids)
    busy = _Busy()
    api.route("/*", lambda asked: busy([{"id": n} for n in range(6)]))

    done = tries.run(house, flat, room, concurrency=2)

    assert len(done.records("rooms")) == 216
    assert busy.most == 2


class _Busy:
    """Counts the requests that are answered at the same time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self, body: Any) -> Reply:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002)  # a request that takes no time meets no other
        with self.lock:
            self.now -= 1
        return Reply(body)
