"""Credentials: each way to sign is a row; a signer keeps what a run learns, such as a token that was renewed.

Takes rows whose texts are filled from settings; gives signed requests. Refuses to show a credential: rows hide them.
"""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from singerkit.errors import CredentialsError
from singerkit.rest import selector
from singerkit.rest.message import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singerkit.rest.message import Answer

    Send = Callable[[Request], Answer]

_EARLY_S = 60  # a token is renewed this long before it ends, so that no request meets its end
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Signer:
    """Signs requests in the same way for the whole run."""

    def __init__(self, change: Callable[[Request], Request]) -> None:
        self.change = change

    def sign(self, request: Request) -> Request:
        """Return the request with the credential."""
        return self.change(request)

    def renew(self, refused: Request) -> bool:  # noqa: ARG002  # nothing to renew
        """Return whether there is now another credential than the one that was refused."""
        return False

    def blocked(self, signed: Request, for_s: float) -> float:  # noqa: ARG002  # there is one credential
        """Return how long to wait, given that the credential of this request is out of quota for so long."""
        return for_s


@dataclass(frozen=True, kw_only=True)
class Auth:
    """What all ways to sign share."""

    method: ClassVar[str] = "none"

    def signer(self, send: Send) -> Signer:  # noqa: ARG002  # only tokens need to send
        """Return the signer of a run; `send` sends requests unsigned."""
        return Signer(lambda request: request)


class NoAuth(Auth):
    """Requests are not signed."""


@dataclass(frozen=True, kw_only=True)
class ApiKey(Auth):
    """A key in a header or in a query parameter."""

    method: ClassVar[str] = "api_key"
    name: str
    """Name of the header or parameter."""
    key: str = field(repr=False)
    """The key."""
    place: Literal["header", "query"] = "header"
    """Where the key goes."""
    prefix: str = ""
    """Text before the key, such as `Klaviyo-API-Key `."""

    def signer(self, send: Send) -> Signer:  # noqa: ARG002  # only tokens need to send
        """Return a signer that adds the key."""
        text = self.prefix + self.key
        if self.place == "query":
            return Signer(lambda request: request.with_values("query", {self.name: text}))
        return Signer(lambda request: _with_header(request, self.name, text))


@dataclass(frozen=True, kw_only=True)
class Bearer(Auth):
    """A bearer token."""

    method: ClassVar[str] = "bearer"
    token: str = field(repr=False)
    """The token."""
    prefix: str = "Bearer "
    """Text before the token."""

    def signer(self, send: Send) -> Signer:  # noqa: ARG002  # only tokens need to send
        """Return a signer that adds the token."""
        return Signer(lambda request: _with_header(request, "Authorization", self.prefix + self.token))


@dataclass(frozen=True, kw_only=True)
class Basic(Auth):
    """User and password."""

    method: ClassVar[str] = "basic"
    user: str
    """The user."""
    password: str = field(default="", repr=False)
    """The password; some vendors want none, with a key as the user."""

    def signer(self, send: Send) -> Signer:  # noqa: ARG002  # only tokens need to send
        """Return a signer that adds both, encoded."""
        code = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return Signer(lambda request: _with_header(request, "Authorization", f"Basic {code}"))


@dataclass(frozen=True, kw_only=True)
class Rotating(Auth):
    """Several tokens: one that is out of quota rests until its reset, the others go on."""

    method: ClassVar[str] = "rotating"
    tokens: tuple[str, ...] = field(repr=False)
    """The tokens."""
    prefix: str = "Bearer "
    """Text before the token."""

    def signer(self, send: Send) -> Signer:  # noqa: ARG002  # only tokens need to send
        """Return a signer that remembers which token rests."""
        return _RotatingSigner([self.prefix + token for token in self.tokens])


@dataclass(frozen=True)
class Token:
    """A token that a server gave, and the monotonic second from which it is to be renewed; None: at a refusal."""

    value: str = field(repr=False)
    renew_at: float | None = None
    refresh: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class TokenAuth(Auth):
    """What all logins share: a request that gives a token, and where the token goes."""

    header: str = "Authorization"
    """The header that takes the token."""
    prefix: str = "Bearer "
    """Text before the token."""
    path: str = "access_token"
    """JSONPath of the token in the answer."""

    def request(self, before: Token | None) -> Request:
        """Return the request that gives a token; `before` is the token it replaces."""
        raise NotImplementedError

    def signer(self, send: Send) -> Signer:
        """Return a signer that logs in when it first signs, and again when the token ends."""
        return _TokenSigner(self, send)

    def token(self, answer: Answer, before: Token | None, now_s: float) -> Token:
        """Return the token in an answer, or say that there is none."""
        value = selector.value(self.path, answer.body)
        if not isinstance(value, str) or not value:
            raise CredentialsError("the login gave no token", at=self.path, remedy="check the settings of the login")
        lasts = selector.value("expires_in", answer.body)
        renew_at = now_s + max(0.0, float(lasts) - _EARLY_S) if lasts is not None else None
        rotated = selector.value("refresh_token", answer.body)
        return Token(value, renew_at, rotated or (before.refresh if before else None))


@dataclass(frozen=True, kw_only=True)
class OAuth2(TokenAuth):
    """OAuth 2: client credentials, or a refresh token, which is replaced where the server rotates it."""

    method: ClassVar[str] = "oauth2"
    token_url: str
    """Address that gives tokens."""
    client_id: str
    """Id of the client."""
    client_secret: str = field(default="", repr=False)
    """Secret of the client."""
    refresh_token: str | None = field(default=None, repr=False)
    """Refresh token; without one, the client's own credentials are used."""
    scope: str | None = None
    """Scopes to ask for, separated by spaces."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Other fields of the token request, such as `audience`."""

    def request(self, before: Token | None) -> Request:
        """Return the token request of RFC 6749, sections 4.4 and 6."""
        refresh = (before.refresh if before else None) or self.refresh_token
        grant = {"grant_type": "refresh_token", "refresh_token": refresh} if refresh else None
        fields: dict[str, Any] = grant or {"grant_type": "client_credentials"}
        fields |= {"client_id": self.client_id, "client_secret": self.client_secret, "scope": self.scope}
        return Request("POST", self.token_url, body={**_given(fields), **self.extra}, headers=_FORM)


@dataclass(frozen=True, kw_only=True)
class JwtLogin(TokenAuth):
    """A signed assertion is exchanged for a token (RFC 7523)."""

    method: ClassVar[str] = "jwt"
    token_url: str
    """Address that gives tokens."""
    private_key: str = field(repr=False)
    """The key in PEM form, or the secret for HS256."""
    issuer: str
    """Who signs: the claim `iss`."""
    subject: str | None = None
    """On whose behalf: the claim `sub`."""
    audience: str | None = None
    """For whom: the claim `aud`; unset: the token address."""
    scope: str | None = None
    """Scopes to ask for, separated by spaces."""
    algorithm: Literal["RS256", "ES256", "HS256"] = "RS256"
    """How the assertion is signed."""

    def request(self, before: Token | None) -> Request:  # noqa: ARG002  # each login signs anew
        """Return the exchange of a fresh assertion, good for five minutes."""
        import jwt

        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.issuer, "sub": self.subject, "aud": self.audience or self.token_url}
        claims |= {"scope": self.scope, "iat": now, "exp": now + 300}
        assertion = jwt.encode(_given(claims), self.private_key, algorithm=self.algorithm)
        body = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return Request("POST", self.token_url, body=body, headers=_FORM)


@dataclass(frozen=True, kw_only=True)
class SessionLogin(TokenAuth):
    """A first request with user and password gives a session token."""

    method: ClassVar[str] = "session"
    login_url: str
    """Address of the login."""
    body: Mapping[str, Any] = field(repr=False)
    """JSON body of the login."""
    path: str = "token"
    """JSONPath of the token in the answer."""

    def request(self, before: Token | None) -> Request:  # noqa: ARG002  # each login is the same
        """Return the login."""
        return Request("POST", self.login_url, body=self.body)


class _TokenSigner(Signer):
    """Logs in once for all threads; a refused token is renewed once, by the first that meets the refusal."""

    def __init__(self, auth: TokenAuth, send: Send) -> None:
        self.auth = auth
        self.send = send
        self.token: Token | None = None
        self.lock = threading.Lock()

    def sign(self, request: Request) -> Request:
        with self.lock:
            due = self.token is not None and self.token.renew_at is not None and self.token.renew_at <= time.monotonic()
            if self.token is None or due:
                self._login()
            return _with_header(request, self.auth.header, self._text())

    def renew(self, refused: Request) -> bool:
        with self.lock:
            if refused.headers.get(self.auth.header) == self._text():
                self._login()
            return True

    def _login(self) -> None:
        answer = self.send(self.auth.request(self.token))
        self.token = self.auth.token(answer, self.token, time.monotonic())

    def _text(self) -> str:
        return self.auth.prefix + (self.token.value if self.token else "")


class _RotatingSigner(Signer):
    """Signs with the token that has rested longest; a blocked one is not used before its reset."""

    def __init__(self, texts: list[str]) -> None:
        self.free_at = dict.fromkeys(texts, 0.0)
        self.lock = threading.Lock()

    def sign(self, request: Request) -> Request:
        with self.lock:
            text = min(self.free_at, key=self.free_at.__getitem__)
        return _with_header(request, "Authorization", text)

    def renew(self, refused: Request) -> bool:  # noqa: ARG002  # a bad token is a matter for its owner
        return False

    def blocked(self, signed: Request, for_s: float) -> float:
        now = time.monotonic()
        with self.lock:
            self.free_at[signed.headers["Authorization"]] = now + for_s
            return max(0.0, min(self.free_at.values()) - now)


METHODS: tuple[type[Auth], ...] = (NoAuth, ApiKey, Bearer, Basic, Rotating, OAuth2, JwtLogin, SessionLogin)
"""The ways to sign that a manifest may name."""


def _with_header(request: Request, name: str, text: str) -> Request:
    return replace(request, headers={**request.headers, name: text})


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
