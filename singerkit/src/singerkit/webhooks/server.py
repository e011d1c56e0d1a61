"""An HTTP server for whoever comes: so many connections at once, and so much time for each request.

Takes a class of handlers; gives threads. Refuses a request whose bytes take too long, whatever trickles in.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

logger = logging.getLogger("singerkit.webhooks")

SLOWEST_S = 10.0  # for all bytes of one request, its headers too
AT_ONCE = 32  # connections; a vendor that opens more waits to be let in


class Server(ThreadingHTTPServer):
    """Lets so many in at once; the others wait in the queue of the system."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[PatientHandler]) -> None:
        self.places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait for a place, which is free again after the time of a request."""
        self.places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and give its place to another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the library's names
        """Say that a connection broke off, in one line and without what came over it."""
        logger.warning("a delivery broke off", exc_info=logger.isEnabledFor(logging.DEBUG))


class PatientHandler(BaseHTTPRequestHandler):
    """Reads requests that come within their time."""

    def setup(self) -> None:
        """Read the connection against a clock."""
        super().setup()
        self.patience = _Patience(self.connection)
        self.rfile = io.BufferedReader(self.patience)

    def handle_one_request(self) -> None:
        """Take one request of a connection; one that takes too long closes it."""
        self.patience.begin()
        super().handle_one_request()


class _Patience(io.RawIOBase):
    """The bytes of a connection, until a request has taken too long: a byte now and then is no progress."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until_s = 0.0

    def begin(self) -> None:
        """Give the next request its time."""
        self.until_s = time.monotonic() + SLOWEST_S

    def readable(self) -> bool:
        """Say so: a buffered reader asks."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Wait for bytes as long as there is time."""
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request is too slow")
        self.connection.settimeout(left_s)
        return self.connection.recv_into(buffer)
