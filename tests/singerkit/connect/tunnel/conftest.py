"""A real SSH server on loopback, in a thread of its own: users, keys and forwarding rules are data of the test."""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import pytest

from singerkit.connect.bastion import SSHTunnel
from singerkit.connect.hosts import HostGuard
from singerkit.connect.sockets import guard
from singerkit.connect.tunnel import Tunnel

Forward = Callable[[str, int], tuple[str, int] | None]


@dataclass
class Rules:
    """What a bastion allows: passwords and keys by user, and where a forward ends (None: refused)."""

    passwords: dict[str, str] = field(default_factory=lambda: {"ada": "correct horse"})
    keys: list[asyncssh.SSHKey] = field(default_factory=list)
    forward: Forward = lambda host, port: (host, port)


class _Door(asyncssh.SSHServer):
    def __init__(self, bastion: "Bastion") -> None:
        self.bastion = bastion

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.bastion.logins.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self.bastion.rules.passwords.get(username) == password

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return any(key.public_data == known.public_data for known in self.bastion.rules.keys)

    def connection_requested(self, host: str, port: int, orig_host: str, orig_port: int) -> Any:
        end = self.bastion.rules.forward(host, port)
        self.bastion.asked.append((host, port))
        if end is None:  # in OpenSSH's words
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        return self.conn.forward_connection(*end)


class Bastion:
    """A running server. `drop` ends its connections as a dead network would; `stop` and `start` keep the port."""

    def __init__(self) -> None:
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.rules = Rules()
        self.logins: list[asyncssh.SSHServerConnection] = []
        self.asked: list[tuple[str, int]] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server: asyncssh.SSHAcceptor | None = None

    @property
    def host_line(self) -> str:
        """The public host key, as `ssh-ed25519 AAAA...`."""
        return self.host_key.export_public_key().decode().strip()

    def start(self) -> "Bastion":
        self._server = self._run(
            asyncssh.listen(
                "127.0.0.1", self.port, server_factory=lambda: _Door(self), server_host_keys=[self.host_key]
            )
        )
        self.port = self._server.get_port()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._run(self._closed(self._server))
            self._server = None

    def drop(self) -> None:
        self._run(self._dropped())

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _closed(self, server: asyncssh.SSHAcceptor) -> None:
        server.close()
        await self._dropped()
        await server.wait_closed()

    async def _dropped(self) -> None:
        for login in self.logins:
            login.abort()
        await asyncio.gather(*(login.wait_closed() for login in self.logins))
        self.logins.clear()

    def _run(self, work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(10)


@pytest.fixture
def bastion() -> Iterator[Bastion]:
    """Give a running SSH server that lets `ada` in and forwards anywhere."""
    server = Bastion().start()
    yield server
    server.end()


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


OpenTunnel = Callable[..., Tunnel]


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
                SSHTunnel(**(filled | settings)), host_guard or guard(allow_private_hosts=True), retry_delays_s=()
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
