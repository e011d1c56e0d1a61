"""Which parameter says the length of a page, and what the server's maximum is: by asking, never by a name alone.

Takes a way to ask and a request; gives the words of a page style and the evidence. Refuses to call a maximum what may
be all there is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from singerkit.rest.message import Request

    Count = Callable[[Request], tuple[int, Callable[[], bool]] | None]
    """How many records a request gives, and what tells whether a page follows; None where it is refused."""

NAMES = ("per_page", "page_size", "pageSize", "limit", "size", "count", "max_results", "maxResults", "pagelen")
"""Parameters that servers use for the length of a page, in the order in which they are tried."""
_TRIED = (1000, 500, 200, 100, 50)  # one that is too much for a server may be cut, refused, or count for nothing
_USUAL = 100


def sized(count: Count, request: Request, came: int) -> tuple[dict[str, Any], str] | None:
    """Return the words for the length of a page, or None; `came` is how many records come where nobody asks."""
    few = came // 2
    if not few:  # one record more or less proves nothing
        return None
    for name in NAMES:
        given = partial(_given, count, request, name)
        if (first := given(few)) and first[0] == few:
            words, why = _most(given, few)
            return {"size_param": name, **words}, f"`{name}={few}` gave {few}, {why}"
    return None


def _given(count: Count, request: Request, name: str, asked: int) -> tuple[int, Callable[[], bool]] | None:
    return count(request.with_values("query", {name: asked}))


def _most(given: Callable[[int], tuple[int, Callable[[], bool]] | None], few: int) -> tuple[dict[str, int], str]:
    """Return the most that the server gives on a page; more than that was asked for and did not come."""
    best, best_of, cut = few, few, False
    for asked in _TRIED:
        came, more = given(asked) or (0, lambda: True)
        if came < asked and not more():
            return {"size": _USUAL}, f"{asked} gave all there are: no maximum was seen"
        if came > best:
            best, best_of = came, asked
        if came >= asked:
            break
        cut = True
    return {"size": best, **({"max_size": best} if cut else {})}, f"{best_of} gave {best}" + (", and no more" * cut)
