"""The way from a plugin to a host: straight under the host guard, or through a bastion; the same value either way.

Takes the values of `ssh_tunnel` and `allow_private_hosts`; gives destinations. Closes its tunnel at the end.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from singerkit.connect.sockets import guard
from singerkit.connect.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from singerkit.connect.bastion import SSHTunnel
    from singerkit.connect.hosts import Destination


class Route:
    """How all connections of one plugin get there; `open` finds the bastion at once, `to` when it is first needed."""

    def __init__(
        self, ssh_tunnel: SSHTunnel | None, *, allow_private_hosts: bool, look: Callable[[], None] = lambda: None
    ) -> None:
        self.ssh_tunnel = ssh_tunnel
        self._guard = guard(allow_private_hosts=allow_private_hosts)
        self._tunnel = Tunnel(ssh_tunnel, self._guard, look=look) if ssh_tunnel else None

    @property
    def is_open_to_all(self) -> bool:
        """Whether there is neither a tunnel to go through nor a host to refuse but what no source lives at."""
        return self._tunnel is None and self._guard.allow_private_hosts

    def open(self) -> Self:
        """Open the tunnel now, where there is one."""
        if self._tunnel:
            self._tunnel.open()
        return self

    def to(self, host: str, port: int) -> Destination:
        """Return where to connect for a host: its judged addresses, or the loopback port that leads there."""
        if self._tunnel:
            return self._tunnel.to(host, port)
        return self._guard.destination(host, port)

    def explaining(self) -> AbstractContextManager[None]:
        """Raise the bastion's own reason where a driver only says that the server closed the connection."""
        return self._tunnel.explaining() if self._tunnel else nullcontext()

    def close(self) -> None:
        """Close the tunnel, where there is one."""
        if self._tunnel:
            self._tunnel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
