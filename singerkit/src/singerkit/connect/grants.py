"""The token endpoint: codes and refresh tokens become tokens, tokens become account names, or are given back.

Takes forms; gives answers. Refuses redirects, long answers, and to say more of a refusal than its code.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import requests
from urllib3.exceptions import HTTPError

from singerkit.connect.oauth import Client, OAuthKind, refusal
from singerkit.errors import CredentialsError, SingerkitError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_S = 30
LARGEST_ANSWER = 256 << 10  # bytes; a token is a few thousand
RETRY_DELAYS_S = (1.0, 4.0)
_BUSY = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Reply:
    """What the service answered: its status, and the JSON object in it (empty where there is none)."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def is_good(self) -> bool:
        """Whether it is a yes; some services refuse with 200 and an error inside."""
        return 200 <= self.status < 300 and not self.body.get("error")


@dataclass(frozen=True)
class TokenServer:
    """The token side of one service, spoken to as one client; `session` is guarded by whoever makes it."""

    kind: OAuthKind
    client: Client
    session: requests.Session
    retry_delays_s: Sequence[float] = RETRY_DELAYS_S

    def tokens(self, form: Mapping[str, str], ended: SingerkitError) -> Mapping[str, Any]:
        """Return the answer to a form; `ended` is what to raise for a code or refresh token that is no longer good."""
        reply = self._patiently(lambda: self._post(self.kind.token_url, form))
        if not reply.is_good:
            raise self._refused(reply, ended)
        return reply.body

    def account(self, access_token: str) -> Mapping[str, Any]:
        """Return what the service says about whose token this is."""
        headers = {"Authorization": f"Bearer {access_token}"}
        reply = self._patiently(lambda: self._send("GET", str(self.kind.account_url), headers))
        if not reply.is_good:
            raise CredentialsError(
                f"{self.kind.name} does not say whose token this is", status=reply.status, remedy="check the scopes"
            )
        return reply.body

    def revoke(self, token: str) -> bool:
        """Give a token back; return whether the service took it."""
        if self.kind.revoke_url is None:
            return False
        form = {"token": token, "client_id": self.client.id}
        return self._patiently(lambda: self._post(str(self.kind.revoke_url), form)).is_good

    def _post(self, url: str, form: Mapping[str, str]) -> Reply:
        body, headers, secret = dict(form), {}, self.client.secret
        if secret and self.kind.client_auth == "body":
            body["client_secret"] = secret
        elif secret:
            pair = f"{quote_plus(self.client.id)}:{quote_plus(secret)}"  # RFC 6749, 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return self._send("POST", url, headers, body)

    def _send(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Reply:
        with self.session.request(
            method,
            url,
            headers={"Accept": "application/json", **headers},
            data=form,
            auth=lambda request: request,  # or requests would look for a password in ~/.netrc
            timeout=TIMEOUT_S,
            allow_redirects=False,  # a secret does not follow
            stream=True,
        ) as response:
            content = response.raw.read(LARGEST_ANSWER + 1, decode_content=True)
        if response.is_redirect:
            raise UnavailableError(
                f"{self.kind.name} sends its token address elsewhere", remedy="check the kind's URLs"
            )
        if len(content) > LARGEST_ANSWER:
            raise UnavailableError(f"{self.kind.name} gave an answer that is no token", bytes=f"over {LARGEST_ANSWER}")
        return Reply(response.status_code, _object(content))

    def _patiently(self, send: Callable[[], Reply]) -> Reply:
        """Send until the service is neither away nor busy; give up with its reason after the last delay."""
        for delay_s in (*self.retry_delays_s, None):
            reason: object
            try:
                reply = send()
                if reply.status not in _BUSY:
                    return reply
                reason = f"status {reply.status}"
            except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
                reason = type(error).__name__
            if delay_s is not None:
                time.sleep(delay_s)
        raise UnavailableError(f"{self.kind.name} does not give tokens now", reason=reason, remedy="try again later")

    def _refused(self, reply: Reply, ended: SingerkitError) -> SingerkitError:
        error = refusal(str(reply.body.get("error", "")))
        if error in {"invalid_grant", "bad_verification_code", "bad_refresh_token"}:  # the last two are GitHub's
            return ended
        if error in {"invalid_client", "incorrect_client_credentials"} or reply.status == 401:
            return CredentialsError(
                f"{self.kind.name} does not know this application",
                error=error,
                remedy="check CLIENT_ID and CLIENT_SECRET",
            )
        return CredentialsError(f"{self.kind.name} refuses to give tokens", status=reply.status, error=error or None)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
