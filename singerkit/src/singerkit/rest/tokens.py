"""Credentials that a server gives for others: each way to log in is a row, with the request that it makes.

Takes rows whose texts are filled from settings; gives requests for tokens and reads the answers.
"""

from __future__ import annotations

import abc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from singerkit.errors import CredentialsError, SettingsError
from singerkit.rest import selector
from singerkit.rest.auth import ApiKey, Auth, Basic, Bearer, NoAuth, Rotating
from singerkit.rest.message import Request
from singerkit.rest.signers import Signer, TokenSigner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singerkit.rest.message import Answer
    from singerkit.rest.signers import Send

_EARLY_S = 60  # a token is renewed this long before it ends, so that no request meets its end
_SHARE = 5  # of a token that lives seconds, a fifth is early enough
_SET_FILE = "set `token_file` in the row's `auth`, so that the next run has the new one"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Token:
    """A token that a server gave, and the monotonic second from which it is to be renewed; None: at a refusal."""

    value: str = field(repr=False)
    renew_at: float | None = None
    refresh: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class TokenAuth(Auth, abc.ABC):
    """What all logins share: a request that gives a token, and where the token goes."""

    header: str = "Authorization"
    """The header that takes the token."""
    prefix: str = "Bearer "
    """Text before the token."""
    path: str = "access_token"
    """JSONPath of the token in the answer."""

    @abc.abstractmethod
    def request(self, before: Token | None) -> Request:
        """Return the request that gives a token; `before` is the token it replaces."""

    def signer(self, send: Send) -> Signer:
        """Return a signer that logs in when it first signs, and again when the token ends."""
        return TokenSigner(self, send)

    def token(self, answer: Answer, before: Token | None, now_s: float) -> Token:
        """Return the token in an answer, or say that there is none."""
        value = selector.value(self.path, answer.body)
        if not isinstance(value, str) or not value:
            raise CredentialsError("the login gave no token", at=self.path, remedy="check the settings of the login")
        lasts_s = _seconds(selector.value("expires_in", answer.body))
        renew_at = None if lasts_s is None else now_s + max(0.0, lasts_s - min(_EARLY_S, lasts_s / _SHARE))
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
    token_file: str | None = None
    """File that keeps the refresh token from run to run, where the server replaces it; made with mode 0600."""
    rotates: bool = False
    """Whether the server is known to replace the refresh token: then nothing is asked without a `token_file`."""

    def signer(self, send: Send) -> Signer:
        """Return a signer that keeps the refresh token in the file, where there is one."""
        if self.refresh_token and self.token_file:
            from singerkit.rest.kept import KeptSigner

            return KeptSigner(self, send)
        if self.refresh_token and self.rotates:
            raise SettingsError("this server replaces the refresh token at each use", remedy=_SET_FILE)
        return super().signer(send)

    def token(self, answer: Answer, before: Token | None, now_s: float) -> Token:
        """Return the token; one whose refresh token was replaced and would be lost at the end of the run is refused."""
        token = super().token(answer, before, now_s)
        if self.refresh_token and not self.token_file and token.refresh not in (None, self.refresh_token):
            remedy = f"{_SET_FILE}, and log in again: the old refresh token may be spent"
            raise CredentialsError(
                "the server has replaced the refresh token, and nothing keeps the new one", remedy=remedy
            )
        return token

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
        try:
            import jwt
        except ImportError as error:
            raise SettingsError("a JWT login needs PyJWT", remedy="pip install 'singerkit[jwt]'") from error
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


METHODS: tuple[type[Auth], ...] = (NoAuth, ApiKey, Bearer, Basic, Rotating, OAuth2, JwtLogin, SessionLogin)
"""The ways to sign that a manifest may name."""


def _seconds(said: Any) -> float | None:
    """Return how long a token lasts, or None where the server says it in no number: then its refusal will tell."""
    try:
        return None if said is None else float(said)
    except (TypeError, ValueError):
        return None


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
