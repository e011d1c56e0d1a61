"""A small store that speaks enough of S3, and of GCS, for Delta tables; it can be careless, and fail as a test says.

Careless, it honours no condition and overwrites what it is told to. It is a process of its own: delta-rs keeps the
interpreter's lock while it waits for some answers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

MODIFIED = "2024-01-01T00:00:00.000Z"
BEGUN = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
CONTROL = "/-/"
_KEY = re.compile(r"Credential=([^/]+)/")


@dataclass(frozen=True)
class SmallStore:
    """A store that runs, by the storage options that reach it under any bucket's name."""

    url: str

    @property
    def s3(self) -> dict[str, str]:
        """The options for addresses that begin with s3."""
        return {
            "aws_endpoint_url": self.url, "aws_access_key_id": "key", "aws_secret_access_key": "secret",
            "aws_region": "us-east-1", "allow_http": "true",
        }  # fmt: skip

    @property
    def gcs(self) -> dict[str, str]:
        """The options for addresses that begin with gs: an account that asks for no login."""
        account = {"gcs_base_url": self.url, "disable_oauth": True, "client_email": "", "private_key": ""}
        return {"google_service_account_key": json.dumps(account | {"private_key_id": ""}), "allow_http": "true"}

    def fail(self, *rules: dict[str, Any]) -> None:
        """Fail from now on as the rules say, and in no other way.

        A rule is {when: a pattern of "METHOD /path?query", skip: how many at first, times: how often} and what it does:
        status and code of the answer, cut (the connection), lost (the answer to what was done), sleep_s (before it goes
        on). It lets the key of `but_for` pass, and at its first time writes `renews: [path, text]`.
        """
        self._ask("rules", json.dumps(rules).encode())

    def requests(self) -> list[str]:
        """Return what was asked for since the last call, as "METHOD /path?query"."""
        asked: list[str] = json.loads(self._ask("requests", b""))
        return asked

    def _ask(self, what: str, content: bytes) -> bytes:
        request = urllib.request.Request(f"{self.url}{CONTROL}{what}", data=content, method="PATCH")
        with urllib.request.urlopen(request) as answer:  # loopback
            return bytes(answer.read())


@contextmanager
def small_store(*, careless: bool = False) -> Iterator[SmallStore]:
    """Run a store until the end of the block."""
    command = [sys.executable, __file__, *(["careless"] if careless else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield SmallStore(f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet: the second of two would wait for the first one's receipt
    server: _Server
    _lost = False

    def do_PATCH(self) -> None:
        content, self._lost = self._content(), False
        if self.path == f"{CONTROL}rules":
            self.server.rules = json.loads(content)
            self._answer(HTTPStatus.OK, b"")
        else:
            asked, self.server.asked = self.server.asked, []
            self._answer(HTTPStatus.OK, json.dumps(asked).encode())

    def do_PUT(self) -> None:
        content = self._content()
        if self._fails():
            return
        part = parse_qs(urlsplit(self.path).query).get("partNumber")
        create = self.headers.get("if-none-match") == "*" or self.headers.get("x-goog-if-generation-match") == "0"
        with self.server.lock:
            if create and self._name in self.server.files and not self.server.careless:
                self._error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
                return
            if part:
                self.server.parts.setdefault(self._name, {})[int(part[0])] = content
            else:
                self.server.files[self._name] = content
        self._answer(HTTPStatus.OK, b"")

    def do_POST(self) -> None:
        content = self._content()
        if self._fails():
            return
        query = urlsplit(self.path).query
        if query == "delete":
            names = re.findall(r"<Key>(.*?)</Key>", content.decode())
            for name in names:
                self.server.files.pop(unescape(name), None)
            deleted = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            self._answer(HTTPStatus.OK, f"<DeleteResult>{deleted}</DeleteResult>".encode())
        elif query.startswith("uploads"):
            self._answer(HTTPStatus.OK, BEGUN)
        else:
            parts = self.server.parts.pop(self._name)
            self.server.files[self._name] = b"".join(parts[number] for number in sorted(parts))
            self._answer(HTTPStatus.OK, COMPLETED)

    def do_GET(self) -> None:
        if self._fails():
            return
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            words = (asked.get(word, [""])[0] for word in ("prefix", "delimiter", "start-after"))
            self._answer(HTTPStatus.OK, self._listed(*words))
        elif self._name in self.server.files:
            self._file(self.server.files[self._name])
        else:
            self._error(HTTPStatus.NOT_FOUND, "NoSuchKey")

    do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

    def do_DELETE(self) -> None:
        if self._fails():
            return
        if "uploadId" in self.path:
            self.server.parts.pop(self._name, None)
        else:
            self.server.files.pop(self._name, None)
        self._answer(HTTPStatus.NO_CONTENT, b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @property
    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).split("/", 2)[2]

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _fails(self) -> bool:
        """Note the request, and fail where a rule says so."""
        line = f"{self.command} {unquote(self.path)}"
        self.server.asked.append(line)
        key = _KEY.search(self.headers.get("authorization", ""))
        with self.server.lock:
            rule = next((rule for rule in self.server.rules if _bites(rule, line, key and key[1])), {})
            if renews := rule.pop("renews", None):
                Path(renews[0]).write_text(renews[1])
        time.sleep(rule.get("sleep_s", 0))
        self._lost = bool(rule.get("lost"))
        if rule.get("cut"):
            self.close_connection = True
        elif "status" in rule:
            self._error(HTTPStatus(rule["status"]), rule["code"])
        return bool(rule.get("cut") or "status" in rule)

    def _file(self, content: bytes) -> None:
        first, _, last = self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(content)), len(content) - 1)
        told = {"Content-Range": f"bytes {start}-{end}/{len(content)}"} if "range" in self.headers else {}
        status = HTTPStatus.PARTIAL_CONTENT if told else HTTPStatus.OK
        self._answer(status, content[start : end + 1], **told)

    def _listed(self, prefix: str, delimiter: str, after: str) -> bytes:
        names = [name for name in sorted(self.server.files) if name.startswith(prefix) and name > after]
        below = {name: name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "") for name in names}
        folders = sorted({f"{prefix}{first}{slash}" for first, slash, _ in below.values() if slash})
        rows = [
            f"<Contents><Key>{escape(name)}</Key><LastModified>{MODIFIED}</LastModified><ETag>x</ETag>"
            f"<Size>{len(self.server.files[name])}</Size></Contents>"
            for name, (_, slash, _) in below.items()
            if not slash
        ]
        rows += [f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders]
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>".encode()

    def _error(self, status: HTTPStatus, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}.</Message></Error>".encode())

    def _answer(self, status: HTTPStatus, content: bytes, **headers: str) -> None:
        if self._lost:
            self.close_connection = True
            return
        self.send_response(status)
        known = {"ETag": '"x"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "x-goog-generation": "1"}
        for name, value in {**known, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _bites(rule: dict[str, Any], line: str, key: str | None) -> bool:
    """Return whether a rule is meant by a request, and count that."""
    if rule.get("times") == 0 or not re.search(rule["when"], line) or (key and rule.get("but_for") == key):
        return False
    if rule.get("skip"):
        rule["skip"] -= 1
        return False
    if "times" in rule:
        rule["times"] -= 1
    return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *, careless: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.careless = careless
        self.lock = Lock()
        self.files: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.rules: list[dict[str, Any]] = []
        self.asked: list[str] = []


if __name__ == "__main__":
    with _Server(careless="careless" in sys.argv) as running:
        print(running.server_port, flush=True)  # noqa: T201  # the answer
        running.serve_forever()
