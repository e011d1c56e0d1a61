"""The tunnel against OpenSSH's own server, where this machine has one."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from singerkit.connect.bastion import SSHTunnel
from singerkit.connect.sockets import guard
from singerkit.connect.tunnel import Tunnel
from singerkit.errors import CredentialsError, UnavailableError

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(SSHD is None, reason="OpenSSH's server is not installed")]

Said = Callable[[int, bytes], bytes]


@contextmanager
def sshd(*extra: str) -> Iterator[SSHTunnel]:
    """Run OpenSSH's server with a key pair for this user; give the settings of a tunnel through it."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as reserved:
        folder = Path(name)
        for file in ("host", "user"):
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / file)
            (folder / file).chmod(0o600)
        public = asyncssh.read_private_key(folder / "user").export_public_key()
        (folder / "authorized").write_bytes(public)
        port = reserved.getsockname()[1]
        rules = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", "StrictModes no", "UsePAM no"]
        rules += [f"AuthorizedKeysFile {folder}/authorized", "PidFile none", *extra]
        (folder / "config").write_text("\n".join(rules) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where its unprivileged half lives
        reserved.close()
        running = subprocess.Popen([str(SSHD), "-D", "-e", "-f", folder / "config"], stderr=subprocess.PIPE, text=True)
        try:
            assert running.stderr is not None
            while "Server listening" not in (line := running.stderr.readline()):
                assert line, "sshd did not start"
            key = asyncssh.read_private_key(folder / "host").export_public_key().decode()
            private_key = (folder / "user").read_text()
            user = getpass.getuser()
            yield SSHTunnel(host="127.0.0.1", username=user, port=port, private_key=private_key, host_key=key)
        finally:
            running.terminate()
            running.communicate(timeout=10)


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_openssh_carries(echo: int, said: Said) -> None:
    """Key login and a forward, as most bastions in the world will be."""
    with sshd() as settings, Tunnel(settings, guard(allow_private_hosts=True)) as tunnel:
        assert said(tunnel.to("127.0.0.1", echo).port, b"hello") == b"hello"


@pytest.mark.parametrize("rule", ["AllowTcpForwarding no", "PermitOpen none", "DisableForwarding yes"])
def test_openssh_refuses_to_forward(rule: str, echo: int, said: Said) -> None:
    """OpenSSH says that it is prohibited, and so do we."""
    with sshd(rule) as settings, Tunnel(settings, guard(allow_private_hosts=True)) as tunnel:
        port = tunnel.to("127.0.0.1", echo).port
        with pytest.raises(CredentialsError, match="the bastion does not let this user through"), tunnel.explaining():
            heard(said, port)


def test_openssh_cannot_reach_what_is_not_there(closed_port: int, said: Said) -> None:
    """A closed port behind the bastion is unavailable."""
    with sshd() as settings, Tunnel(settings, guard(allow_private_hosts=True)) as tunnel:
        port = tunnel.to("127.0.0.1", closed_port).port
        with pytest.raises(UnavailableError, match=r"reason=Connect(ion)? (refused|failed)"), tunnel.explaining():
            heard(said, port)


def heard(said: Said, port: int) -> None:
    """Fail as a driver does whose server closes the connection at once."""
    if said(port, b"hello") != b"hello":
        raise ConnectionError
