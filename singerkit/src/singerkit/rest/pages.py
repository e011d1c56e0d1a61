"""How one page leads to the next: each style is a frozen value with one pure function.

Takes the request that was sent and its answer; gives the next request, or None at the end. Refuses to guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from singerkit.rest import selector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from singerkit.rest.message import Answer, Place, Request


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What all page styles share: how many records to ask for, and where to say so."""

    style: ClassVar[str]
    size_param: str | None = None
    """The server's parameter for the page size, or none where it has none."""
    size: int = 100
    """How many records to ask for; the setting `page_size` lowers it."""
    max_size: int | None = None
    """The server's maximum; more is refused before anything is asked, since many servers cut in silence."""
    into: Place = "query"
    """Where the page parameters go: into the address or into the JSON body."""

    def at_most(self, size: int | None) -> Self:
        """Return the style with pages no longer than a person wants; a server without a parameter has its own."""
        return replace(self, size=min(size, self.size)) if size and self.size_param else self

    def first(self, request: Request) -> Request:
        """Return the request for the first page."""
        return request.with_values(self.into, {self.size_param: self.size}) if self.size_param else request

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Return the request for the page after this answer, or None where it was the last."""
        raise NotImplementedError  # each style says it; there is no page without a style

    def unseen(self, before: Sequence[Any], records: list[Any]) -> list[Any]:  # noqa: ARG002  # most pages share none
        """Return the records of a page that the page before has not shown."""
        return records


@dataclass(frozen=True, kw_only=True)
class Single(Pages):
    """Everything is on one page."""

    style: ClassVar[str] = "single"

    def next(self, request: Request, answer: Answer) -> Request | None:  # noqa: ARG002  # one page, whatever it says
        """Return None: there is one page."""
        return None


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


@dataclass(frozen=True, kw_only=True)
class Cursor(Pages):
    """A token in the body or in a header is sent back with the next request."""

    style: ClassVar[str] = "cursor"
    param: str
    """The parameter that takes the token."""
    path: str | None = None
    """JSONPath of the token in the body."""
    header: str | None = None
    """Name of the header that holds the token, where it is not in the body."""
    more: str | None = None
    """JSONPath of a flag: where it is false, the page was the last, whatever token there is."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Send the token back."""
        if self.more and not selector.value(self.more, answer.body):
            return None
        token = (
            answer.headers.get(self.header.lower()) if self.header else selector.value(self.path or "$", answer.body)
        )
        return None if token in (None, "", False) else request.with_values(self.into, {self.param: token})


@dataclass(frozen=True, kw_only=True)
class Offset(Pages):
    """The number of records passed over is sent; a total may be given, and may lie.

    An empty page ends the walk. A total ends it one request earlier, but only where the page was short too: a total
    that is too low costs no record, one that is too high costs one request.
    """

    style: ClassVar[str] = "offset"
    param: str = "offset"
    """The parameter that takes the number of records passed over."""
    total: str | None = None
    """JSONPath of the total in the body."""
    total_header: str | None = None
    """Name of the header that holds the total."""
    short_is_last: bool = False
    """Whether the vendor promises that only the last page is short; saves the last, empty page."""
    start: int = 0
    """The offset of the first record."""

    def first(self, request: Request) -> Request:
        """Begin at the first record."""
        return super().first(request).with_values(self.into, {self.param: self.start})

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Pass over the records that came."""
        came = len(answer.records)
        passed = int(request.value(self.into, self.param) or 0) + came
        short = came < self.size
        if not came or (short and (self.short_is_last or self._reached(passed, answer))):
            return None
        return request.with_values(self.into, {self.param: passed})

    def _reached(self, passed: int, answer: Answer) -> bool:
        given = answer.headers.get(self.total_header.lower()) if self.total_header else None
        given = selector.value(self.total, answer.body) if self.total else given
        return given is not None and str(given).isdigit() and passed - self.start >= int(given)


@dataclass(frozen=True, kw_only=True)
class PageNumber(Pages):
    """Pages are numbered; an empty page, or the number of pages, ends the walk."""

    style: ClassVar[str] = "page_number"
    param: str = "page"
    """The parameter that takes the number."""
    start: int = 1
    """The number of the first page."""
    total_pages: str | None = None
    """JSONPath of the number of pages."""
    short_is_last: bool = False
    """Whether the vendor promises that only the last page is short; saves the last, empty page."""

    def first(self, request: Request) -> Request:
        """Begin at the first page."""
        return super().first(request).with_values(self.into, {self.param: self.start})

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Count on."""
        number = int(request.value(self.into, self.param) or self.start) + 1
        total = selector.value(self.total_pages, answer.body) if self.total_pages else None
        over = str(total).isdigit() and number - self.start >= int(str(total))
        short = self.short_is_last and len(answer.records) < self.size
        return None if not answer.records or over or short else request.with_values(self.into, {self.param: number})


@dataclass(frozen=True, kw_only=True)
class LastId(Pages):
    """The key of the last record is sent back; a flag says whether there is more, else an empty page ends the walk."""

    style: ClassVar[str] = "last_id"
    param: str = "starting_after"
    """The parameter that takes the key."""
    field: str = "id"
    """Which field of the last record is the key."""
    more: str | None = "has_more"
    """JSONPath of the flag, or none where the server has no flag."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Ask for what comes after the last record."""
        if not answer.records or (self.more and not selector.value(self.more, answer.body)):
            return None
        last = selector.value(self.field, answer.records[-1])
        return None if last is None else request.with_values(self.into, {self.param: last})


@dataclass(frozen=True, kw_only=True)
class Continue(Pages):
    """The answer holds an object whose members are merged into the next request."""

    style: ClassVar[str] = "continue"
    path: str = "continue"
    """JSONPath of the object."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Merge the object into the parameters."""
        found = selector.value(self.path, answer.body)
        return request.with_values(self.into, found) if isinstance(found, dict) and found else None


@dataclass(frozen=True, kw_only=True)
class GraphQL(Pages):
    """The cursor of a GraphQL connection goes into the variables of the query."""

    style: ClassVar[str] = "graphql"
    page_info: str
    """JSONPath of the connection's `pageInfo`."""
    variable: str = "after"
    """The variable that takes the cursor."""
    into: Place = "body"

    def first(self, request: Request) -> Request:
        """Say the page size in a variable."""
        return request.with_values("body", {f"variables.{self.size_param}": self.size} if self.size_param else {})

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Follow `endCursor` while `hasNextPage` is true."""
        info: Mapping[str, Any] = selector.value(self.page_info, answer.body)
        if not isinstance(info, dict) or not info.get("hasNextPage") or not info.get("endCursor"):
            return None
        return request.with_values("body", {f"variables.{self.variable}": info["endCursor"]})


_STYLES: tuple[type[Pages], ...] = (
    Single,
    Link,
    Keyset,
    NextUrl,
    Cursor,
    Offset,
    PageNumber,
    LastId,
    Continue,
    GraphQL,
)


def styles() -> dict[str, type[Pages]]:
    """Return the page styles that a manifest may name: ours, and those of packages that declare one."""
    added = {point.name: point.load() for point in entry_points(group="singerkit.rest.pages")}
    return {style.style: style for style in _STYLES} | added
