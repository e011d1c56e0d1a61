"""Whether a delivery is the vendor's: a keyed hash of its bytes, compared in constant time, no older than said. Pure.

Takes headers, the body's bytes, the secret and the time; gives what is wrong, or nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Hmac:
    """How a vendor signs: which header holds the hash, and of what it is."""

    header: str
    """Header of the hash."""
    prefix: str = ""
    """Text before the hash, such as `sha256=`."""
    digest: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    time_header: str | None = None
    """Header of the moment of sending, in seconds since 1970, where the vendor signs one before the body and a dot."""
    window_s: float = 300
    """How far that moment may be from now."""

    def flaw(self, secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
        """Return why a delivery is not the vendor's, or None; header names are in lower case."""
        moment = headers.get(self.time_header.lower(), "") if self.time_header else None
        given = headers.get(self.header.lower(), "")
        made = self.made(secret, body, moment)
        if not hmac.compare_digest(given.encode("utf-8", "replace"), made.encode()):
            return "the signature is missing" if not given else "the signature is another"
        if moment is not None and abs(_seconds(moment) - now.timestamp()) > self.window_s:
            return "it was sent too long ago"
        return None

    def made(self, secret: str, body: bytes, moment: str | None = None) -> str:
        """Return the signature of a body."""
        signed = body if moment is None else f"{moment}.".encode() + body
        hashed = hmac.new(secret.encode(), signed, getattr(hashlib, self.digest)).digest()
        return self.prefix + (hashed.hex() if self.encoding == "hex" else base64.b64encode(hashed).decode())


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else float("-inf")
