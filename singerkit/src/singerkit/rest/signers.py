"""Signers keep what a run learns about a credential: a token that was renewed, one that is out of quota.

Takes requests; gives them signed. Safe to use from many threads.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from singerkit.settings.secrets import hide

if TYPE_CHECKING:
    from collections.abc import Callable

    from singerkit.rest.message import Answer, Request
    from singerkit.rest.tokens import Token, TokenAuth

    Send = Callable[[Request], Answer]


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

    def noted(self, signed: Request, left: float | None) -> None:
        """Take note of how many requests the vendor leaves to the credential of this request."""

    def secrets(self) -> tuple[str, ...]:
        """Return what this signer has learnt and nobody may see; what settings hold is known to be secret."""
        return ()


class TokenSigner(Signer):
    """Logs in once for all threads; a refused token is renewed once, by the first that meets the refusal."""

    def __init__(self, auth: TokenAuth, send: Send) -> None:
        self.auth = auth
        self.send = send
        self.token: Token | None = None
        self.lock = threading.Lock()

    def sign(self, request: Request) -> Request:
        """Return the request with a token that is still good."""
        with self.lock:
            due = self.token is not None and self.token.renew_at is not None and self.token.renew_at <= time.monotonic()
            if self.token is None or due:
                self._login()
            return with_header(request, self.auth.header, self._text())

    def renew(self, refused: Request) -> bool:
        """Log in again, unless another thread has done so since the request was signed."""
        with self.lock:
            if refused.headers.get(self.auth.header) == self._text():
                self._login()
            return True

    def secrets(self) -> tuple[str, ...]:
        """Return the token and what renews it."""
        token = self.token
        return tuple(filter(None, (token.value, token.refresh))) if token else ()

    def _login(self) -> None:
        answer = self.send(self.auth.request(self.token))
        self.token = self.auth.token(answer, self.token, time.monotonic())
        hide(self.secrets())

    def _text(self) -> str:
        return self.auth.prefix + (self.token.value if self.token else "")


class RotatingSigner(Signer):
    """Signs with the token that has most requests left, as far as is known; a blocked one rests until its reset."""

    def __init__(self, texts: list[str]) -> None:
        self.free_at = dict.fromkeys(texts, 0.0)
        self.left = dict.fromkeys(texts, math.inf)
        self.lock = threading.Lock()

    def sign(self, request: Request) -> Request:
        """Return the request with a token that may be used now, or soonest; among those, the one with most left."""
        now = time.monotonic()
        with self.lock:
            text = min(self.free_at, key=lambda one: (max(now, self.free_at[one]), -self.left[one]))
        return with_header(request, "Authorization", text)

    def renew(self, refused: Request) -> bool:  # noqa: ARG002  # a bad token is a matter for its owner
        """Return False: a refused token is not passed over in silence."""
        return False

    def blocked(self, signed: Request, for_s: float) -> float:
        """Put the token of this request to rest, and return how long the soonest of the others still rests."""
        now = time.monotonic()
        with self.lock:
            self.free_at[signed.headers["Authorization"]] = now + for_s
            return max(0.0, min(self.free_at.values()) - now)

    def noted(self, signed: Request, left: float | None) -> None:
        """Remember how much is left of this token's quota; one that has come back from its rest is as good as new."""
        with self.lock:
            self.left[signed.headers["Authorization"]] = math.inf if left in (None, 0) else left


def with_header(request: Request, name: str, text: str) -> Request:
    """Return the request with one header added or replaced."""
    return replace(request, headers={**request.headers, name: text})
