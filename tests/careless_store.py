"""A store that speaks enough of S3 for Delta tables, and honours no condition: it overwrites what it is told to."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

MODIFIED = "2024-01-01T00:00:00.000Z"
BEGUN = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_PUT(self) -> None:
        part = parse_qs(urlsplit(self.path).query).get("partNumber")
        content = self.rfile.read(int(self.headers["content-length"]))
        if part:
            self.server.parts.setdefault(self._name, {})[int(part[0])] = content
        else:
            self.server.files[self._name] = content
        self._answer(HTTPStatus.OK, b"", ETag='"x"')

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.endswith("?delete"):
            names = re.findall(r"<Key>(.*?)</Key>", content.decode())
            for name in names:
                self.server.files.pop(unescape(name), None)
            deleted = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            self._answer(HTTPStatus.OK, f"<DeleteResult>{deleted}</DeleteResult>".encode())
        elif self.path.partition("?")[2].startswith("uploads"):
            self._answer(HTTPStatus.OK, BEGUN)
        else:
            parts = self.server.parts.pop(self._name)
            self.server.files[self._name] = b"".join(parts[number] for number in sorted(parts))
            self._answer(HTTPStatus.OK, COMPLETED)

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            words = (asked.get(word, [""])[0] for word in ("prefix", "delimiter", "start-after"))
            self._answer(HTTPStatus.OK, self._listed(*words))
        elif self._name in self.server.files:
            self._file(self.server.files[self._name])
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.server.files.pop(self._name, None)
        self._answer(HTTPStatus.NO_CONTENT, b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @property
    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).split("/", 2)[2]

    def _file(self, content: bytes) -> None:
        first, _, last = self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(content)), len(content) - 1)
        told = {"ETag": '"x"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        if "range" in self.headers:
            told["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        status = HTTPStatus.PARTIAL_CONTENT if "range" in self.headers else HTTPStatus.OK
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

    def _answer(self, status: HTTPStatus, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}


def main() -> None:
    """Say the port, and serve until the process ends."""
    with _Server() as server:
        print(server.server_port, flush=True)  # noqa: T201  # the answer
        server.serve_forever()


@contextmanager
def careless_store() -> Iterator[dict[str, str]]:
    """Run the store and give the storage options that reach it, by any bucket's name.

    In a process of its own: delta-rs keeps the interpreter's lock while it waits for an upload to begin.
    """
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield {
                "aws_endpoint_url": f"http://127.0.0.1:{int(server.stdout.readline())}", "aws_access_key_id": "key",
                "aws_secret_access_key": "secret", "aws_region": "us-east-1", "allow_http": "true",
            }  # fmt: skip
        finally:
            server.kill()


if __name__ == "__main__":
    main()
