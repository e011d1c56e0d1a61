"""A strict authorization server on loopback: exact redirect addresses, PKCE, codes and refresh tokens for one use."""

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from singerkit.connect.grants import TokenServer
from singerkit.connect.logins import Application
from singerkit.connect.oauth import Client, OAuthKind
from singerkit.connect.sockets import guard
from singerkit.connect.tokens import TokenFile
from singerkit.connect.transport import guarded_session

CLIENT = Client("canary-client-id", "canary-client-secret")


@dataclass
class Rules:
    """How the server behaves: what a test changes."""

    lifetime_s: float | None = 3600
    deny: str | None = None
    wrong_state: bool = False
    codes_end_at_once: bool = False
    refresh_tokens: bool = True
    rotate: bool = True
    fail_first: list[int] = field(default_factory=list)
    """Statuses for the next token requests."""
    answer: bytes | None = None
    """What the token address says instead of tokens."""
    refreshes: int = 2
    """How many renewals the API's pages go on for."""
    redirect_uris: set[str] | None = None
    """None: any loopback address."""


@dataclass
class Grant:
    """What a code stands for."""

    redirect_uri: str
    challenge: str
    scope: str
    ends_at: float


class AuthorizationServer:
    """Codes, tokens and an API behind them. `refreshes` counts the tokens that were renewed."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.port = 0
        self.refreshes = 0
        self.forms: list[dict[str, str]] = []
        self.headers: list[str | None] = []
        self.api_calls: list[int] = []
        self.given_back: list[str] = []
        self.before_api: Callable[[], None] = lambda: None
        self._codes: dict[str, Grant] = {}
        self._access: dict[str, float] = {}
        self._refresh: set[str] = set()
        self._turn = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def kind(self, **changes: Any) -> OAuthKind:
        row: dict[str, Any] = {
            "name": "Acme",
            "authorize_url": self.url("/authorize?version=2"),
            "token_url": self.url("/token"),
            "scopes": ("orders:read", "people:read"),
            "account_url": self.url("/me"),
            "revoke_url": self.url("/revoke"),
            "id_path": "account.id",
            "name_path": "account.names.0",
        }
        return OAuthKind(**(row | changes))

    def end_access(self) -> None:
        """End all access tokens, as an administrator may."""
        self._access.clear()

    def end_refresh(self) -> None:
        """End all refresh tokens."""
        self._refresh.clear()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
        with self._turn:
            status, headers, body = self._route(request, parts.path, query)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def _route(
        self, request: BaseHTTPRequestHandler, path: str, query: dict[str, str]
    ) -> tuple[int, dict[str, str], Any]:
        bearer = (request.headers["Authorization"] or "").removeprefix("Bearer ")
        form: dict[str, str] = {}
        if request.command == "POST":
            text = request.rfile.read(int(request.headers["Content-Length"])).decode()
            form = {name: texts[0] for name, texts in parse_qs(text).items()}
            self.forms.append(form)
            self.headers.append(request.headers["Authorization"])
        match path:
            case "/authorize":
                return self._authorize(query)
            case "/token":
                return self._token(form, request.headers["Authorization"])
            case "/me":
                good = bearer in self._access
                return (200, {}, {"account": {"id": 42, "names": ["Ada"]}}) if good else (401, {}, {})
            case "/revoke":
                self.given_back.append(form["token"])
                return 200, {}, {}
            case "/api":
                self.before_api()
                status = 200 if self._access.get(bearer, 0) > time.monotonic() else 401
                self.api_calls.append(status)
                page = int(query.get("page", 1))
                following = self.url(f"/api?page={page + 1}") if self.refreshes < self.rules.refreshes else None
                return status, {}, {"data": [{"id": page}], "next": following}
        return 404, {}, {}

    def _authorize(self, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        uri = query["redirect_uri"]
        registered = self.rules.redirect_uris
        if query["client_id"] != CLIENT.id or (registered is not None and uri not in registered):
            return 400, {}, {"error": "redirect_uri is not registered"}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["version"] == "2"
        answer = {"state": "another" if self.rules.wrong_state else query["state"]}
        if self.rules.deny:
            answer |= {"error": self.rules.deny, "error_description": "no\nsuch thing"}
        else:
            answer["code"] = secrets.token_urlsafe()
            ends_at = time.monotonic() + (0 if self.rules.codes_end_at_once else 60)
            self._codes[answer["code"]] = Grant(uri, query["code_challenge"], query["scope"], ends_at)
        return 302, {"Location": f"{uri}?{urlencode(answer)}"}, {}

    def _token(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, str], Any]:
        if self.rules.fail_first:
            status = self.rules.fail_first.pop(0)
            return status, {"Location": self.url("/elsewhere")} if status == 302 else {}, b"<html>busy"
        if self.rules.answer is not None:
            return 200, {}, self.rules.answer
        pair = f"{form['client_id']}:{form.get('client_secret')}"
        if authorization:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if pair != f"{CLIENT.id}:{CLIENT.secret}":
            return 401, {}, {"error": "invalid_client"}
        if form["grant_type"] == "authorization_code":
            return self._by_code(form)
        return self._by_refresh_token(form)

    def _by_code(self, form: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        grant = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or grant.ends_at <= time.monotonic() or grant.challenge != challenge:
            return 400, {}, {"error": "invalid_grant"}
        if grant.redirect_uri != form["redirect_uri"]:
            return 400, {}, {"error": "invalid_grant"}
        return 200, {}, self._issue() | {"scope": grant.scope}

    def _by_refresh_token(self, form: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if form["refresh_token"] not in self._refresh:
            self._refresh.clear()  # reuse: RFC 9700 has the whole family end
            return 400, {}, {"error": "invalid_grant"}
        self.refreshes += 1
        if self.rules.rotate:
            self._refresh.discard(form["refresh_token"])
        return 200, {}, self._issue(rotate=self.rules.rotate)

    def _issue(self, *, rotate: bool = True) -> dict[str, Any]:
        lifetime_s = self.rules.lifetime_s
        access, refresh = (f"canary-{kind}-{secrets.token_urlsafe()}" for kind in ("access", "refresh"))
        self._access[access] = time.monotonic() + (3600 if lifetime_s is None else lifetime_s)
        answer: dict[str, Any] = {"access_token": access, "token_type": "bearer"}
        if lifetime_s is not None:
            answer["expires_in"] = lifetime_s
        if self.rules.refresh_tokens and rotate:
            self._refresh.add(refresh)
            answer["refresh_token"] = refresh
        return answer


@pytest.fixture
def acme(serve: Callable[..., int]) -> AuthorizationServer:
    """Give a running authorization server."""
    server = AuthorizationServer()
    server.port = serve(server.answer)
    return server


@pytest.fixture
def app(acme: AuthorizationServer, tmp_path: Path) -> Iterator[Callable[..., Application]]:
    """Give a function that makes the application of `tap-acme`; its arguments change the row of the kind."""
    sessions = []

    def make(
        *, client: Client = CLIENT, redirect_uri: str | None = None, token_url: str | None = None, **changes: Any
    ) -> Application:
        session = guarded_session(guard(allow_private_hosts=True))
        session.trust_env = False
        sessions.append(session)
        if token_url:
            changes["token_url"] = token_url
        kind = acme.kind(**changes)
        server = TokenServer(kind, client, session, retry_delays_s=(0.0,))
        file = TokenFile(tmp_path / "state" / "tokens.json", "`tap-acme auth login`")
        return Application("tap-acme", kind, server, file, redirect_uri=redirect_uri)

    yield make
    for session in sessions:
        session.close()


def _browse(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as page:
        page.read()


@pytest.fixture
def browser() -> Callable[[str], None]:
    """Give a browser whose person agrees at once: it follows the service's redirect to wherever that leads."""
    return _browse
