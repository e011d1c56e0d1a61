"""The one room of `requests`: sends one request, follows its redirects, decodes what comes.

Takes a request and the way to sign it; gives an answer, or why there is none. Refuses to carry a body elsewhere.
"""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from singerkit.connect.transport import GuardedAdapter
from singerkit.errors import SettingsError, UnavailableError
from singerkit.rest.body import decoded
from singerkit.rest.message import Answer, Request, origin
from singerkit.rest.refusals import BAD_CERTIFICATE, UNREACHABLE, foreign, place
from singerkit.settings.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from singerkit.connect.hosts import HostGuard
    from singerkit.rest.unchanged import Kept, Unchanged

_REDIRECTS = 5
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED = 304
_TEXT = 4000  # letters of a body that is no good answer: enough for the vendor's words
_NO_ADDRESS = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
_NO_HEADER = (requests.exceptions.InvalidHeader, UnicodeEncodeError)
_COPY = "copy it anew: a line end, or a sign that is no letter, has slipped in"
_TRANSIENT = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    urllib3.exceptions.HTTPError,  # while a body is read: cut, undecodable, or silent
)


@dataclass(frozen=True)
class Exchange:
    """What came of one request: the answer if there is one, what was sent last, and why to send again."""

    answer: Answer | None
    sent: Request
    why: str = ""


class Transport:
    """Pooled connections with a timeout on each, a request on each at most; safe to use from many threads."""

    def __init__(
        self, *, guard: HostGuard | None, timeout_s: float, connections: int, unchanged: Unchanged | None = None
    ) -> None:
        self.unchanged = unchanged
        self.timeout_s = timeout_s
        self.session = _session(guard, connections)
        self.under_way = threading.BoundedSemaphore(connections)
        self.proxies = functools.cache(_proxies)

    def exchange(self, request: Request, sign: Callable[[Request], Request]) -> Exchange:
        """Send once and follow redirects; every hop is signed anew, for the origin that it goes to."""
        at, sent = request, request
        try:
            for _ in range(_REDIRECTS):
                sent = sign(at)
                kept = self.unchanged.find(sent) if self.unchanged and sent.method == "GET" else None
                with self.under_way:  # parents and children are walked side by side, each by as many threads
                    response = self._transmit(_asking_for_news(sent, kept))
                    content: bytes = response.raw.read(decode_content=True)  # requests would read in pieces of 10 kB
                if kept and response.status_code == _NOT_MODIFIED:
                    return self._as_before(kept, response, sent)
                if response.status_code not in _REDIRECTING or "location" not in response.headers:
                    answer, why = self._answer(response, content)
                    if self.unchanged and sent.method == "GET" and response.status_code == 200 and not why:
                        rows = len(answer.body) if isinstance(answer.body, list) else None
                        self.unchanged.keep(sent, answer.headers, content, rows)
                    return Exchange(answer, sent, why)
                at = _redirected(at, response.status_code, response.headers["location"])
        except _TRANSIENT as error:
            return Exchange(None, sent, _plain(error))
        raise UnavailableError("too many redirects", **place(request), remedy="check the address in the settings")

    def _as_before(self, kept: Kept, response: requests.Response, sent: Request) -> Exchange:
        """Return the answer that the server calls unchanged, with the quota that its new headers tell."""
        if self.unchanged:
            self.unchanged.used()
        headers = {**kept.headers, **{name.lower(): value for name, value in response.headers.items()}}
        return Exchange(Answer(200, headers, decoded(kept.body), size_bytes=len(kept.body)), sent)

    def _transmit(self, request: Request) -> requests.Response:
        form = request.headers.get("Content-Type", "").startswith("application/x-www-form")
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
        except _NO_ADDRESS as error:
            raise SettingsError("this is no address", **place(request), remedy="check the base address") from error
        except _NO_HEADER:  # from None: its text quotes the credential
            raise SettingsError(
                "a credential or a header holds what none can", **place(request), remedy=_COPY
            ) from None

    def _answer(self, response: requests.Response, content: bytes) -> tuple[Answer, str]:
        headers = {name.lower(): value for name, value in response.headers.items()}
        good = 200 <= response.status_code < 300
        try:
            body = decoded(content)
        except ValueError:
            why = "its answer is not JSON, or is cut" if good else ""
            return Answer(response.status_code, headers, None, _text(content)), why
        text = "" if good else _text(content)
        return Answer(response.status_code, headers, body, text, size_bytes=len(content)), ""


def _asking_for_news(request: Request, kept: Kept | None) -> Request:
    return replace(request, headers={**request.headers, "If-None-Match": kept.etag}) if kept else request


def _redirected(request: Request, code: int, location: str) -> Request:
    try:
        target = request.to(location)
    except ValueError as error:
        remedy = "check the address in the settings"
        raise UnavailableError("the server redirects to what is no address", **place(request), remedy=remedy) from error
    if code == 303 or (code in {301, 302} and request.method == "POST"):
        target = replace(target, method="GET", body=None)
    if origin(target.url) != origin(request.url) and target.body is not None:
        raise foreign(request, target.url)
    return target


class _Session(requests.Session):
    """A session that leaves redirects alone: even where it does not follow them, requests parses their address."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  # requests' signature
        return None


def _session(guard: HostGuard | None, connections: int) -> requests.Session:
    session = _Session()
    session.trust_env = False  # else requests adds what a .netrc holds, and reads the environment for each request
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    size: dict[str, Any] = {"pool_connections": 4, "pool_maxsize": connections}
    adapter = GuardedAdapter(guard, **size) if guard else HTTPAdapter(**size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # cookies know hosts, but not ports
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
            return BAD_CERTIFICATE
        case _:
            return UNREACHABLE


def _text(content: bytes) -> str:
    return masked(content.decode("utf-8", "replace"))[:_TEXT]  # half a secret would not be known again


def _wire(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
