"""Where libpq connects to: the addresses that the host guard has judged, or the loopback port of a tunnel.

Takes libpq's parameters and the route; gives parameters with `hostaddr`. Refuses a Unix socket where neither holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.connect.route import Route

_PORT = "5432"


def reached(params: Mapping[str, str], route: Route | None) -> dict[str, str]:
    """Return the parameters with the addresses that the route gives; `host` stays the name that TLS checks.

    Where private hosts are allowed and there is no bastion, libpq resolves for itself: nothing would be refused.
    """
    if route is None or route.is_open_to_all:
        return dict(params)
    pins = [replace(route.to(target, port), host=name).libpq() for name, target, port in servers(params)]
    return {**params, **{part: ",".join(pin[part] for pin in pins) for part in ("host", "hostaddr", "port")}}


def servers(params: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Yield name, what to connect to, and port of each server: libpq takes lists, and one port for all of them."""
    addresses = params.get("hostaddr", "").split(",")
    names = params.get("host", "").split(",")
    ports = params.get("port", _PORT).split(",")
    for number in range(max(len(names), len(addresses))):
        address = addresses[number] if number < len(addresses) else ""
        name = names[number] if number < len(names) else ""
        target = address or name
        if not target or target.startswith(("/", "@")):
            raise SettingsError(
                "a Unix socket is reached neither through a tunnel nor where private hosts are not allowed",
                remedy="set host to a name or an address",
            )
        yield name or target, target, int(ports[number if len(ports) > 1 else 0] or _PORT)
