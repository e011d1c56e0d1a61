"""What the tests of tunnels share: a bastion, a service behind it, and a network that can fall silent."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.connect.bastion import SSHTunnel
from singerkit.connect.sockets import guard
from singerkit.connect.tunnel import Tunnel
from singerkit.settings.read import checked
from tests.ssh_bastion import Bastion, bastion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singerkit.connect.hosts import HostGuard

    OpenTunnel = Callable[..., Tunnel]

__all__ = ["bastion"]


@pytest.fixture
def echo() -> Iterator[int]:
    """Give the port of a service that answers with what it was sent, then the end."""

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while received := self.request.recv(1 << 16):
                self.request.sendall(received)

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Wire:
    """A network between a tunnel and its bastion that can fall silent: it takes bytes and hands none on."""

    def __init__(self, target: int) -> None:
        self.cut = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self._target = target

    def serve(self) -> None:
        """Carry one connection until it ends."""
        client, _ = self.listener.accept()
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            back = threading.Thread(target=self._hand_on, args=(server, client))
            back.start()
            self._hand_on(client, server)
            server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while received := source.recv(1 << 16):
                if not self.cut.is_set():
                    sink.sendall(received)
        except OSError:
            return


@pytest.fixture
def wire(bastion: Bastion) -> Iterator[Wire]:
    """Give a network in front of the bastion."""
    made = Wire(bastion.port)
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    thread.join()
    made.listener.close()


@pytest.fixture
def tunnel(bastion: Bastion) -> Iterator[OpenTunnel]:
    """Give a function that makes a tunnel through the bastion; its arguments are settings. All are closed."""
    with ExitStack() as stack:

        def make(host_guard: HostGuard | None = None, **settings: Any) -> Tunnel:
            login = {"password", "private_key", "private_key_file"} & set(settings)
            trust = {"host_key", "known_hosts", "known_hosts_file", "host_fingerprint"} & set(settings)
            filled: dict[str, Any] = {"host": "127.0.0.1", "port": bastion.port, "username": "ada"}
            filled |= {} if login else {"password": "correct horse"}
            filled |= {} if trust else {"host_key": bastion.host_line}
            made = Tunnel(
                checked(SSHTunnel, filled | settings), host_guard or guard(allow_private_hosts=True), retry_delays_s=()
            )
            return stack.enter_context(made)

        yield make


def _said(port: int, words: bytes) -> bytes:
    """Return what comes back from a loopback port until its end."""
    with socket.create_connection(("127.0.0.1", port), 10) as connected:
        connected.sendall(words)
        connected.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connected.recv(1 << 16), b""))


@pytest.fixture
def said() -> Callable[[int, bytes], bytes]:
    """Give a function that sends words to a loopback port, says that this was all, and returns what comes back."""
    return _said
