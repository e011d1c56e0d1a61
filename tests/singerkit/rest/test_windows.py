"""Windows of time against a vendor that cuts its results: nothing is missing, whatever rows, cap and cuts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from singerkit.rest import bookmarks, pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Source, Window
from singerkit.rest.marks import Marks
from singerkit.rest.message import Answer, Request
from singerkit.rest.progress import Windows
from singerkit.rest.reading import Piece, Reading
from singerkit.rest.refusals import Sending
from singerkit.rest.rules import Verdict
from singerkit.rest.shape import Shaper

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEGIN + timedelta(hours=1)
SIZE = 2


class Vendor:
    """Filters by whole seconds, both ends included, gives pages of two, and no more than `cap` records a query."""

    def __init__(self, rows: Sequence[int], cap: int, *, newest_first: bool) -> None:
        self.rows, self.cap, self.newest_first = [*rows], cap, newest_first

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        """Answer one request."""
        since, until = (int(request.params[name]) for name in ("since", "until"))
        found = [(number, at) for number, at in enumerate(self.rows) if since <= at <= until]
        found.sort(key=lambda row: row[1], reverse=self.newest_first)
        at = int(request.params.get("offset", 0))
        page = found[: self.cap][at : at + SIZE]
        return "read", Answer(200, {}, {"data": [{"id": n, "at": at} for n, at in page], "total": len(found)})


def moments(most: int = 60) -> st.SearchStrategy[list[int]]:
    first, last = int(BEGIN.timestamp()), int(NOW.timestamp())
    return st.lists(st.integers(first, last), max_size=most)


def walked(vendor: Vendor, state: Mapping[str, Any], *, total: bool) -> Iterator[Piece]:
    """Yield the pieces of one run."""
    mark = Bookmark(field="at", param="since", until_param="until", format="epoch")
    row = Endpoint(
        name="items",
        path="/items",
        records="data",
        keys=("id",),
        bookmarks=(mark,),
        pages=pages.Offset(size=SIZE),
        window=Window(days=0.01, cap=vendor.cap, total="total" if total else None),
    )
    reading = Reading(vendor, Source(base_url="http://x"), row, Shaper(row), mark, {})
    yield from reading.pieces(Windows(Marks(mark, state, "items", NOW, BEGIN), row.window.days if row.window else 0))


@settings(max_examples=40)
@given(
    rows=moments(),
    later=moments(5),
    cap=st.integers(2, 12),
    cut=st.integers(0, 30),
    total=st.booleans(),
    newest_first=st.booleans(),
)
def test_whatever_a_vendor_cuts(
    rows: list[int], later: list[int], cap: int, cut: int, total: bool, newest_first: bool
) -> None:
    """Every row is read, also where the run was cut and rows came that are newer than all that was read."""
    vendor, state = Vendor(rows, cap, newest_first=newest_first), {}
    read: set[tuple[int, int]] = set()
    try:
        for count, piece in enumerate(walked(vendor, {}, total=total)):
            read |= {(row["id"], row["at"]) for row in piece.rows}
            state = dict(piece.state)
            if count == cut:
                break
        newest = max((at for _, at in read), default=0)
        vendor.rows += [at for at in later if at > newest]
        for piece in walked(vendor, state, total=total):
            read |= {(row["id"], row["at"]) for row in piece.rows}
            state = dict(piece.state)
    except SafetyStopError:  # so many in one second that no window is small enough
        assert (
            max(vendor.rows.count(at) + vendor.rows.count(at + 1) + vendor.rows.count(at + 2) for at in vendor.rows)
            >= cap
        )
        return

    assert read == {*enumerate(vendor.rows)}
    if read:
        assert bookmarks.comparable("integer", state["replication_key_value"]) == max(vendor.rows)
