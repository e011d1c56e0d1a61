"""A refresh token that the server replaces at each use: its successor is on disk before it is used, for the next run.

Takes a row of OAuth2 and its token file; gives signed requests. Refuses to go on where the successor would be lost.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from singerkit.connect.oauth import Tokens
from singerkit.connect.tokens import TokenFile
from singerkit.rest.signers import TokenSigner
from singerkit.rest.tokens import Token
from singerkit.settings.secrets import hide

if TYPE_CHECKING:
    from singerkit.rest.signers import Send
    from singerkit.rest.tokens import OAuth2

_AGAIN = "again without this file, with a new refresh token in the settings"


class KeptSigner(TokenSigner):
    """Signs by a token whose refresh token lives in a file; runs that share the file renew one at a time."""

    def __init__(self, auth: OAuth2, send: Send) -> None:
        super().__init__(auth, send)
        self.chain = _chain(auth)
        self.file = TokenFile(Path(auth.token_file or ""), _AGAIN)

    def _login(self) -> None:
        """Have a token that is not the spent one.

        1. wait until no other run renews  2. read the file: another run may have renewed meanwhile
        3. ask the server  4. the new tokens are on disk  5. only then are they used
        """
        spent = self.token.value if self.token else None
        with self.file.lock():  # 1
            kept = self._kept()  # 2
            now, clock_s = datetime.now(UTC), time.monotonic()
            if kept is not None and kept.access_token != spent and not kept.is_due(now):
                self.token = _used(kept, now, clock_s)
                return
            before = Token("", refresh=kept.refresh_token) if kept is not None else None
            answer = self.send(self.auth.request(before))  # 3
            renewed = self.auth.token(answer, before, clock_s)
            self._keep(renewed, now, clock_s)  # 4
        self.token = renewed  # 5

    def _kept(self) -> Tokens | None:
        """Return the file's tokens, or None where there is no file, or the settings' refresh token is a newer one."""
        if not self.file.path.exists():
            return None
        tokens = self.file.read()
        hide(text for text in (tokens.access_token, tokens.refresh_token) if text)
        return tokens if tokens.account_id == self.chain else None

    def _keep(self, token: Token, now: datetime, clock_s: float) -> None:
        hide(text for text in (token.value, token.refresh) if text)
        ends = None if token.renew_at is None else _moment(now, token.renew_at - clock_s)
        kept = Tokens(token.value, issued_at=now, refresh_token=token.refresh, expires_at=ends, account_id=self.chain)
        self.file.write(kept)


def _used(kept: Tokens, now: datetime, clock_s: float) -> Token:
    lasts_s = None if kept.expires_at is None else (kept.expires_at - now).total_seconds()
    return Token(kept.access_token, None if lasts_s is None else clock_s + lasts_s, kept.refresh_token)


def _moment(now: datetime, lasts_s: float) -> datetime | None:
    """Return when a token is to be renewed, or None for one that outlives the calendar."""
    try:
        return now + timedelta(seconds=lasts_s)
    except (OverflowError, ValueError):
        return None


def _chain(auth: OAuth2) -> str:
    """Return what the file's tokens began with: a new refresh token in the settings begins anew."""
    first = "\n".join((auth.token_url, auth.client_id, auth.refresh_token or ""))
    return hashlib.sha256(first.encode()).hexdigest()[:16]
