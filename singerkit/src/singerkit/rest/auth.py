"""Credentials that a person has: each way to sign by one is a row.

Takes rows whose texts are filled from settings; gives signers. Refuses to show a credential: rows hide them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from singerkit.rest.signers import RotatingSigner, Signer, with_header

if TYPE_CHECKING:
    from singerkit.rest.signers import Send


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
        return Signer(lambda request: with_header(request, self.name, text))


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
        return Signer(lambda request: with_header(request, "Authorization", self.prefix + self.token))


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
        return Signer(lambda request: with_header(request, "Authorization", f"Basic {code}"))


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
        return RotatingSigner([self.prefix + token for token in self.tokens])
