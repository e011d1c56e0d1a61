"""The one place that speaks HTTP: signs, sends, follows, decodes, and asks again as the retry policy says.

Takes requests; gives answers with a verdict. Refuses to carry a credential to another origin, and to wait for ever.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from singerkit.connect.transport import GuardedAdapter
from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError
from singerkit.rest import retry
from singerkit.rest.message import Answer, Request, origin
from singerkit.rest.rules import vendor_words, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singerkit.connect.hosts import HostGuard
    from singerkit.rest.endpoint import Source
    from singerkit.rest.rules import Rule, Verdict

logger = logging.getLogger("singerkit.rest")

_REDIRECTS = 5
_WORDS = 300  # characters of a vendor's words that an error repeats
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    urllib3.exceptions.HTTPError,  # while a body is read: cut, undecodable, or silent
)


_FOR_ALL = frozenset({"it cannot be reached", "its certificate is not accepted"})  # no stream would fare better


class StoppingError(Exception):
    """The run ends: a thread that waits is to leave."""


class _AgainError(Exception):
    """One attempt failed in a way that passes."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Sending:
    """For whom a request is sent: what its errors name, and what its row says about answers."""

    stream: str = ""
    rules: Sequence[Rule] = ()
    scopes: Sequence[str] = ()
    scopes_help: str = ""


class Gate:
    """Holds all threads back: by the rate that was set, and while the vendor's quota is used up."""

    def __init__(self, rate: float | None) -> None:
        self.gap_s = 1 / rate if rate else 0.0
        self.free_at = 0.0
        self.lock = threading.Lock()

    def turn(self, now_s: float) -> float:
        """Take the next turn and return how long to wait for it."""
        with self.lock:
            at = max(self.free_at, now_s)
            self.free_at = at + self.gap_s
            return at - now_s

    def hold(self, until_s: float) -> None:
        """Let nobody pass before this moment."""
        with self.lock:
            self.free_at = max(self.free_at, until_s)


class Client:
    """Sends requests to one source; safe to use from many threads."""

    def __init__(
        self,
        source: Source,
        *,
        redact: Callable[[str], str] = str,
        guard: HostGuard | None = None,
        timeout_s: float = 60,
    ) -> None:
        self.source = source
        self.redact = redact
        self.timeout_s = timeout_s
        self.home = origin(source.base_url)
        self.gate = Gate(source.rate_limit)
        self.stopping = threading.Event()
        self.sent = 0
        self.session = _session(guard, source.concurrency + 1)
        self.decoder = msgspec.json.Decoder(float_hook=Decimal)  # the literal's digits, not a double's
        self.proxies = functools.cache(_proxies)
        self.signer = source.auth.signer(self._send_login)

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        """Return an answer that may be read, ignored or ends something; every other end is an error.

        1. Wait for a turn. 2. Sign, send, follow redirects. 3. Ask the rules. 4. Renew a refused credential once.
        5. Wait and begin again, as long as the policy has patience.
        """
        return self._retried(request, sending or Sending(), signed=True)

    def for_stream(self) -> Client:
        """Return this client with a stop and a count of its own; connections, quota and credentials stay shared."""
        own = copy.copy(self)
        own.stopping, own.sent = threading.Event(), 0
        return own

    def stop(self) -> None:
        """End every wait, now and later: threads leave with StoppingError."""
        self.stopping.set()

    def look(self) -> None:
        """Raise StoppingError once `stop` was called."""
        if self.stopping.is_set():
            raise StoppingError

    def _send_login(self, request: Request) -> Answer:
        return self._retried(request, Sending(), signed=False)[1]

    def _retried(self, request: Request, sending: Sending, *, signed: bool) -> tuple[Verdict, Answer]:
        begun = time.monotonic()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            wait=lambda state: state.outcome.exception().wait_s,  # type: ignore[union-attr]
            stop=tenacity.stop_after_attempt(self.source.policy.attempts),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    return self._attempt(request, sending, number, begun, signed=signed)
        except _AgainError as error:
            raise self._gave_up(request, sending, str(error)) from error
        raise AssertionError("tenacity always returns or raises")

    def _attempt(
        self, request: Request, sending: Sending, number: int, begun: float, *, signed: bool
    ) -> tuple[Verdict, Answer]:
        self._sleep(self.gate.turn(time.monotonic()))
        answer, sent, why = self._exchange(request, signed=signed)
        if answer is None:
            raise self._again(request, sending, why, None, sent, number, begun)
        said, say = verdict(answer, sending.rules)
        if answer.status == 401 and said == "fail" and signed and self.signer.renew(sent):
            answer, sent, why = self._exchange(request, signed=True)
            if answer is None:
                raise self._again(request, sending, why, None, sent, number, begun)
            said, say = verdict(answer, sending.rules)
        if said == "retry" or why:
            raise self._again(request, sending, why or f"it answers {answer.status}", answer, sent, number, begun)
        if said == "fail":
            raise self._refused(request, sending, answer, say)
        self._mind_quota(answer, sent, sending)
        return said, answer

    def _exchange(self, request: Request, *, signed: bool) -> tuple[Answer | None, Request, str]:
        """Send once and follow redirects; return the answer if there is one, what was sent, and why to send again."""
        sent = self._signed(request) if signed else request
        try:
            for _ in range(_REDIRECTS):
                response = self._transmit(sent)
                content: bytes = response.raw.read(decode_content=True)  # requests would read in pieces of 10 kB
                if response.status_code not in _REDIRECTING or "location" not in response.headers:
                    answer, why = self._decoded(response, content)
                    return answer, sent, why
                sent = self._redirected(request, response, signed=signed)
        except _TRANSIENT as error:
            return None, sent, _plain(error)
        raise UnavailableError("too many redirects", **_place(request), remedy="check the address in the settings")

    def _signed(self, request: Request) -> Request:
        """Return the request with credentials and the source's headers, but only for the source's own origin."""
        if origin(request.url) != self.home:
            if request.body is not None:
                raise _foreign(request, request.url)
            return replace(request, headers={})
        return self.signer.sign(replace(request, headers={**self.source.headers, **request.headers}))

    def _redirected(self, request: Request, response: requests.Response, *, signed: bool) -> Request:
        code = response.status_code
        target = request.to(response.headers["location"])
        if code == 303 or (code in {301, 302} and request.method == "POST"):
            target = replace(target, method="GET", body=None)
        if origin(target.url) != origin(request.url) and target.body is not None:
            raise _foreign(request, target.url)
        return self._signed(target) if signed else target

    def _transmit(self, request: Request) -> requests.Response:
        form = request.headers.get("Content-Type", "").startswith("application/x-www-form")
        self.sent += 1
        try:
            return self.session.request(
                request.method,
                request.url,
                params={name: _wire(value) for name, value in request.params.items()} or None,
                json=None if form else request.body,
                data=request.body if form else None,
                headers={**request.headers},
                timeout=self.timeout_s,
                allow_redirects=False,
                proxies=self.proxies(origin(request.url)),
                stream=True,
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise SettingsError("this is no address", **_place(request), remedy="check the base address") from error

    def _decoded(self, response: requests.Response, content: bytes) -> tuple[Answer, str]:
        headers = {name.lower(): value for name, value in response.headers.items()}
        good = 200 <= response.status_code < 300
        try:
            body = self.decoder.decode(content) if content.strip() else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            text = content[:4000].decode("utf-8", "replace")
            answer = Answer(response.status_code, headers, None, text)
            return answer, "its answer is not JSON, or is cut" if good else ""
        text = "" if good else content[:4000].decode("utf-8", "replace")
        return Answer(response.status_code, headers, body, text), ""

    def _again(
        self,
        request: Request,
        sending: Sending,
        why: str,
        answer: Answer | None,
        sent: Request,
        number: int,
        begun: float,
    ) -> Exception:
        """Return the error that makes the next attempt, or the one that ends them."""
        wait = retry.wait_for(self.source.policy, answer, number, datetime.now(UTC), random.random())  # noqa: S311
        if wait is None:
            return self._gave_up(request, sending, f"{why} and asks for a longer wait than is allowed")
        if answer is not None and answer.status == 429:
            wait = self.signer.blocked(sent, wait)
            self.gate.hold(time.monotonic() + wait)
        if time.monotonic() - begun + wait > self.source.policy.deadline_s:
            return self._gave_up(request, sending, f"{why}; the deadline is reached")
        logger.info("waiting stream=%s why=%r attempt=%d wait_s=%.1f", sending.stream, why, number, wait)
        return _AgainError(why, wait)

    def _mind_quota(self, answer: Answer, sent: Request, sending: Sending) -> None:
        pause = retry.pause_before_wall(self.source.policy, answer.headers, datetime.now(UTC))
        if not pause or pause > self.source.policy.longest_wait_s:
            return
        wait = self.signer.blocked(sent, pause) if "Authorization" in sent.headers else pause
        logger.info("waiting stream=%s why='quota used up' wait_s=%.1f", sending.stream, wait)
        self.gate.hold(time.monotonic() + wait)

    def _gave_up(self, request: Request, sending: Sending, why: str) -> SingerkitError:
        return UnavailableError(
            f"the server does not serve this: {why}",
            **({} if why in _FOR_ALL else _of(sending)),
            **_place(request),
            remedy="try again later; more patience: max_attempts, retry_deadline_s, request_timeout_s",
        )

    def _refused(self, request: Request, sending: Sending, answer: Answer, say: str) -> SingerkitError:
        words = self.redact(vendor_words(answer))[:_WORDS]
        what = f"the server refuses this: {words}" if words else "the server refuses this"
        named = {} if answer.status == 401 else _of(sending)  # bad credentials meet every stream: the run ends
        facts = {**named, **_place(request), "status": answer.status}
        if answer.status in {401, 403}:
            grant = f"grant {', '.join(sending.scopes)}" if sending.scopes else "check the credentials"
            help_ = f" ({sending.scopes_help})" if sending.scopes_help else ""
            return CredentialsError(what, **facts, remedy=say or f"{grant}{help_}, or deselect the stream")
        return SettingsError(what, **facts, remedy=say or "check the stream's row and the settings")

    def _sleep(self, seconds: float) -> None:
        if seconds > 0 and self.stopping.wait(seconds):
            raise StoppingError
        self.look()


def _session(guard: HostGuard | None, connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # else requests adds what a .netrc holds, and reads the environment for each request
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    size: dict[str, Any] = {"pool_connections": 4, "pool_maxsize": connections}
    adapter = GuardedAdapter(guard, **size) if guard else HTTPAdapter(**size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers.update({"User-Agent": "singerkit", "Accept": "application/json"})
    return session


def _proxies(of: tuple[str, str, int | None]) -> dict[str, str]:
    """Return the proxies that the environment names for an origin."""
    scheme, host, port = of
    return dict(requests.utils.get_environ_proxies(f"{scheme}://{host}:{port}"))


def _plain(error: Exception) -> str:
    match error:
        case requests.exceptions.Timeout() | urllib3.exceptions.TimeoutError():
            return "it does not answer in time"
        case urllib3.exceptions.HTTPError():
            return "its answer is cut"
        case requests.exceptions.SSLError():
            return "its certificate is not accepted"
        case _:
            return "it cannot be reached"


def _of(sending: Sending) -> dict[str, str]:
    """Return the stream as a fact: an error that names its stream leaves the others to go on."""
    return {"stream": sending.stream} if sending.stream else {}


def _foreign(request: Request, url: str) -> CredentialsError:
    return CredentialsError(
        "a redirect or a next address would carry the request's body to another host",
        **_place(request),
        to=origin(url)[1],
        remedy="if that host is right, put it into the settings",
    )


def _place(request: Request) -> dict[str, str]:
    """Return the facts that an error shows of a request: never its query, which may hold a secret."""
    parts = urlsplit(request.url)
    return {"request": f"{request.method} {parts.path or '/'}", "host": parts.hostname or ""}


def _wire(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
