"""The two halves of a forwarded connection: a local socket and a channel, each handing on to the other.

Takes what asyncio and asyncssh call on a protocol; gives bytes, ends, breaks and back-pressure to the other half.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Half(asyncio.Protocol):
    """One half: its peer sends what it receives, and when it cannot send, its peer stops receiving.

    The half that is made first is the local one: it reads nothing until its peer, the channel, is open.
    """

    def __init__(
        self,
        peer: Half | None = None,
        on_made: Callable[[Half], None] | None = None,
        on_lost: Callable[[Half], None] | None = None,
    ) -> None:
        self.peer: Half = peer or Half(peer=self)
        self.transport: Any = None
        self.ended = False
        self._on_made = on_made
        self._on_lost = on_lost

    def connection_made(self, transport: Any) -> None:
        """Tell whoever waits for accepted connections."""
        self.transport = transport
        if self._on_made:
            transport.pause_reading()
            self._on_made(self)

    def session_started(self) -> None:
        """Start the local half: the channel is open."""
        self.resume_writing()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:  # noqa: ARG002  # a channel's signature
        """Hand the bytes on."""
        if transport := self.peer.transport:
            transport.write(data)

    def eof_received(self) -> bool:
        """Hand the end on, and stay open for the other direction until that has ended too."""
        self.ended = True
        if transport := self.peer.transport:
            transport.write_eof()
        return not self.peer.ended

    def pause_writing(self) -> None:
        """Hold the sender back: its socket or its channel's window fills up."""
        if transport := self.peer.transport:
            transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the sender go on."""
        if transport := self.peer.transport:
            transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """End the other half in the same way: a break must not look like an orderly end."""
        self.transport = None
        if self._on_lost:
            self._on_lost(self)
        if error is None and self.peer.transport:
            self.peer.transport.close()
        else:
            self.peer.abort()

    def abort(self) -> None:
        """End at once, without sending what is left."""
        if self.transport:
            self.transport.abort()
