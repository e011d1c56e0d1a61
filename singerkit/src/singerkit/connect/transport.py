"""Guarded HTTP: every connection that requests opens, redirects and next links included, passes the host guard.

Takes a host guard; gives a transport adapter, or a session with it. Refuses at the socket: DNS cannot change its mind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import Timeout

from singerkit.connect.hosts import split_url
from singerkit.connect.sockets import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

    from singerkit.connect.hosts import HostGuard


def guarded_session(guard: HostGuard, **adapter_options: Any) -> Session:
    """Return a session whose every request passes the guard. Each hop of a redirect is judged too."""
    session = Session()
    adapter = GuardedAdapter(guard, **adapter_options)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


class GuardedAdapter(HTTPAdapter):
    """A requests transport that connects to addresses that the guard has judged, while TLS checks the name.

    Through a proxy it is the proxy that connects: then the host is judged by its spelling alone.
    """

    def __init__(self, guard: HostGuard, **options: Any) -> None:
        self._guard = guard
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools open guarded connections; the manager of a proxy is another one and stays as it is."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _bound(_GuardedHTTPPool, self._guard),
            "https": _bound(_GuardedHTTPSPool, self._guard),
        }

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Send the request if its URL reads the same to every parser and its host may be named."""
        self._guard.name(split_url(cast("str", request.url))[0])
        return super().send(request, *args, **options)


class _GuardedConnection(HTTPConnection):
    guard: HostGuard

    def _new_conn(self) -> socket.socket:  # the hook that urllib3's own SOCKS support overrides
        destination = self.guard.destination(self.host, self.port)
        timeout_s = Timeout.resolve_default_timeout(self.timeout)
        try:
            return connect(
                destination, timeout_s, source_address=self.source_address, options=self.socket_options or ()
            )
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} did not answer in {timeout_s} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"{self.host} cannot be reached: {error.strerror}") from error


class _GuardedHTTPSConnection(_GuardedConnection, HTTPSConnection):
    pass


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


def _bound(pool: type[HTTPConnectionPool], guard: HostGuard) -> type[HTTPConnectionPool]:
    """Return the pool class whose connections hold this guard; urllib3 makes both by class, not by instance."""
    connection = type("GuardedConnection", (pool.ConnectionCls,), {"guard": guard})
    bound: Mapping[str, Any] = {"ConnectionCls": connection}
    return type("GuardedPool", (pool,), dict(bound))
