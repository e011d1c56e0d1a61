"""What an IP address is good for: one table of networks, the longest prefix wins.

Takes an address; gives its kinds, also those of an IPv4 address inside an IPv6 one. Refuses what is no address. Pure.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Kind = Literal[
    "public",
    "private",
    "loopback",
    "link-local",
    "carrier-grade NAT",
    "unspecified",
    "reserved",
    "multicast",
    "cloud metadata",
]

NEVER: frozenset[Kind] = frozenset({"cloud metadata", "multicast"})
"""No source lives there: refused also where private hosts are allowed."""

_NETWORKS: dict[Kind, tuple[str, ...]] = {
    "public": ("0.0.0.0/0", "2000::/3", "64:ff9b::/96"),  # the last is NAT64, judged by the address it holds
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fec0::/10",  # site-local, before unique-local replaced it
        "64:ff9b:1::/48",  # NAT64 of a site's own making, RFC 8215
    ),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": (
        "::/0",  # only 2000::/3 has been given out
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4, withdrawn by RFC 7526
        "3fff::/20",
    ),
    "cloud metadata": (
        "168.63.129.16/32",  # Azure, on a public address
        "169.254.169.254/32",  # AWS, Azure, Google, DigitalOcean, Oracle, OpenStack
        "169.254.169.253/32",
        "169.254.170.2/32",  # AWS containers
        "169.254.170.23/32",
        "169.254.0.23/32",  # Tencent
        "169.254.42.42/32",  # Scaleway
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle, the older one
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "fd00:42::42/128",  # Scaleway
        "fe80::a9fe:a9fe/128",  # OpenStack
    ),
}


@lru_cache(maxsize=1024)  # a guard asks before each request, mostly for the same address
def kinds(text: str) -> frozenset[Kind]:
    """Return the kinds of an address: its own, and those of the IPv4 addresses that it carries inside.

    Raises ValueError for what is no address. A zone (`fe80::1%eth0`) says nothing about the kind.
    """
    address = ipaddress.ip_address(text)
    carried = list(_carried(address))
    inside = frozenset(_own_kind(inner) for inner in carried)
    if carried and _speaks_for_another(address):
        return inside
    return inside | {_own_kind(address)}


def _own_kind(address: Address) -> Kind:
    return next(kind for network, kind in _by_prefix(address.version) if _holds(network, address))


def _holds(network: Network, address: Address) -> bool:
    return (int(address) & int(network.netmask)) == int(network.network_address)  # a zone would not compare equal


def _speaks_for_another(address: Address) -> bool:
    """Return whether the kernel or a NAT64 gateway connects to the IPv4 address inside, and to nothing else."""
    assert isinstance(address, ipaddress.IPv6Address)  # noqa: S101  # only these carry one
    return address.ipv4_mapped is not None or int(address) >> 32 == _NAT64_PREFIX


def _carried(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses inside: mapped, compatible, NAT64, 6to4, Teredo (its server and its client)."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    elif int(address) >> 32 == _NAT64_PREFIX or 1 < int(address) < 1 << 32:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    elif address.sixtofour:
        yield address.sixtofour
    elif address.teredo:
        yield from address.teredo


_NAT64_PREFIX = int(ipaddress.IPv6Address("64:ff9b::")) >> 32


@lru_cache(2)
def _by_prefix(version: int) -> list[tuple[Network, Kind]]:
    """Return the networks of one IP version, the longest prefix first."""
    rows = [(ipaddress.ip_network(text), kind) for kind, texts in _NETWORKS.items() for text in texts]
    return sorted((row for row in rows if row[0].version == version), key=lambda row: -row[0].prefixlen)
