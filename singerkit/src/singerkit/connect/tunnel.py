"""An SSH tunnel for code that knows nothing of it: a loopback port in, a host behind the bastion out.

Takes a tunnel's settings and the host guard; gives destinations. Closes everything at the end, whatever the end is.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from singerkit.connect.hosts import Destination
from singerkit.connect.sockets import connect
from singerkit.errors import UnavailableError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from singerkit.connect.bastion import SSHTunnel
    from singerkit.connect.forward import Forwarder
    from singerkit.connect.hosts import HostGuard
    from singerkit.connect.ssh import Connection
    from singerkit.errors import SingerkitError

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10
RETRY_DELAYS_S = (1.0, 3.0)  # a bastion that is restarted is back in seconds; longer is for the scheduler
_CLOSE_TIMEOUT_S = 5
_LOOK_EVERY_S = 0.5


class Tunnel:
    """A tunnel through one bastion, opened at once by `open` or by the first `to`; found again after it was lost.

    The bastion's address is judged by the guard; the host behind it is the bastion's affair. `look` is called while it
    is waited for the bastion, and raises when the run is to stop.
    """

    def __init__(
        self,
        settings: SSHTunnel,
        guard: HostGuard,
        *,
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._guard = guard
        self._delays_s = retry_delays_s
        self._look = look
        self._ports: dict[tuple[str, int], int] = {}
        self._lock = threading.RLock()
        self._loop: _LoopThread | None = None
        self._forwarder: Forwarder | None = None

    def open(self) -> Self:
        """Log in at the bastion now, so that its errors come first."""
        loop, forwarder = self._start()
        loop.run(forwarder.connect(), look=self._look)
        return self

    def to(self, host: str, port: int) -> Destination:
        """Return the loopback port that leads to a host behind the bastion; its name stays the one that TLS checks."""
        self.open()
        with self._lock:
            loop, forwarder = self._start()
            if (host, port) not in self._ports:
                self._ports[host, port] = loop.run(forwarder.listen(host, port))
            return Destination(host, self._ports[host, port], ("127.0.0.1",))

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Raise why the bastion does not carry a connection, in place of a driver's guess that the server closed it."""
        try:
            yield
        except Exception as error:
            if self._forwarder is not None and (failure := self._forwarder.failure):
                raise failure from error
            raise

    def close(self) -> None:
        """Close ports, connections and the bastion; what was never opened, or is closed, stays so."""
        with self._lock:
            loop, forwarder = self._loop, self._forwarder
            self._loop = self._forwarder = None
            self._ports.clear()
        if loop is not None and forwarder is not None:
            atexit.unregister(self.close)
            with suppress(TimeoutError):  # a bastion that does not say goodbye is left behind
                loop.run(asyncio.wait_for(forwarder.close(), _CLOSE_TIMEOUT_S))
            loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self) -> tuple[_LoopThread, Forwarder]:
        from singerkit.connect.forward import Forwarder

        with self._lock:
            if self._loop is None or self._forwarder is None:
                self._loop = _LoopThread()
                self._forwarder = Forwarder(self._log_in, self._delays_s)  # binds to the loop at its first use
                atexit.register(self.close)
            return self._loop, self._forwarder

    async def _log_in(self) -> Connection:
        from singerkit.connect import ssh

        return await ssh.log_in(self._settings, self._socket, self._lost)

    def _lost(self, failure: SingerkitError) -> None:
        if self._forwarder is not None:
            self._forwarder.failure = failure

    def _socket(self) -> socket.socket:
        """Return a socket to an address of the bastion that the guard has judged just now."""
        host, port = self._settings.host, self._settings.port
        try:
            return connect(self._guard.destination(host, port), CONNECT_TIMEOUT_S)
        except OSError as error:
            reason = error.strerror or f"no answer in {CONNECT_TIMEOUT_S} s"
            raise UnavailableError(
                "the bastion cannot be reached", host=host, port=port, reason=reason, remedy="check ssh_tunnel.host"
            ) from error


class _LoopThread:
    """An event loop in a thread of its own, since drivers block the thread that they are called in."""

    def __init__(self) -> None:
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="ssh-tunnel", daemon=True)
        self._thread.start()
        started.wait()

    def run(self, work: Coroutine[Any, Any, T], look: Callable[[], None] = lambda: None) -> T:
        """Return what a coroutine gives in the loop; wait for it here, unless `look` raises that it is time to stop."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while not wait([future], _LOOK_EVERY_S).done:
                look()
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _serve(self, started: threading.Event) -> None:
        async def until_stopped() -> None:
            self._loop = asyncio.get_running_loop()
            self._stopping = asyncio.Event()
            started.set()
            await self._stopping.wait()

        asyncio.run(until_stopped())
