"""The least that shows whether a stream of rows can be read: its first page, below the first parent that has one.

Takes a tap; gives the first records of its streams. Refuses to wait as long as a sync would, or to search for ever.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singerkit.rest import fill, own, progress, selector, walk
from singerkit.rest.endpoint import ReadCall
from singerkit.rest.fanout import Families
from singerkit.rest.message import Request
from singerkit.rest.parents import ParentRows
from singerkit.rest.progress import Span
from singerkit.rest.reading import Reading
from singerkit.rest.refusals import BAD_CERTIFICATE, Sending, gave_up
from singerkit.rest.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from singerkit.checks.run import Step
    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.client import Client
    from singerkit.rest.endpoint import Endpoint
    from singerkit.rest.family import Context
    from singerkit.rest.message import Answer
    from singerkit.rest.rules import Verdict
    from singerkit.rest.tap import RestTap

    Records = Sequence[Mapping[str, Any]]

ATTEMPTS = 2
DEADLINE_S = 8.0
TIMEOUT_S = 8.0
MOST_REQUESTS = 12
"""So many requests are sent to find a parent whose children can be asked for."""


class Probe:
    """Looks at the streams of one tap, also from several threads; what parents answer is asked for once."""

    def __init__(self, tap: RestTap) -> None:
        self.tap = tap
        policy = tap.source.policy
        patience = replace(
            policy, attempts=min(ATTEMPTS, policy.attempts), deadline_s=min(DEADLINE_S, policy.deadline_s)
        )
        self.source = replace(tap.source, policy=patience)
        self.client = tap.client_of(self.source, timeout_s=min(TIMEOUT_S, tap.config["request_timeout_s"]))
        self.answers = _Answers(self.client)

    def steps(self) -> Sequence[Step]:
        """Return the steps to the source: its address, its certificate, and a login where there is one."""
        secure = self.source.base_url.startswith("https")
        steps: list[Step] = [("network", self._network)]
        return [*steps, *([("TLS", self._certificate)] if secure else []), ("credentials", self._login)]

    def first(self, endpoint: Endpoint) -> str:
        """Ask for the first page of a stream; return a remark, or nothing where there are records."""
        sender = _Few(self.answers)
        try:
            with closing(self._pages(endpoint, replace(endpoint, pages=endpoint.pages.at_most(1)), sender)) as pages:
                found = next(pages, None)
        except _EnoughError:
            return f"not proved: none of the first rows of {endpoint.parents[0].stream} leads to it"
        except walk.StopStreamError:
            return "the server's answer ends this stream, as its row says"
        if found is None and endpoint.parents:
            return f"not proved: {endpoint.parents[0].stream} has no row that leads to it"
        return "" if found else "there are no rows yet"

    def rows(self, endpoint: Endpoint, limit: int) -> Iterator[Mapping[str, Any]]:
        """Yield the first records of a stream, below as many parents as it takes."""
        smaller = replace(endpoint, pages=endpoint.pages.at_most(limit))
        with closing(self._pages(endpoint, smaller, self.answers)) as pages:
            yield from itertools.islice(itertools.chain.from_iterable(pages), limit)

    def total(self, endpoint: Endpoint, mark: Bookmark | None, state: Mapping[str, Any]) -> int | None:
        """Return how many records the server says a run from this STATE would get, or None where it does not say."""
        said = (getattr(endpoint.pages, "total", None), endpoint.window.total if endpoint.window else None)
        path = next(filter(None, said), None)
        header = getattr(endpoint.pages, "total_header", None)
        if endpoint.parents or endpoint.read or not (path or header) or state.get("full_load"):
            return None
        asked = replace(endpoint, pages=endpoint.pages.at_most(1))
        reading = Reading(self.client, self.source, asked, Shaper(asked), mark, self.tap.values)
        _, answer = self.client.send(reading.request(self._span(asked, mark, state)), walk.sending(endpoint))
        number = answer.headers.get(header.lower()) if header else selector.value(path or "", answer.body)
        return int(str(number)) if str(number).isdigit() else None

    def _pages(self, endpoint: Endpoint, asked: Endpoint, sender: walk.Sender) -> Generator[Records, None, None]:
        tap = self.tap
        families = Families(
            sender,
            self.source,
            tap.rows,
            tap.values,
            ParentRows(self.source.parents_kept),
            now=tap.now,
            start_date=tap.start_date,
        )
        for context in families.contexts(endpoint):
            yield from self._walk(asked, context, sender)

    def _walk(self, asked: Endpoint, context: Context, sender: walk.Sender) -> Iterator[Records]:
        mark = asked.bookmarks[0] if asked.bookmarks else None
        shaper, values, span = Shaper(asked), {**self.tap.values, **context.params}, self._span(asked, mark, {})
        if asked.read is not None:
            call = ReadCall(asked, sender.send, span.since, context.params, values, self.source)
            for records, _ in own.called(call):
                yield shaper.rows(records, context.columns)
            return
        reading = Reading(sender, self.source, asked, shaper, mark, values, context.columns)
        for page in walk.pages(sender, asked, reading.request(span), parent=context.params):
            if not page.broken_off:
                yield reading.opened(shaper.rows(page.records, context.columns))

    def _span(self, endpoint: Endpoint, mark: Bookmark | None, state: Mapping[str, Any]) -> Span:
        """Return the span that a run begins with: some servers answer nothing without a window of time."""
        if mark is None:
            return Span()
        marks = progress.Marks(mark, state, endpoint.name, self.tap.now, self.tap.start_date)
        window = endpoint.window.days if endpoint.window else None
        return next(progress.begin(marks, window).spans(), Span())

    # -- the way there ---------------------------------------------------------------------------------------------

    def _network(self) -> str:
        why = self._exchanged_why()
        if why and why != BAD_CERTIFICATE:
            raise gave_up(self._nothing(), Sending(), why)
        return f"{self.source.base_url.partition('://')[2].partition('/')[0]} answers"

    def _certificate(self) -> str:
        if why := self._exchanged_why():
            raise gave_up(self._nothing(), Sending(), why)
        return "its certificate is good"

    def _login(self) -> str:
        self.client.signer.sign(fill.first_request(next(iter(self.tap.rows.values())), self.source, self.tap.values))
        return ""

    def _exchanged_why(self) -> str:
        """Send a request without credentials, whatever comes back is an answer; return why none came."""
        if not hasattr(self, "_why"):
            came = self.client.transport.exchange(self._nothing(), lambda request: request)
            self._why = came.why if came.answer is None else ""
        return self._why

    def _nothing(self) -> Request:
        return Request("GET", self.source.base_url)


class _EnoughError(Exception):
    """As many requests have been sent as a probe may send."""


class _Answers:
    """Remembers what was answered to a request: fifty children ask for the first page of the same parent."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._known: dict[str, tuple[Verdict, Answer]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        mark = f"{sending.stream if sending else ''} {request.fingerprint()}"
        with self._lock:
            lock = self._locks.setdefault(mark, threading.Lock())
        with lock:
            if mark not in self._known:
                self._known[mark] = self.client.send(request, sending)
            return self._known[mark]


class _Few:
    """Sends so many requests and no more."""

    def __init__(self, sender: walk.Sender) -> None:
        self.sender, self.left = sender, MOST_REQUESTS

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        self.left -= 1
        if self.left < 0:
            raise _EnoughError
        return self.sender.send(request, sending)
