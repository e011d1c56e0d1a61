"""The receiver: an HTTP server that takes deliveries, proves them, and answers good only when they are on the disk.

Takes a spool, what the tap says of its vendor, and the secret. Refuses what is unsigned, too large, or came before.
TLS is a matter for the proxy in front of it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from singerkit.errors import SettingsError
from singerkit.webhooks.server import PatientHandler, Server

if TYPE_CHECKING:
    from typing import Self

    from singerkit.webhooks.events import Hooks
    from singerkit.webhooks.spool import Spool

logger = logging.getLogger("singerkit.webhooks")

MOST_BYTES = 25 << 20  # GitHub sends no more, and others less
_MOST_DIGITS = 12  # of a length: more is too large, whatever it says
_REMEMBERED = timedelta(days=3)  # a delivery that comes again within this time is known
_MOST_REMEMBERED = 100_000


class Seen:
    """The deliveries of the last days, by the hash of their bytes: what comes twice is kept once."""

    def __init__(self, window: timedelta = _REMEMBERED) -> None:
        self.window = window
        self.at: OrderedDict[bytes, datetime] = OrderedDict()
        self.lock = threading.Lock()

    def is_new(self, body: bytes, now: datetime) -> bool:
        """Return whether these bytes have not come within the window, and remember them."""
        mark = hashlib.sha256(body).digest()
        with self.lock:
            while self.at and (now - next(iter(self.at.values())) > self.window or len(self.at) > _MOST_REMEMBERED):
                self.at.popitem(last=False)
            known = mark in self.at
            self.at.setdefault(mark, now)
            return not known

    def forget(self, body: bytes) -> None:
        """Let the same bytes come again: they could not be kept."""
        with self.lock:
            self.at.pop(hashlib.sha256(body).digest(), None)


class Receiver:
    """A server in threads of this process, for as long as a `with` lasts."""

    def __init__(self, spool: Spool, hooks: Hooks, secret: str, *, host: str = "127.0.0.1", port: int = 0) -> None:
        if not secret:
            raise SettingsError("deliveries cannot be proved without a secret", remedy="set webhook_secret")
        self.spool, self.hooks, self.secret = spool.open(), hooks, secret
        self.seen = Seen()
        self.keeping = threading.Lock()
        try:
            self.server = Server((host, port), type("Handler", (_Handler,), {"receiver": self}))
        except OSError as error:
            raise SettingsError(
                f"the receiver cannot listen: {error.strerror}", host=host, port=port, remedy="choose another port"
            ) from error
        self.url = f"http://{host}:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def took(self, headers: dict[str, str], body: bytes, now: datetime) -> tuple[int, str]:
        """Return the status for a delivery, and a word for the log.

        1. prove it  2. pass over what nobody reads, and what has come before  3. keep it  4. only then say so
        """
        if flaw := self.hooks.signature.flaw(self.secret, headers, body, now):  # 1
            return 401, flaw
        event = headers.get(self.hooks.event_header.lower(), "")
        if event not in self.hooks.names:  # 2
            return 200, "nobody reads this event"
        try:
            content = msgspec.json.decode(body)
        except (ValueError, RecursionError):  # GitHub can send forms too: a hook of one's own making may say so
            return 400, "this is not JSON: the hook's content type is to be application/json"
        with self.keeping:  # a delivery that comes twice at once is not called known before it is kept
            return self._kept(event, content, body, now)

    def _kept(self, event: str, content: Any, body: bytes, now: datetime) -> tuple[int, str]:
        if not self.seen.is_new(body, now):
            return 200, "it came before"
        try:
            self.spool.put(event, now.isoformat(), content)  # 3
        except OSError as error:
            self.seen.forget(body)
            return 503, f"it could not be kept: {error.strerror}"
        return 202, "kept"  # 4


class _Handler(PatientHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"
    server_version = "singerkit"
    sys_version = ""

    def do_POST(self) -> None:  # noqa: N802  # the library's name
        """Take one delivery."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._answer(411, "its length is not said")
        elif len(length) > _MOST_DIGITS or int(length) > MOST_BYTES:
            self._answer(413, "it is too large")
        else:
            self._take(int(length))

    def _take(self, length: int) -> None:
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if len(body) < length:
            self._answer(400, "it was cut")
            return
        status, word = self.receiver.took(headers, body, datetime.now(UTC))
        self._answer(status, word, headers.get(self.receiver.hooks.event_header.lower(), ""))

    def _answer(self, status: int, word: str, event: str = "") -> None:
        log = logger.info if status < 300 else logger.warning
        log("delivery event=%s status=%d why=%r", event[:50], status, word)
        self.close_connection = self.close_connection or status >= 400
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Say nothing: addresses may hold what is secret."""
