"""The verb `auth`: log in, say who is logged in, log out. Its lines are for a person; no token is in them.

Takes an application; gives lines as they come. Refuses to begin where something that is needed is missing.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from singerkit.connect.access import utc_now
from singerkit.connect.login import Listener, place_of
from singerkit.connect.oauth import (
    Attempt,
    Tokens,
    authorize_address,
    code_form,
    code_in,
    tokens_in,
    with_account,
)
from singerkit.errors import CredentialsError, UnavailableError
from singerkit.settings.secrets import hide

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import datetime

    from singerkit.connect.logins import Application

LOGIN_TIMEOUT_S = 300
_PASTE = "http://127.0.0.1/callback"


def login(
    app: Application,
    *,
    paste: Callable[[], str] | None = None,
    open_page: Callable[[str], object] | None = None,
    timeout_s: float = LOGIN_TIMEOUT_S,
) -> Iterator[str]:
    """Yield what a person is to do, then who is logged in.

    `paste` reads the address from a person where no browser can come back to this machine.
    """
    with app.file.lock():
        pass  # tokens can be kept: known before a person is asked
    answer, attempt = yield from _asked(app, paste, open_page, timeout_s)
    code = code_in(answer, attempt)
    tokens = _exchanged(app, attempt, code)
    with app.file.lock():
        app.file.write(tokens)
    yield f"logged in at {app.kind.name} as {_account(tokens)}"
    yield f"tokens are in {app.file.path}"
    if tokens.refresh_token is None and tokens.expires_at is not None:
        yield f"{app.kind.name} gave no refresh token: log in again after {tokens.expires_at:%Y-%m-%d %H:%M} UTC"


def status(app: Application, now: datetime | None = None) -> Iterator[str]:
    """Yield who is logged in, with which scopes and until when; the command fails where nobody is."""
    tokens = app.file.read()
    yield f"service: {app.kind.name}"
    yield f"account: {_account(tokens)}"
    yield f"scopes: {' '.join(tokens.scopes) or 'not said'}"
    yield f"access token: {_life(tokens, now or utc_now())}"
    yield f"renewed by itself: {'yes' if tokens.refresh_token else 'no'}"
    yield f"token file: {app.file.path}"


def logout(app: Application) -> Iterator[str]:
    """Yield that the tokens are gone: given back where the service takes them, and removed here in any case."""
    with app.file.lock():
        try:
            tokens: Tokens | None = app.file.read()
        except CredentialsError:  # unreadable tokens are removed all the same
            tokens = None
        removed = app.file.delete()
    yield f"removed {app.file.path}" if removed else "nobody was logged in"
    if tokens:
        yield _given_back(app, tokens)


def _asked(
    app: Application,
    paste: Callable[[], str] | None,
    open_page: Callable[[str], object] | None,
    timeout_s: float,
) -> Generator[str, None, tuple[str, Attempt]]:
    """Yield where to agree; return the answer's address and the attempt that it must belong to."""
    if paste:
        attempt = _attempt(app.redirect_uri or _PASTE)
        yield from _instructions(app, attempt)
        yield "then paste the whole address of the page that you end on, also if it cannot be shown:"
        return paste(), attempt
    with Listener(place_of(app.redirect_uri)) as listener:
        attempt = _attempt(listener.redirect_uri)
        yield from _instructions(app, attempt)
        (open_page or _browser)(authorize_address(app.kind, app.server.client, attempt, app.scopes))
        return listener.wait(timeout_s), attempt


def _instructions(app: Application, attempt: Attempt) -> Iterator[str]:
    yield f"redirect address, to be registered at {app.kind.name}: {attempt.redirect_uri}"
    yield f"open this address and agree: {authorize_address(app.kind, app.server.client, attempt, app.scopes)}"


def _attempt(redirect_uri: str) -> Attempt:
    attempt = Attempt(redirect_uri, state=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(64))
    hide([attempt.verifier])
    return attempt


def _browser(address: str) -> None:
    import webbrowser

    webbrowser.open(address)  # where there is none, the address has been printed


def _exchanged(app: Application, attempt: Attempt, code: str) -> Tokens:
    ended = CredentialsError(
        "the code has expired or was used before", remedy=f"run {app.login_command} again and agree within a minute"
    )
    form = code_form(app.server.client, attempt, code)
    answer = app.server.tokens(form, ended)
    tokens = tokens_in(answer, app.kind, utc_now())
    hide([tokens.access_token, *([tokens.refresh_token] if tokens.refresh_token else [])])
    named = app.server.account(tokens.access_token) if app.kind.account_url else answer
    return with_account(tokens, app.kind, named)


def _given_back(app: Application, tokens: Tokens) -> str:
    try:
        taken = app.server.revoke(tokens.refresh_token or tokens.access_token)
    except UnavailableError as error:
        return f"they were not given back: {error}"
    return (
        f"given back to {app.kind.name}" if taken else f"{app.kind.name} takes no tokens back: remove the access there"
    )


def _account(tokens: Tokens) -> str:
    known = [tokens.account_name, f"({tokens.account_id})" if tokens.account_id else None]
    return " ".join(filter(None, known)) or "an account without a name"


def _life(tokens: Tokens, now: datetime) -> str:
    if tokens.expires_at is None:
        return "good until the service ends it"
    left_s = int((tokens.expires_at - now).total_seconds())
    at = f"{tokens.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"ended at {at}" if left_s <= 0 else f"good until {at}, {left_s // 60} min {left_s % 60} s from now"
