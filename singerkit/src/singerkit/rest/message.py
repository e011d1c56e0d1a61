"""One request and one answer, as values that the pure rooms reason about.

Takes what the rows say; gives requests to send. Refuses nothing and sends nothing: the client does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Place = Literal["query", "body"]
"""Where a parameter goes: into the address or into the JSON body."""


@dataclass(frozen=True)
class Request:
    """One request before it is signed: credentials are never in here, so that it may be stored in a STATE."""

    method: str
    url: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    begun_at: str = ""
    """Where its walk began, if this one goes on in the middle of it: an address there may not say whose it is."""

    carried: tuple[str, ...] = ()
    """Parameters that the last answer has added for this request alone."""

    def with_values(self, place: Place, values: Mapping[str, Any]) -> Request:
        """Return the request with these parameters added or replaced; a dot in a body name goes one level down."""
        if place == "query":
            return replace(self, params={**self.params, **values})
        body = self.body or {}
        for name, value in values.items():
            body = _put(body, name.split("."), value)
        return replace(self, body=body)

    def carrying(self, place: Place, values: Mapping[str, Any]) -> Request:
        """Return the request with these parameters in the place of those that the answer before has added."""
        held = self.params if place == "query" else self.body or {}
        own = {name: value for name, value in held.items() if name not in self.carried}
        bare = replace(self, params=own) if place == "query" else replace(self, body=own)
        return replace(bare.with_values(place, values), carried=tuple(name for name in values if name not in own))

    def to(self, url: str) -> Request:
        """Return the request for a full next address, which replaces all parameters; relative ones are resolved.

        ValueError where it is no address of the web: a server may say anything.
        """
        target = urljoin(self.url, url)
        if origin(target)[0] not in {"http", "https"}:
            raise ValueError("no address of the web")
        return replace(self, url=target, params={})

    def token(self) -> dict[str, Any]:
        """Return what a STATE needs to send this request again."""
        parts = {"url": self.url, "params": dict(self.params), "body": self.body, "carried": [*self.carried]}
        return {name: value for name, value in parts.items() if value not in (None, {}, [])}

    def resumed(self, token: Mapping[str, Any]) -> Request:
        """Return this request at the place that a token names."""
        place = {"url": token["url"], "params": token.get("params", {}), "body": token.get("body")}
        return replace(self, **place, begun_at=self.url, carried=tuple(token.get("carried", ())))

    def fingerprint(self) -> str:
        """Return 16 hex digits that differ where method, address, parameters or body do."""
        seen = [self.method, self.url, sorted((k, str(v)) for k, v in self.params.items()), self.body]
        return sha256(msgspec.json.encode(seen)).hexdigest()[:16]

    def value(self, place: Place, name: str) -> Any:
        """Return a parameter's present value, also where it is part of the address itself, or None."""
        if place == "body":
            return _get(self.body, name.split("."))
        return self.params.get(name, dict(parse_qsl(urlsplit(self.url).query)).get(name))


@dataclass(frozen=True)
class Answer:
    """One answer: status, headers (names in lower case), the decoded body and the records found in it."""

    status: int
    headers: Mapping[str, str]
    body: Any = None
    text: str = ""
    records: list[Any] = field(default_factory=list)
    size_bytes: int = 0
    """Length of the body, as the text that it was decoded from."""


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port: what credentials are bound to."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _put(tree: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    inside = tree if isinstance(tree, dict) else {}
    return {**inside, path[0]: _put(inside.get(path[0]), path[1:], value)}


def _get(tree: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree
