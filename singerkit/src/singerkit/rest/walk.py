"""One walk: from the first page of a request to the last, with the rules, the cap and the guard against loops.

Takes a row, a request and a client; gives pages of records. Refuses a page that comes twice and a body without records.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from singerkit.checks.guards import EarlyEndError
from singerkit.errors import SafetyStopError
from singerkit.rest import selector
from singerkit.rest.circle import Circle
from singerkit.rest.paging import NoWayOnError
from singerkit.rest.refusals import Sending
from singerkit.rest.rules import GONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singerkit.rest.endpoint import Endpoint
    from singerkit.rest.message import Answer, Request
    from singerkit.rest.rules import Verdict

logger = logging.getLogger("singerkit.rest")

_GOOD = 200  # it promises a body: without one, somebody on the way has lost it


class Sender(Protocol):
    """What a walk needs of a client."""

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        """Return an answer with its verdict."""


class StopStreamError(EarlyEndError):
    """A rule of the row ends the stream: what was read stays, the bookmark does not move."""


@dataclass(frozen=True)
class Page:
    """The records of one page, the request that follows, and the body for whom it may concern."""

    records: list[dict[str, Any]]
    following: Request | None
    body: Any
    size_bytes: int = 0
    broken_off: bool = False
    """Whether the pages end here because an answer was passed over: what stood on it, and after it, is not read."""


def sending(endpoint: Endpoint) -> Sending:
    """Return what the client must know about a row."""
    rules = (*endpoint.rules, *endpoint.pages.rules, *([GONE] if endpoint.parents else []))
    return Sending(endpoint.name, rules, endpoint.scopes, endpoint.scopes_help)


def pages(
    sender: Sender, endpoint: Endpoint, request: Request, *, parent: Mapping[str, Any] | None = None
) -> Iterator[Page]:
    """Yield page after page, from this request on."""
    to, circle, number = sending(endpoint), Circle(endpoint.name, request), 0
    at: Request | None = request
    shown: list[dict[str, Any]] = []
    while at is not None:
        said, answer = sender.send(at, to)
        if said == "stop":
            raise StopStreamError
        if said in {"end", "ignore"}:
            logger.info("passed over stream=%s parent=%s status=%d", endpoint.name, dict(parent or {}), answer.status)
            if said == "ignore":
                yield Page([], None, None, broken_off=True)
            return
        answer = replace(answer, records=_records(endpoint, answer))
        number += 1
        following = _following(endpoint, at, answer)
        circle.look(answer.records, following)
        if following and number == endpoint.max_pages:
            logger.warning("page cap reached stream=%s parent=%s pages=%d", endpoint.name, dict(parent or {}), number)
            following = None
        logger.debug("page read stream=%s page=%d records=%d", endpoint.name, number, len(answer.records))
        yield Page(endpoint.pages.unseen(shown, answer.records), following, answer.body, answer.size_bytes)
        shown = answer.records
        at = following


def _following(endpoint: Endpoint, at: Request, answer: Answer) -> Request | None:
    try:
        return endpoint.pages.next(at, answer)
    except NoWayOnError as error:
        raise SafetyStopError(
            "the server says that there is more, but not how to go on",
            stream=endpoint.name,
            pages=endpoint.pages.style,
            remedy="check where the page style of the row looks for it",
        ) from error
    except ValueError as error:
        raise SafetyStopError(
            "what the server says of the next page is no address, or no number",
            stream=endpoint.name,
            pages=endpoint.pages.style,
            remedy="check the page style of the row",
        ) from error


def _records(endpoint: Endpoint, answer: Answer) -> list[dict[str, Any]]:
    if answer.body is None and not (answer.status == _GOOD and answer.size_bytes == 0):
        return []  # `null`, or an answer whose status says that it has no body
    found = None if answer.body is None else selector.records(endpoint.records, answer.body)
    if found is None and not endpoint.records_optional:
        raise SafetyStopError(
            "a good answer holds no records where the row says they are",
            stream=endpoint.name,
            records=endpoint.records,
            remedy="correct `records`, or set `records_optional` where the vendor leaves them out",
        )
    if endpoint.columns:
        found = _named(endpoint.columns, found or [])
    if {*map(type, found or ())} - {dict}:
        raise SafetyStopError(
            "what the row calls records are no objects",
            stream=endpoint.name,
            records=endpoint.records,
            remedy="correct `records`, or name their parts in `columns`",
        )
    return found or []


def _named(columns: Sequence[str], found: list[Any]) -> list[dict[str, Any]]:
    """Return lists, plain values and the members of objects as records."""
    opened: list[Any] = []
    for one in found:
        opened.extend(one.items() if isinstance(one, dict) else [one if isinstance(one, list) else [one]])
    return [dict(zip(columns, values, strict=False)) for values in opened]
