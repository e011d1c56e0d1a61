"""Requests signed by a stored login: what `auth login` has put into the token file, renewed during the run.

Takes the access tokens of a run; gives signed requests. Knows nothing of the service: its row of OAuth does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from singerkit.rest.auth import Auth
from singerkit.rest.signers import Signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from singerkit.connect.access import Access
    from singerkit.rest.message import Answer, Request

_HEADER = "Authorization"


@dataclass(frozen=True, kw_only=True)
class StoredLogin(Auth):
    """The login of a person, by OAuth; its tokens are shared with other runs through the token file."""

    method: ClassVar[str] = "login"
    access: Access = field(repr=False)
    """The access tokens of this run."""
    prefix: str = "Bearer "
    """Text before the token."""

    def signer(self, send: Callable[[Request], Answer]) -> Signer:  # noqa: ARG002  # the token server is spoken to apart
        """Return a signer whose token is always good, also for other threads and processes."""
        return _LoginSigner(self)


class _LoginSigner(Signer):
    def __init__(self, login: StoredLogin) -> None:
        self._login = login

    def sign(self, request: Request) -> Request:
        text = self._login.prefix + self._login.access.token()
        return replace(request, headers={**request.headers, _HEADER: text})

    def renew(self, refused: Request) -> bool:
        self._login.access.renewed(refused.headers.get(_HEADER, "").removeprefix(self._login.prefix))
        return True
