"""Access tokens for a run: good when they are handed out, renewed before they end, by one process at a time.

Takes a token file and a token server; gives access tokens. Refuses to use a token whose successor is not on disk.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from singerkit.connect.oauth import Tokens, refresh_form, tokens_in
from singerkit.errors import CredentialsError, UnavailableError
from singerkit.settings.secrets import hide

if TYPE_CHECKING:
    from collections.abc import Callable

    from singerkit.connect.grants import TokenServer
    from singerkit.connect.tokens import TokenFile


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


class Access:
    """The tokens of one login as a run needs them: `token` before a request, `renewed` after a refusal."""

    def __init__(
        self, file: TokenFile, server: TokenServer, login: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._file = file
        self._server = server
        self._login = login
        self._clock = clock
        self._tokens: Tokens | None = None
        self._turn = threading.Lock()

    def token(self) -> str:
        """Return an access token that does not end within the time of a request."""
        with self._turn:
            if self._tokens is None:
                self._tokens = self._read()
            if self._tokens.is_due(self._clock()):
                self._tokens = self._renewed_in_time(self._tokens)
            return self._tokens.access_token

    def renewed(self, refused: str) -> str:
        """Return another access token than the one that the service has just refused."""
        with self._turn:
            if self._tokens is None or self._tokens.access_token == refused:
                self._tokens = self._renew(refused)
            return self._tokens.access_token

    def _renewed_in_time(self, due: Tokens) -> Tokens:
        """Return new tokens, or those that are due while they are still good and the service gives no others."""
        try:
            return self._renew(due.access_token)
        except UnavailableError:
            if due.expires_at is None or self._clock() >= due.expires_at:
                raise
            return due

    def _renew(self, spent: str) -> Tokens:
        """Return tokens whose access token is not the spent one.

        1. wait until no other process renews  2. read the file again: another may have renewed meanwhile
        3. ask the service  4. the new tokens are on disk  5. only then are they used
        """
        with self._file.lock():  # 1
            found = self._read()  # 2
            if found.access_token != spent and not found.is_due(self._clock()):
                return found
            if found.refresh_token is None:
                raise CredentialsError("the login has ended and cannot be renewed", remedy=f"run {self._login}")
            form = refresh_form(self._server.client, found.refresh_token)
            answer = self._server.tokens(form, self._lost())  # 3
            renewed = tokens_in(answer, self._server.kind, self._clock(), found)
            self._hide(renewed)
            self._file.write(renewed)  # 4
        return renewed  # 5

    def _read(self) -> Tokens:
        tokens = self._file.read()
        self._hide(tokens)
        return tokens

    def _lost(self) -> CredentialsError:
        return CredentialsError(
            f"{self._server.kind.name} does not take the refresh token any more: it was revoked, has ended, "
            "or its successor was lost",
            remedy=f"run {self._login}; give each copy of the plugin a login of its own, or one token file",
        )

    def _hide(self, tokens: Tokens) -> None:
        hide(text for text in (tokens.access_token, tokens.refresh_token) if text)
