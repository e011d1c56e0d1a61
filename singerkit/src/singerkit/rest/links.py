"""Page styles whose answer names the next address.

Takes the request that was sent and its answer; gives the next request, or None at the end. Refuses to guess. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from singerkit.rest import selector
from singerkit.rest.paging import Pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singerkit.rest.message import Answer, Request

_LINK = re.compile(r"<([^>]*)>([^<]*)")


@dataclass(frozen=True, kw_only=True)
class Link(Pages):
    """The next address is in the Link header; `results="false"` in it means that the next page is empty."""

    style: ClassVar[str] = "link"
    rel: str = "next"
    """Which relation of the header leads on."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Follow the address whose relation is the one asked for."""
        relation = re.compile(
            rf'\brel="?(?:[^";]*\s)?{re.escape(self.rel)}(?:\s[^";]*)?"?(?=\s*(?:[;,]|$))', re.IGNORECASE
        )
        for address, rest in _LINK.findall(answer.headers.get("link", "")):
            if relation.search(rest):
                return None if 'results="false"' in rest else request.to(address)
        return None


@dataclass(frozen=True, kw_only=True)
class Keyset(Link):
    """The next page begins at the last record's value: records that move while they are walked hide no others.

    For lists in ascending order with an inclusive filter. The Link header says whether there is more, and leads on
    where a whole page has one value. Records of the page before that come again are dropped.
    """

    style: ClassVar[str] = "keyset"
    param: str
    """The server's parameter for "from here on"."""
    field: str
    """The field that the list is ordered by."""
    places: tuple[str, ...] = ("page", "after", "before", "cursor")
    """Parameters that a next address counts pages by; they make no sense beside a new beginning."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Begin again at the last value, or follow the Link header where that would be the same page."""
        following = super().next(request, answer)
        values = [selector.value(self.field, record) for record in answer.records]
        if following is None or not values or None in values or values != sorted(values) or values[0] == values[-1]:
            return following
        parts = urlsplit(request.url)
        params = {**dict(parse_qsl(parts.query)), **request.params}
        kept = {name: value for name, value in params.items() if name not in self.places}
        return replace(request, url=urlunsplit(parts._replace(query="")), params={**kept, self.param: values[-1]})

    def unseen(self, before: Sequence[Any], records: list[Any]) -> list[Any]:
        """Return the records without those that ended the page before."""
        last = selector.value(self.field, before[-1]) if before else None
        tail = [record for record in before if selector.value(self.field, record) == last]
        return [record for record in records if record not in tail]


@dataclass(frozen=True, kw_only=True)
class NextUrl(Pages):
    """The next address is in the body or in a header; it replaces all parameters."""

    style: ClassVar[str] = "next_url"
    path: str | None = None
    """JSONPath of the address in the body."""
    header: str | None = None
    """Name of the header that holds the address, where it is not in the body."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Follow the address that the answer gives."""
        found = (
            answer.headers.get(self.header.lower()) if self.header else selector.value(self.path or "$", answer.body)
        )
        return request.to(found) if isinstance(found, str) and found else None
