"""Object stores on loopback, each in a process of its own: those that others made, and our small one."""

from __future__ import annotations

import base64
import hmac
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.request
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tests.small_store import small_store
from tools.setup import ENVIRONMENTS, ROOT

EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""No secret: every emulator of Azure's has it, and its documentation says it."""

MOTO = """
import sys
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
app = DomainDispatcherApplication(create_backend_app)
run_simple("127.0.0.1", int(sys.argv[1]), app, request_handler=MotoRequestHandler)
"""
"""In one thread: moto looks whether a file is there and then writes it, so that in several two writers may both win."""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    Reached = tuple[str, dict[str, str]]
    """The address of a bucket and the storage options that reach it."""


@contextmanager
def s3(bucket: str) -> Iterator[dict[str, str]]:
    """Run moto and give the storage options that reach a bucket of this name."""
    python = str(ENVIRONMENTS["strangers"].python)
    with _served([python, "-c", MOTO, port := _free_port()], "Running on"):
        yield _bucket(port, bucket)


@contextmanager
def moto() -> Iterator[Reached]:
    """Run moto, which knows S3 as far as its many users need it."""
    with s3("lake") as options:
        yield "s3://lake", options


@contextmanager
def localbucket() -> Iterator[Reached]:
    """Run localbucket, an S3 server that shares no code with moto."""
    python = str(ENVIRONMENTS["strangers"].python)
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "localbucket", folder, "--port", port := _free_port()]
        with _served(command, "127.0.0.1"):
            yield "s3://lake", _bucket(port, "lake")


@contextmanager
def azurite() -> Iterator[Reached]:
    """Run Azurite, Microsoft's own emulator of Azure's blobs."""
    program = shutil.which("azurite-blob", path=f"{ROOT}/node_modules/.bin:{os.environ['PATH']}")
    if program is None:
        pytest.skip("there is no azurite-blob: npm install azurite")  # npm alone has it, not PyPI
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        port = _free_port()
        command = [program, "-l", folder, "--blobPort", port, "--skipApiVersionCheck", "--disableTelemetry"]
        with _served(command, "successfully"):
            url = f"http://127.0.0.1:{port}"
            _make_container(url, "lake")
            patch.setenv("AZURITE_BLOB_STORAGE_URL", url)  # where delta-rs looks for an emulator
            yield "az://lake", {"azure_storage_use_emulator": "true", "allow_http": "true"}


@contextmanager
def small_s3() -> Iterator[Reached]:
    """Run our own small store and speak S3 with it."""
    with small_store() as store:
        yield "s3://lake", store.s3


@contextmanager
def small_gcs() -> Iterator[Reached]:
    """Run our own small store and speak GCS with it: it proves our wiring, not Google's store."""
    with small_store() as store:
        yield "gs://lake", store.gcs


STORES: dict[str, Callable[[], AbstractContextManager[Reached]]] = {
    "moto": moto,
    "localbucket": localbucket,
    "azurite": azurite,
    "small-s3": small_s3,
    "small-gcs": small_gcs,
}


@contextmanager
def _served(command: Sequence[str], word: str) -> Iterator[None]:
    """Run a server until the end of the block; it is there once it has said a word."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout
        log = threading.Thread(target=server.stdout.read)  # a full pipe would stop it
        try:
            while word not in server.stdout.readline():
                assert server.poll() is None
            log.start()
            yield
        finally:
            server.kill()
            if log.ident:
                log.join()


def _bucket(port: str, name: str) -> dict[str, str]:
    """Make a bucket, and return the storage options that reach it."""
    url = f"http://127.0.0.1:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT")).close()  # loopback
    return {
        "aws_endpoint_url": url, "aws_access_key_id": "key", "aws_secret_access_key": "secret",
        "aws_region": "us-east-1", "allow_http": "true",
    }  # fmt: skip


def _make_container(url: str, name: str) -> None:
    """Make a container, as the account that every emulator of Azure's has."""
    account, date = "devstoreaccount1", formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    signed = f"PUT{chr(10) * 12}{headers}/{account}/{account}/{name}\nrestype:container"
    digest = hmac.digest(base64.b64decode(EMULATOR_KEY), signed.encode(), "sha256")
    known = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    known["Authorization"] = f"SharedKey {account}:{base64.b64encode(digest).decode()}"
    request = urllib.request.Request(f"{url}/{account}/{name}?restype=container", method="PUT", headers=known)
    urllib.request.urlopen(request).close()  # loopback


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
