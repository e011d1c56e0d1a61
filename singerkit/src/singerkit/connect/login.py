"""Where the browser comes back to: a page on loopback that waits for one answer, or an address that a person pastes.

Takes a redirect address; gives the address of the answer. Refuses to listen anywhere but on loopback.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from singerkit.errors import CredentialsError, SettingsError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

LOOPBACK = "127.0.0.1"
_OURS = frozenset({LOOPBACK, "localhost"})
_DEFAULT_PATH = "/callback"
_SLOWEST_S = 5  # seconds; a browser also opens connections that it never uses, so each has a thread
_POLL_S = 0.05
_PAGE = b"<!doctype html><meta charset=utf-8><title>Done</title><p>Done: you can close this page and go back."


@dataclass(frozen=True)
class Place:
    """Where to listen: a port (0: any) and the path of the answer."""

    uri: str
    port: int
    path: str


def place_of(redirect_uri: str | None) -> Place:
    """Return where to listen for a redirect address; without one, a free port is taken."""
    if not redirect_uri:
        return Place(f"http://{LOOPBACK}{_DEFAULT_PATH}", 0, _DEFAULT_PATH)
    try:
        parts = urlsplit(redirect_uri)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError("redirect_uri is malformed", remedy="write it as http://127.0.0.1:8765/callback") from error
    if parts.scheme != "http" or host not in _OURS:
        raise SettingsError(
            "redirect_uri does not lead to this machine",
            host=host,
            remedy="use --paste, or http://127.0.0.1:PORT/callback",
        )
    return Place(redirect_uri, port or 80, parts.path or "/")


class Listener:
    """A page on loopback from the moment it is made; `redirect_uri` is what the service must be told, to the letter."""

    def __init__(self, place: Place) -> None:
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        handler = type("Handler", (_Handler,), {"path_of_answer": place.path, "answers": self._answers})
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, place.port), handler)
        except OSError as error:
            raise SettingsError(
                f"the port of redirect_uri cannot be listened to: {error.strerror}",
                port=place.port,
                remedy="end what listens there, or set another redirect_uri and register it",
            ) from error
        self.redirect_uri = place.uri if place.port else f"http://{LOOPBACK}:{self._server.server_port}{place.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> str:
        """Return the address that the browser was sent to; other requests are answered and forgotten."""
        try:
            return self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise CredentialsError(f"nobody logged in within {timeout_s:g} s", remedy="log in again") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    path_of_answer: str
    answers: queue.SimpleQueue[str]
    timeout = _SLOWEST_S

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != self.path_of_answer or not {"code", "error", "state"} & set(parse_qs(parts.query)):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.send_header("Referrer-Policy", "no-referrer")  # the address holds the code
        self.end_headers()
        self.wfile.write(_PAGE)
        self.answers.put(self.path)

    def log_message(self, *_: object) -> None:
        """Log nothing: the request line holds the code."""
