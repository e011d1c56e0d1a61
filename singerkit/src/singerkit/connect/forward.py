"""Loopback ports that lead through a bastion: an accepted connection becomes a channel; a lost bastion is found again.

Takes a way to log in; gives port numbers on 127.0.0.1. Refuses to listen anywhere else. Runs inside one event loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from singerkit.connect import ssh
from singerkit.connect.halves import Half
from singerkit.errors import SingerkitError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    LogIn = Callable[[], Awaitable[ssh.Connection]]

LOOPBACK = "127.0.0.1"


class Forwarder:
    """The listening side of a tunnel: one connection to the bastion, many channels inside it."""

    def __init__(self, log_in: LogIn, retry_delays_s: Sequence[float]) -> None:
        self._log_in = log_in
        self._delays_s = (0.0, *retry_delays_s)
        self._connection: ssh.Connection | None = None
        self._connecting = asyncio.Lock()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._halves: set[Half] = set()
        self.failure: SingerkitError | None = None
        """Why the newest local connection was not carried, or broke with the bastion's own, or None."""

    async def connect(self) -> ssh.Connection:
        """Return the living connection to the bastion; log in, again where it was lost, at most once at a time."""
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._log_in_patiently()
            return self._connection

    async def listen(self, host: str, port: int) -> int:
        """Return the loopback port whose connections end at host and port behind the bastion."""
        server = await asyncio.get_running_loop().create_server(
            lambda: Half(on_made=lambda half: self._accept(half, host, port), on_lost=self._halves.discard), LOOPBACK, 0
        )
        self._servers.append(server)
        local: int = server.sockets[0].getsockname()[1]
        return local

    async def close(self) -> None:
        """Close the ports, the connections in them and the connection to the bastion."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        for half in [*self._halves]:
            half.abort()
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()

    def _accept(self, half: Half, host: str, port: int) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(half, host, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._halves.add(half)

    async def _carry(self, half: Half, host: str, port: int) -> None:
        try:
            await self._join(half, host, port)
            self.failure = None
        except SingerkitError as error:
            self.failure = error
            half.abort()

    async def _join(self, half: Half, host: str, port: int) -> None:
        """Bind a local connection to a channel; where the bastion is lost on the way, once more on a new connection."""
        connection = await self.connect()
        try:
            await ssh.open_channel(connection, half.peer, host, port)
        except UnavailableError:
            if not connection.is_closed():
                raise
            await ssh.open_channel(await self.connect(), half.peer, host, port)

    async def _log_in_patiently(self) -> ssh.Connection:
        for delay_s in self._delays_s[:-1]:
            await asyncio.sleep(delay_s)
            try:
                return await self._log_in()
            except UnavailableError:
                continue
        await asyncio.sleep(self._delays_s[-1])
        return await self._log_in()
