"""A relay in front of a server that stops in the middle of a replication stream: cuts it, or is silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START = b"START_REPLICATION"


@dataclass
class Relay:
    """Where it listens; `limits` are the bytes that each stream in turn may bring before it stops, then there is none.

    A stream that `swallows` goes on in silence in place of being cut.
    """

    port: int = 0
    limits: list[int] = field(default_factory=list)
    swallows: bool = False
    cuts: int = 0
    then: int = 0
    """The port of the server that answers after the first cut, where it is another one."""

    def serve(self, client: socket.socket, port: int) -> None:
        """Relay one connection."""
        port = self.then if self.cuts and self.then else port
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
            started = threading.Event()
            threading.Thread(target=self._answer, args=(server, client, started), daemon=True).start()
            while data := client.recv(65_536):
                if START in data:
                    started.set()
                server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket, started: threading.Event) -> None:
        left: int | None = None
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if left is None and started.is_set() and self.limits:
                    left = self.limits.pop(0)
                if left is not None:
                    data, left = data[:left], left - len(data)
                client.sendall(data)
                if left is not None and left <= 0:
                    self.cuts += 1
                    if not self.swallows:
                        break
                    left = 0
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay(port: int, limits: list[int], *, swallows: bool = False) -> Iterator[Relay]:
    """Yield a relay to the server on `port` of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Relay(listener.getsockname()[1], limits, swallows)
        acceptor = threading.Thread(target=_accept, args=(listener, made, port), daemon=True)
        acceptor.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)


def _accept(listener: socket.socket, made: Relay, port: int) -> None:
    with contextlib.suppress(OSError):  # the listener was shut down
        while True:
            client, _ = listener.accept()
            threading.Thread(target=made.serve, args=(client, port), daemon=True).start()
