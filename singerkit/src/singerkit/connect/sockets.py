"""The machine's own resolver and sockets, under the host guard.

Takes a judged destination; gives a connected socket. Refuses to look a name up a second time.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from singerkit.connect.hosts import Destination, HostGuard
from singerkit.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    SocketOption = tuple[int, int, int | bytes]


def guard(*, allow_private_hosts: bool) -> HostGuard:
    """Return the host guard over the machine's own resolver."""
    return HostGuard(resolve, allow_private_hosts=allow_private_hosts)


def resolve(host: str, port: int) -> list[str]:
    """Return every address that the machine's resolver has for a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None)
        raise UnavailableError(
            "the host name has no address", host=host, reason=reason, remedy="check the name and the DNS"
        ) from error
    return [str(address[0]) for *_, address in found]


def connect(
    destination: Destination,
    timeout_s: float | None = None,
    *,
    source_address: tuple[str, int] | None = None,
    options: Iterable[SocketOption] = (),
) -> socket.socket:
    """Return a socket to the first judged address that answers, or raise the OSError of the last one."""
    failures: list[OSError] = []
    for address in destination.addresses:
        try:
            connected = socket.create_connection((address, destination.port), timeout_s, source_address)
        except OSError as error:
            failures.append(error)
            continue
        for option in options:
            connected.setsockopt(*option)
        return connected
    raise failures[-1]
