"""A server that speaks S3, on loopback and in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tools.setup import ENVIRONMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def s3(bucket: str) -> Iterator[dict[str, str]]:
    """Run the server and give the storage options that reach a bucket of this name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(ENVIRONMENTS["strangers"].python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        while "Running on" not in server.stderr.readline():
            assert server.poll() is None
        log = threading.Thread(target=server.stderr.read)  # a full pipe would stop it
        log.start()
        urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT")).close()  # loopback
        yield {
            "aws_endpoint_url": url, "aws_access_key_id": "key", "aws_secret_access_key": "secret",
            "aws_region": "us-east-1", "allow_http": "true",
        }  # fmt: skip
        server.kill()
        log.join()
