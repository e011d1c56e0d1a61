"""A real SSH server on loopback, in a thread of its own: users, keys and forwarding rules are data of the test.

Import the fixture where it is used: `from tests.ssh_bastion import bastion`.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    Forward = Callable[[str, int], tuple[str, int] | None]


@dataclass
class Rules:
    """What a bastion allows: passwords and keys by user, and where a forward ends (None: refused)."""

    passwords: dict[str, str] = field(default_factory=lambda: {"ada": "correct horse"})
    keys: list[asyncssh.SSHKey] = field(default_factory=list)
    forward: Forward = lambda host, port: (host, port)


class _Door(asyncssh.SSHServer):
    def __init__(self, bastion: Bastion) -> None:
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
        self.certificate: asyncssh.SSHCertificate | None = None
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

    def start(self) -> Bastion:
        shown: Any = (self.host_key, self.certificate) if self.certificate else self.host_key
        self._server = self._run(
            asyncssh.listen("127.0.0.1", self.port, server_factory=lambda: _Door(self), server_host_keys=[shown])
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
