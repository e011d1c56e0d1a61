"""The words of errors that a request can end in: what, where, what to do about it. Pure.

Takes a request and what was answered; gives an error. Refuses to show a query or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError
from singerkit.rest.message import origin
from singerkit.rest.rules import vendor_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singerkit.rest.message import Answer, Request
    from singerkit.rest.rules import Rule

UNREACHABLE = "it cannot be reached"
BAD_CERTIFICATE = "its certificate is not accepted"
_FOR_ALL = frozenset({UNREACHABLE, BAD_CERTIFICATE})  # no stream would fare better: the run ends
_LOG_IN = "check the credentials of the login; where it is a refresh token, log in again and set the new one"
_WORDS = 300  # characters of a vendor's words that an error repeats


@dataclass(frozen=True)
class Sending:
    """For whom a request is sent: what its errors name, and what its row says about answers."""

    stream: str = ""
    rules: Sequence[Rule] = ()
    scopes: Sequence[str] = ()
    scopes_help: str = ""
    is_login: bool = False
    """Whether this is a login: whatever it is refused for, the credentials are the matter."""


def gave_up(request: Request, sending: Sending, why: str) -> SingerkitError:
    """Return the error after the last attempt."""
    return UnavailableError(
        f"the server does not serve this: {why}",
        **({} if why in _FOR_ALL else _of(sending)),
        **place(request),
        remedy="try again later; more patience: max_attempts, retry_deadline_s, request_timeout_s",
    )


def refused(
    request: Request, sending: Sending, answer: Answer, say: str, redact: Callable[[str], str]
) -> SingerkitError:
    """Return the error for a permanent answer: the vendor's own words, and what is to be granted or corrected."""
    words = redact(vendor_words(answer))[:_WORDS]
    what = f"the server refuses this: {words}" if words else "the server refuses this"
    named = {} if answer.status == 401 else _of(sending)  # bad credentials meet every stream: the run ends
    facts = {**named, **place(request), "status": answer.status}
    if sending.is_login:
        return CredentialsError(what, **facts, remedy=_LOG_IN)
    if answer.status in {401, 403}:
        grant = f"grant {', '.join(sending.scopes)}" if sending.scopes else "check the credentials"
        where = f" ({sending.scopes_help})" if sending.scopes_help else ""
        return CredentialsError(what, **facts, remedy=say or f"{grant}{where}, or deselect the stream")
    return SettingsError(what, **facts, remedy=say or "check the stream's row and the settings")


def foreign(request: Request, url: str) -> SingerkitError:
    """Return the error for a body that would go to another origin."""
    return CredentialsError(
        "a redirect or a next address would carry the request's body to another host",
        **place(request),
        to=origin(url)[1],
        remedy="if that host is right, put it into the settings",
    )


def place(request: Request) -> dict[str, str]:
    """Return the facts that an error shows of a request: never its query, which may hold a secret."""
    parts = urlsplit(request.url)
    return {"request": f"{request.method} {parts.path or '/'}", "host": parts.hostname or ""}


def _of(sending: Sending) -> dict[str, str]:
    """Return the stream as a fact: an error that names its stream leaves the others to go on."""
    return {"stream": sending.stream} if sending.stream else {}
