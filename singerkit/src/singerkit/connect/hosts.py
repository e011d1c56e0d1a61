"""Which hosts a plugin may reach: the name is read strictly, every address it has is judged, a judged one is used.

Takes a host or a URL, and a resolver that is handed in; gives the addresses to connect to. Pure but for the resolver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from singerkit.connect.addresses import NEVER, Kind, kinds
from singerkit.errors import SettingsError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolver = Callable[[str, int], Sequence[str]]

METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
"""Names that cloud machines give to the service that hands out their credentials."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")  # an underscore: container networks use it
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME = 253  # RFC 1035
_URL_NEVER = re.compile(r"[\s\\\x00-\x1f\x7f]")  # parsers disagree about what follows these
_SCHEME_PORTS = {"http": 80, "https": 443}
_REMEDY = "allow it with allow_private_hosts, if it is yours"


class HostRefusedError(SettingsError):
    """The host may not be reached, whoever named it: a setting, a redirect or a next link."""


@dataclass(frozen=True)
class Destination:
    """A host that has been judged: its name for TLS, and the only addresses that may be connected to."""

    host: str
    port: int
    addresses: tuple[str, ...]

    def libpq(self) -> dict[str, str]:
        """Return the connection parameters that pin these addresses while TLS checks the name."""
        return {
            "host": ",".join([self.host] * len(self.addresses)),
            "hostaddr": ",".join(self.addresses),
            "port": ",".join([str(self.port)] * len(self.addresses)),
        }


@dataclass(frozen=True)
class HostGuard:
    """The rule which hosts may be reached; `allow_private_hosts` is false for APIs and true for databases."""

    resolve: Resolver
    allow_private_hosts: bool = False

    def destination(self, host: str, port: int) -> Destination:
        """Return where to connect for this host, or raise HostRefusedError if one of its addresses is not allowed."""
        name = self.name(host)
        addresses = (name,) if _is_address(name) else tuple(dict.fromkeys(self.resolve(name, port)))
        if not addresses:
            raise UnavailableError("the host has no address", host=name, remedy="check the name and the DNS")
        for address in addresses:
            self._judge(name, address)
        return Destination(name, port, addresses)

    def url(self, url: str) -> Destination:
        """Return where to connect for an http or https URL, read so strictly that no two parsers differ."""
        host, port = split_url(url)
        return self.destination(host, port)

    def name(self, host: str) -> str:
        """Return the host as it will be used, judged by its spelling alone: before DNS, or where another connects."""
        name = normal_host(host)
        if name in METADATA_NAMES:
            raise HostRefusedError("the host is a cloud metadata service", host=name, remedy="no source lives there")
        if _is_local_name(name) and not self.allow_private_hosts:
            raise HostRefusedError("the host is this machine", host=name, remedy=_REMEDY)
        if _is_address(name):
            self._judge(name, name)
        return name

    def _judge(self, host: str, address: str) -> None:
        found = kinds(address) - {"public"}
        refused = found & NEVER if self.allow_private_hosts else found
        if refused:
            raise _refusal(host, address, min(refused))


def split_url(url: str) -> tuple[str, int]:
    """Return host and port of an http or https URL; refuse user names, backslashes, blanks, escapes before the path."""
    if _URL_NEVER.search(url):
        raise HostRefusedError("the address holds a blank, a backslash or a control character", remedy="escape it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise HostRefusedError("the address is malformed", remedy="write it as https://host/path") from error
    if parts.scheme not in _SCHEME_PORTS or not parts.hostname:
        raise HostRefusedError("the address must begin with https:// and a host")
    if "@" in parts.netloc or "%" in parts.netloc:
        raise HostRefusedError("the address holds a user name or an escape before its path", host=parts.hostname)
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.removesuffix(":")
    return host, _SCHEME_PORTS[parts.scheme] if port is None else port


def normal_host(host: str) -> str:
    """Return the host in lower case, without brackets or a last dot; refuse what is no name and no address."""
    if not host.isascii():
        raise HostRefusedError("the host holds a letter that is not ASCII", remedy="write its xn-- form")
    if "," in host:
        raise HostRefusedError("the host must be one host, not a list", remedy="name one")
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host.lower().removesuffix(".")
    if bracketed or ":" in name:
        return _ipv6(name)
    if _is_address(name):
        return name
    labels = name.split(".")
    # a number at the end (`127.1`, `0x7f.1`, `2130706433`) is an IPv4 address to some parsers and a name to others
    if len(name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        raise HostRefusedError("the host is no host name and no IP address", remedy="write the name alone")
    return name


def _ipv6(text: str) -> str:
    if not _is_address(text) or ":" not in text or "%" in text:
        raise HostRefusedError("the host is no host name and no IP address", remedy="write the address alone")
    return text.lower()


def _is_address(text: str) -> bool:
    try:
        return bool(kinds(text))
    except ValueError:
        return False


def _is_local_name(name: str) -> bool:
    return name == "localhost" or name.endswith((".localhost", ".localdomain"))


def _refusal(host: str, address: str, kind: Kind) -> HostRefusedError:
    remedy = "no source lives there" if kind in NEVER else _REMEDY
    leads = None if address == host else address
    return HostRefusedError(f"the host has a {kind} address", host=host, address=leads, remedy=remedy)
