"""Requests signed as a GitHub App: one installation for each owner, whose tokens live an hour and are renewed in time.

Takes the id and the private key of an app; gives signed requests. Refuses a key that is no key.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from singerkit.errors import CredentialsError, SettingsError
from singerkit.rest.auth import Auth
from singerkit.rest.message import Request
from singerkit.rest.pages import Link
from singerkit.rest.signers import Signer, with_header
from singerkit.rest.tokens import Token
from singerkit.settings.secrets import hide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singerkit.rest.message import Answer
    from singerkit.rest.signers import Send

_JWT_S = 540  # the vendor takes ten minutes at most
_SLOW_CLOCK_S = 60  # and nothing that was signed in its future
_EARLY_S = 300
_OWNER = re.compile(r"/(?:repos|orgs|users)/([^/?]+)")
_ACCEPT = {"Accept": "application/vnd.github+json"}


@dataclass(frozen=True, kw_only=True)
class AppAuth(Auth):
    """The credentials of a GitHub App."""

    method: ClassVar[str] = "github_app"
    api_url: str
    """Where the API is."""
    app_id: str
    """Id or client id of the app."""
    private_key: str = field(repr=False)
    """The key in PEM form; `\\n` for line ends, as environments hold it, is read too."""
    installation_id: int | None = None
    """The installation to use; unset: for each owner its own."""

    def signer(self, send: Send) -> Signer:
        """Return a signer that logs in for an owner when a request first goes to what is theirs."""
        return AppSigner(self, send)

    def assertion(self, now_s: float) -> str:
        """Return a token that says who the app is, good for nine minutes."""
        import jwt

        claims = {"iss": self.app_id, "iat": int(now_s) - _SLOW_CLOCK_S, "exp": int(now_s) + _JWT_S}
        try:
            return jwt.encode(claims, self.private_key.replace("\\n", "\n"), algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise SettingsError(
                "app_private_key is no private key", remedy="give the whole .pem file, its first and last line too"
            ) from error


class AppSigner(Signer):
    """Signs with the token of the installation that the request's owner has."""

    def __init__(self, auth: AppAuth, send: Send) -> None:
        self.auth = auth
        self.send = send
        self.tokens: dict[int, Token] = {}
        self.owners: dict[str, int] | None = None
        self.lock = threading.Lock()
        self.before = threading.local()

    def sign(self, request: Request) -> Request:
        """Return the request with a token that is good for another minute at least."""
        with self.lock:
            installation = self._installation(self._owner(request))
            token = self.tokens.get(installation)
            if token is None or (token.renew_at or 0) <= time.monotonic():
                token = self._login(installation)
            return with_header(request, "Authorization", f"Bearer {token.value}")

    def renew(self, refused: Request) -> bool:
        """Log in again, unless another thread has done so since the request was signed."""
        with self.lock:
            for installation, token in self.tokens.items():
                if refused.headers.get("Authorization") == f"Bearer {token.value}":
                    self._login(installation)
                    break
            return True

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens of this run."""
        return tuple(token.value for token in [*self.tokens.values()])

    def _owner(self, request: Request) -> str:
        """Return whose the request is: by its address, by a query's variables, or as the one that was redirected here.

        A renamed repository is answered by an address with its number alone, and so are the pages after the first: a
        walk that goes on at one of them knows where it began.
        """
        variables = request.body.get("variables", {}) if isinstance(request.body, dict) else {}
        found = _OWNER.search(request.url) or _OWNER.search(request.begun_at)
        if found or "owner" in variables:
            self.before.owner = (found[1] if found else str(variables["owner"])).lower()
        elif "/repositories/" not in request.url:
            self.before.owner = ""
        owner: str = getattr(self.before, "owner", "")
        return owner

    def _installation(self, owner: str) -> int:
        """Return the owner's installation; what belongs to nobody, or to others, is read by any: it is public."""
        if self.auth.installation_id is not None:
            return self.auth.installation_id
        if self.owners is None:
            self.owners = dict(self._installations())
        if not self.owners:
            raise CredentialsError("the app is installed nowhere", remedy="install it where it is to read")
        return self.owners.get(owner, next(iter(self.owners.values())))

    def _installations(self) -> Iterator[tuple[str, int]]:
        request: Request | None = self._request("GET", "/app/installations", {"per_page": 100})
        while request is not None:
            answer = self.send(request)
            for one in answer.body or ():
                if login := (one["account"] or {}).get("login"):  # an enterprise has none, and no repositories
                    yield str(login).lower(), int(one["id"])
            request = Link().next(request, answer)

    def _login(self, installation: int) -> Token:
        answer = self.send(self._request("POST", f"/app/installations/{installation}/access_tokens"))
        self.tokens[installation] = token = _token(answer)
        hide([token.value])
        return token

    def _request(self, method: str, path: str, params: dict[str, Any] | None = None) -> Request:
        headers = {**_ACCEPT, "Authorization": f"Bearer {self.auth.assertion(time.time())}"}
        return Request(method, self.auth.api_url.rstrip("/") + path, params=params or {}, headers=headers)


def _token(answer: Answer) -> Token:
    body = answer.body if isinstance(answer.body, dict) else {}
    value, ends = body.get("token"), body.get("expires_at")
    if not isinstance(value, str) or not value:
        raise CredentialsError("the login of the app gave no token", remedy="check app_id and app_private_key")
    lasts_s = (datetime.fromisoformat(ends) - datetime.now(UTC)).total_seconds() if isinstance(ends, str) else 3600
    return Token(value, time.monotonic() + max(0.0, lasts_s - min(_EARLY_S, lasts_s / 5)))
