"""A loopback API over real sockets: pages in every style, and troubles by script.

Takes collections and troubles; gives an address. Refuses nothing that a real server would accept.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer: what is not bytes is sent as JSON."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What goes wrong with one request instead of its answer, or on top of it."""

    status: int | None = None
    """Answer with this status instead."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    delay_s: float = 0
    """Wait first."""
    reset: bool = False
    """Close the connection with a reset."""
    cut: bool = False
    """Send half of the body that was announced, then close."""
    path: str = ""
    """Only for paths that begin so."""
    exactly: str = ""
    """Only for this path."""


Handler = "Callable[[Asked], Reply]"


class FakeApi:
    """A server in threads of this process, for as long as a `with` lasts; it remembers every request."""

    def __init__(self, *, latency_s: float = 0, port: int = 0) -> None:
        self.latency_s = latency_s
        self.routes: dict[str, Callable[[Asked], Reply]] = {}
        self.troubles: deque[Trouble] = deque()
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def route(self, path: str, answer: Callable[[Asked], Reply] | Reply | Any) -> None:
        """Answer a path by a function, a Reply, or a body; the longest path that fits is asked."""
        if callable(answer):
            self.routes[path] = answer
        else:
            reply = answer if isinstance(answer, Reply) else Reply(answer)
            self.routes[path] = lambda asked: reply  # noqa: ARG005  # the same for all

    def trouble(self, *troubles: Trouble) -> None:
        """Let the next requests meet these troubles, one each."""
        self.troubles.extend(troubles)

    def answer(self, asked: Asked) -> tuple[Reply, Trouble | None]:
        """Return what to send, and what goes wrong with it."""
        with self.lock:
            self.asked.append(asked)
            trouble = next(
                (t for t in self.troubles if asked.path.startswith(t.path) and t.exactly in {"", asked.path}), None
            )
            if trouble is not None:
                self.troubles.remove(trouble)
        if trouble is not None and trouble.status is not None:
            return Reply(trouble.body, trouble.status, trouble.headers), trouble
        fits = [path for path in self.routes if asked.path == path or asked.path.startswith(path.rstrip("*") + "/")]
        fits += [path for path in self.routes if path.endswith("*") and asked.path.startswith(path[:-1])]
        if not fits:
            return Reply({"message": f"no such path {asked.path}"}, 404), trouble
        return self.routes[max(fits, key=len)](asked), trouble


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away in the middle is part of many tests."""


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write an answer
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), _parsed(raw, headers), headers)
            reply, trouble = api.answer(asked)
            time.sleep(api.latency_s + (trouble.delay_s if trouble else 0))
            if trouble and trouble.reset:
                self._reset()
            else:
                self._send(reply, cut=bool(trouble and trouble.cut))

        def _send(self, reply: Reply, *, cut: bool) -> None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body, default=str).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **reply.headers}
            head = f"HTTP/1.1 {reply.status} {_phrase(reply.status)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self.wfile.write(head.encode() + b"\r\n" + (body[: len(body) // 2] if cut else body))
            self.wfile.flush()
            self.close_connection = self.close_connection or cut

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

    return Handler


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Whatever"


def _parsed(raw: bytes, headers: Mapping[str, str]) -> Any:
    if not raw:
        return None
    if headers.get("content-type", "").startswith("application/x-www-form"):
        return dict(parse_qsl(raw.decode()))
    return json.loads(raw)
