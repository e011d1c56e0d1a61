"""OAuth as values: a kind is one row; addresses, challenges, answers and expiry follow from it.

Takes rows, texts and `now`; gives addresses, forms and tokens. Refuses an answer that belongs to another login. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from singerkit.errors import CredentialsError, SettingsError
from singerkit.settings.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

MARGIN = timedelta(seconds=60)  # longer than a request may take on its way
_SHARE = 5  # of a token that lives seconds, a fifth is margin enough


@dataclass(frozen=True, kw_only=True)
class OAuthKind:
    """One kind of login: where a person agrees, where codes become tokens, and where the account is named."""

    name: str
    """The service, as its users call it."""
    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ()
    id_path: str = ""
    """Where the account's id is: dots lead into the token's answer, or the account's where there is an account_url."""
    name_path: str = ""
    account_url: str | None = None
    """An address that tells, with the new token, whose it is."""
    revoke_url: str | None = None
    """Where a token is given back (RFC 7009)."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the authorize address needs beside the standard, such as access_type=offline."""
    client_auth: Literal["body", "header"] = "body"
    """Where the client's secret goes."""
    secret_required: bool = True
    scope_separator: str = " "

    def __post_init__(self) -> None:
        """Refuse an address that would show a code or a token to the network; loopback has none."""
        for url in filter(None, (self.authorize_url, self.token_url, self.account_url, self.revoke_url)):
            parts = urlsplit(url)
            if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
                raise SettingsError("a login needs https", service=self.name, host=parts.hostname)


@dataclass(frozen=True)
class Client:
    """Who asks: the application that is registered at the service."""

    id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Attempt:
    """One login under way: what ties its answer to its question."""

    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """The verifier as S256 shows it to the world (RFC 7636)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True)
class Tokens:
    """What a login gave. `expires_at` is None where the service does not say; times are aware UTC."""

    access_token: str = field(repr=False)
    issued_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    account_id: str | None = None
    account_name: str | None = None

    def is_due(self, now: datetime) -> bool:
        """Return whether the access token is to be renewed: it ends within a minute, or a fifth of a short life."""
        if self.expires_at is None:
            return False
        return now >= self.expires_at - min(MARGIN, (self.expires_at - self.issued_at) / _SHARE)


def client_of(plugin: str, kind: OAuthKind, environment: Mapping[str, str]) -> Client:
    """Return the client of a plugin from TAP_X_CLIENT_ID and TAP_X_CLIENT_SECRET, or name all that is missing."""
    prefix = plugin.upper().replace("-", "_")
    names = {"id": f"{prefix}_CLIENT_ID", "secret": f"{prefix}_CLIENT_SECRET"}
    found = {part: environment.get(name, "").strip() for part, name in names.items()}
    needed = ("id", "secret") if kind.secret_required else ("id",)
    if missing := [names[part] for part in needed if not found[part]]:
        raise SettingsError(
            f"{' and '.join(missing)} must be set",
            remedy=f"register an application at {kind.name} and put what it gives you into the environment",
        )
    return Client(found["id"], found["secret"] or None)


def authorize_address(kind: OAuthKind, client: Client, attempt: Attempt, scopes: tuple[str, ...] = ()) -> str:
    """Return the address where a person agrees; it holds no secret."""
    asked = {
        **kind.parameters,
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": attempt.redirect_uri,
        "scope": kind.scope_separator.join(scopes or kind.scopes),
        "state": attempt.state,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    parts = urlsplit(kind.authorize_url)
    query = "&".join(filter(None, [parts.query, urlencode({name: text for name, text in asked.items() if text})]))
    return urlunsplit(parts._replace(query=query))


def code_in(address: str, attempt: Attempt) -> str:
    """Return the code in the address that the service sent the browser to; the state is looked at first."""
    query = address.strip().partition("?")[2].partition("#")[0]
    answer = parse_qs(query, keep_blank_values=True)
    given = {name: texts[0] for name, texts in answer.items() if len(texts) == 1}  # a doubled name is nobody's
    if not hmac.compare_digest(given.get("state", "").encode("utf-8", "replace"), attempt.state.encode()):
        raise CredentialsError(
            "the answer belongs to another login: its state is not the one that was sent",
            remedy="log in again, with the newest address only",
        )
    if "error" in given:
        raise _denied(given["error"], given.get("error_description"))
    if not given.get("code"):
        raise CredentialsError("the answer holds no code", remedy="log in again")
    return given["code"]


def code_form(client: Client, attempt: Attempt, code: str) -> dict[str, str]:
    """Return the form that turns a code into tokens."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": attempt.redirect_uri}
    return form | {"client_id": client.id, "code_verifier": attempt.verifier}


def refresh_form(client: Client, refresh_token: str) -> dict[str, str]:
    """Return the form that turns a refresh token into new tokens."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client.id}


def tokens_in(answer: Mapping[str, Any], kind: OAuthKind, now: datetime, before: Tokens | None = None) -> Tokens:
    """Return the tokens in an answer; a refresh token, scopes or an account that it leaves out stay what they were."""
    access = answer.get("access_token")
    if not isinstance(access, str) or not access:
        raise CredentialsError(f"{kind.name} gave no access token", remedy="log in again")
    scopes, refresh = answer.get("scope"), answer.get("refresh_token")
    return Tokens(
        access,
        issued_at=now,
        refresh_token=refresh if refresh and isinstance(refresh, str) else (before.refresh_token if before else None),
        expires_at=_expiry(answer.get("expires_in"), now),
        scopes=_scopes(scopes, kind) if scopes else (before.scopes if before else kind.scopes),
        account_id=before.account_id if before else None,
        account_name=before.account_name if before else None,
    )


def with_account(tokens: Tokens, kind: OAuthKind, answer: Mapping[str, Any]) -> Tokens:
    """Return the tokens with the account that an answer names."""
    return replace(tokens, account_id=at(answer, kind.id_path), account_name=at(answer, kind.name_path))


def at(answer: Any, path: str) -> str | None:
    """Return the text at a dotted path (`team.0.id`), or None where there is none."""
    for step in path.split(".") if path else [None]:
        if isinstance(answer, list) and step and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        elif isinstance(answer, dict) and step in answer:
            answer = answer[step]
        else:
            return None
    return str(answer) if isinstance(answer, str | int) else None


def refusal(code: str) -> str:
    """Return an error code of a service as it may be shown: one short word, whatever was sent."""
    shown = (letter for letter in masked(code) if letter.isascii() and (letter.isalnum() or letter in "_-.*"))
    return "".join(shown)[:60]


def _expiry(expires_in: Any, now: datetime) -> datetime | None:
    try:
        return now + timedelta(seconds=max(0.0, float(expires_in)))
    except (TypeError, ValueError, OverflowError):  # absent, or a word: the service will say when it has ended
        return None


def _scopes(given: Any, kind: OAuthKind) -> tuple[str, ...]:
    text = " ".join(map(str, given)) if isinstance(given, list) else str(given)  # RFC 6749 says text, some send a list
    return tuple(text.replace(kind.scope_separator, " ").replace(",", " ").split())


def _denied(code: str, description: str | None) -> CredentialsError:
    if code == "access_denied":
        return CredentialsError("the login was denied", remedy="log in again and agree, or ask who may")
    shown = " ".join(masked(description or "").split())[:200]
    return CredentialsError("the service refuses the login", error=refusal(code), says=shown or None)
