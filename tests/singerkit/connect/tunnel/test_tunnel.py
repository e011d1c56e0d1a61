"""SSH tunnels on real sockets: who is let in, who is believed, what is carried, and what is said when it fails."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from singerkit.connect.bastion import SSHTunnel
from singerkit.connect.hosts import HostGuard, HostRefusedError
from singerkit.connect.sockets import guard
from singerkit.connect.tunnel import Tunnel
from singerkit.errors import CredentialsError, SettingsError, SingerkitError, StoppedError, UnavailableError

Said = Callable[[int, bytes], bytes]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "form", "passphrase"),
    [
        ("ssh-ed25519", "openssh", None),
        ("ssh-rsa", "openssh", None),
        ("ecdsa-sha2-nistp256", "openssh", None),
        ("ssh-rsa", "pkcs1-pem", None),
        ("ecdsa-sha2-nistp384", "pkcs8-pem", None),
        ("ssh-ed25519", "openssh", "open sesame"),
        ("ssh-rsa", "pkcs8-pem", "open sesame"),
    ],
)
def test_a_key_opens_the_tunnel(
    algorithm: str, form: str, passphrase: str | None, bastion: Any, tunnel: Any, echo: int, said: Said
) -> None:
    """RSA, Ed25519 and ECDSA, in the forms that tools write, with and without a passphrase."""
    key = asyncssh.generate_private_key(algorithm)
    bastion.rules.keys = [key.convert_to_public()]
    text = key.export_private_key(form, passphrase=passphrase, rounds=1, ignore_few_rounds=True).decode()

    opened = tunnel(private_key=text, passphrase=passphrase)

    assert said(opened.to("127.0.0.1", echo).port, b"hello") == b"hello"


def test_a_password_opens_the_tunnel(tunnel: Any, echo: int, said: Said) -> None:
    """The simplest login."""
    assert said(tunnel(password="correct horse").to("127.0.0.1", echo).port, b"hello") == b"hello"


def test_a_key_may_be_a_file(bastion: Any, tunnel: Any, echo: int, said: Said, tmp_path: Path) -> None:
    """A path where the key's text would be."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    bastion.rules.keys = [key.convert_to_public()]
    key.write_private_key(tmp_path / "key")

    opened = tunnel(private_key_file=str(tmp_path / "key"))

    assert said(opened.to("127.0.0.1", echo).port, b"hello") == b"hello"


def known_hosts(bastion: Any, folder: Path) -> dict[str, dict[str, str]]:
    """Give every way to say which host key is right."""
    line = f"[127.0.0.1]:{bastion.port} {bastion.host_line}"
    (folder / "known_hosts").write_text(f"# a comment\n{line}\n")
    other = asyncssh.generate_private_key("ssh-rsa").get_fingerprint()
    return {
        "known-hosts": {"known_hosts": line},
        "known-hosts-without-port": {"known_hosts": f"127.0.0.1 {bastion.host_line}"},
        "known-hosts-file": {"known_hosts_file": str(folder / "known_hosts")},
        "key": {"host_key": bastion.host_line},
        "fingerprint": {"host_fingerprint": bastion.host_key.get_fingerprint()},
        "one-of-two-fingerprints": {"host_fingerprint": f"{other} {bastion.host_key.get_fingerprint()}"},
    }


@pytest.mark.parametrize(
    "way",
    [
        "known-hosts",
        "known-hosts-without-port",
        "known-hosts-file",
        "key",
        "fingerprint",
        "one-of-two-fingerprints",
    ],
)
def test_the_right_host_key_is_believed(way: str, bastion: Any, tunnel: Any, tmp_path: Path) -> None:
    """Known hosts, a key or a fingerprint: each alone is enough."""
    assert tunnel(**known_hosts(bastion, tmp_path)[way]).open()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["authority", "fingerprint", "key"])
def test_a_bastion_with_a_certificate_is_believed(way: str, bastion: Any, tunnel: Any, tmp_path: Path) -> None:
    """By the authority that signed it, or by the plain key under it: a fingerprint or a key line is of that."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    bastion.stop()
    bastion.certificate = authority.generate_host_certificate(bastion.host_key, "bastion", principals=["127.0.0.1"])
    bastion.start()
    line = f"@cert-authority 127.0.0.1 {authority.export_public_key().decode()}"
    ways = known_hosts(bastion, tmp_path) | {"authority": {"known_hosts": line}}

    assert tunnel(**ways[way]).open()


@pytest.mark.parametrize("way", ["known-hosts", "known-hosts-file", "key", "fingerprint"])
def test_another_host_key_is_refused_before_the_password_is_sent(
    way: str, bastion: Any, tunnel: Any, tmp_path: Path
) -> None:
    """The host key is changed: nothing of ours is told to whoever answers there."""
    trusted = known_hosts(bastion, tmp_path)[way]
    bastion.stop()
    bastion.host_key = asyncssh.generate_private_key("ssh-ed25519")
    tried: list[str] = []
    bastion.rules.passwords = type("Noting", (dict,), {"get": lambda self, user: tried.append(user)})()
    bastion.start()

    with pytest.raises(CredentialsError) as refused:
        tunnel(**trusted).open()

    assert str(refused.value) == (
        "the bastion shows a host key that the settings do not trust: it was changed, or someone is in between "
        f"(host=127.0.0.1, shown=ssh-ed25519 {bastion.host_key.get_fingerprint()}); "
        "ask the bastion's keeper for its key; only then change the host key under ssh_tunnel"
    )
    assert tried == []


def test_a_bastion_that_known_hosts_does_not_know_is_refused(bastion: Any, tunnel: Any) -> None:
    """No key is no reason to believe."""
    with pytest.raises(SettingsError) as refused:
        tunnel(known_hosts=f"other.example {bastion.host_line}").open()

    assert str(refused.value) == (
        f"ssh_tunnel.known_hosts has no key of the bastion (host=127.0.0.1, port={bastion.port}); "
        "add the line that the bastion's keeper gives you"
    )


def test_a_revoked_host_key_is_refused(bastion: Any, tunnel: Any) -> None:
    """A line `@revoked` wins over a line that trusts the key."""
    lines = f"127.0.0.1 {bastion.host_line}\n@revoked * {bastion.host_line}"

    with pytest.raises(CredentialsError, match="a host key that the settings do not trust"):
        tunnel(known_hosts=lines).open()


KEY = asyncssh.generate_private_key("ssh-ed25519")
LOCKED = KEY.export_private_key("openssh", passphrase="open sesame", rounds=1, ignore_few_rounds=True).decode()
LOCKED_PEM = KEY.export_private_key("pkcs8-pem", passphrase="open sesame").decode()
REFUSED = (
    "the bastion refuses the login (host=127.0.0.1, user=ada); "
    "check ssh_tunnel.username and its password or key, and that the bastion knows the key"
)
CLOSED = "the private key cannot be opened with this passphrase; check ssh_tunnel.passphrase"
NO_KEY = "the private key cannot be read; give the whole text of an RSA, Ed25519 or ECDSA key"


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"password": "canary-wrong"}, CredentialsError, REFUSED),
        ({"private_key": KEY.export_private_key().decode()}, CredentialsError, REFUSED),
        ({"private_key": LOCKED, "passphrase": "canary-wrong"}, SettingsError, CLOSED),
        ({"private_key": LOCKED}, SettingsError, CLOSED),
        ({"private_key": LOCKED_PEM, "passphrase": "canary-wrong"}, SettingsError, CLOSED),
        ({"private_key": LOCKED_PEM}, SettingsError, CLOSED),
        ({"private_key": "canary-no-key"}, SettingsError, NO_KEY),
        ({"private_key": LOCKED[: len(LOCKED) // 2]}, SettingsError, NO_KEY),
        (
            {"private_key": asyncssh.generate_private_key("ssh-ed448").export_private_key().decode()},
            SettingsError,
            "the private key is of a kind that is not used (kind=ssh-ed448); use Ed25519",
        ),
        (
            {"private_key_file": "/nowhere/key"},
            SettingsError,
            "the settings cannot be used: private_key_file: cannot be read: No such file or directory",
        ),
        (
            {"known_hosts_file": "/nowhere/known_hosts"},
            SettingsError,
            "the settings cannot be used: known_hosts_file: cannot be read: No such file or directory",
        ),
        (
            {"host_key": "AAAA"},
            SettingsError,
            "ssh_tunnel.host_key is no public key; write it as `ssh-ed25519 AAAA...`",
        ),
    ],
    ids=[
        "wrong-password",
        "unknown-key",
        "wrong-passphrase",
        "no-passphrase",
        "wrong-passphrase-pem",
        "no-passphrase-pem",
        "no-key",
        "half-a-key",
        "another-kind",
        "no-key-file",
        "no-known-hosts-file",
        "no-host-key",
    ],
)
def test_a_login_that_fails_says_why(settings: dict[str, str], error: type[Exception], said: str, tunnel: Any) -> None:
    """One line, without the password, the passphrase or the key."""
    with pytest.raises(SingerkitError) as failed:
        tunnel(**settings).open()

    assert str(failed.value) == said
    assert isinstance(failed.value, error)
    assert "canary" not in repr(failed.value)


def test_a_bastion_that_is_not_there_is_unavailable(tunnel: Any) -> None:
    """A closed port, after the retries."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(UnavailableError) as gone:
        tunnel(port=port).open()

    assert str(gone.value) == (
        f"the bastion cannot be reached (host=127.0.0.1, port={port}, reason=Connection refused); check ssh_tunnel.host"
    )


def test_a_server_of_another_kind_is_no_bastion(tunnel: Any) -> None:
    """Whoever hangs up without a word of SSH is unavailable, in one line."""

    def hang_up(server: socket.socket) -> None:
        connected, _ = server.accept()
        connected.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(UnavailableError) as gone:
            tunnel(port=port).open()
        thread.join()

    assert re.fullmatch(
        rf"the bastion does not answer as an SSH server \(host=127\.0\.0\.1, port={port}, reason=Connection [a-z ]+\); "
        "check host and port, and that the bastion is up",
        str(gone.value),
    )


@pytest.mark.slow
def test_a_stop_is_heard_while_the_bastion_is_silent() -> None:
    """A server that takes the connection and says nothing does not hold up the end of a run."""

    def look() -> None:
        raise StoppedError(15)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = SSHTunnel(
            host="127.0.0.1", username="ada", port=silent.getsockname()[1], password="x", host_fingerprint="x"
        )
        with (
            Tunnel(settings, guard(allow_private_hosts=True), look=look) as opened,
            pytest.raises(StoppedError),
        ):
            opened.open()


def test_a_refused_forward_says_so(bastion: Any, tunnel: Any, echo: int, said: Said) -> None:
    """The driver sees a closed connection; the bastion's own reason is raised in its place."""
    bastion.rules.forward = lambda host, port: None
    opened = tunnel()
    destination = opened.to("db.internal", echo)

    with pytest.raises(CredentialsError) as refused, opened.explaining():
        fail_unless(said, destination.port)

    assert str(refused.value) == (
        f"the bastion does not let this user through (host=db.internal, port={echo}); "
        "allow it there: AllowTcpForwarding and PermitOpen in sshd_config, or the options of the key"
    )


def test_a_host_that_the_bastion_cannot_reach_is_unavailable(bastion: Any, tunnel: Any, said: Said) -> None:
    """Nothing listens behind the bastion: the line names the host behind it, not the loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    bastion.rules.forward = lambda host, asked: ("127.0.0.1", asked)
    opened = tunnel()
    destination = opened.to("db.internal", port)

    with pytest.raises(UnavailableError) as gone, opened.explaining():
        fail_unless(said, destination.port)

    assert str(gone.value).startswith(
        f"the bastion cannot reach the host behind it (host=db.internal, port={port}, reason="
    )
    assert str(gone.value).endswith("; check the name as the bastion knows it, and its firewall")


def fail_unless(said: Said, port: int) -> None:
    """Fail as a driver does whose server closes the connection at once."""
    try:
        answer = said(port, b"hello")
    except OSError as error:
        raise ConnectionError("server closed the connection unexpectedly") from error
    if answer != b"hello":
        raise ConnectionError("server closed the connection unexpectedly")


def test_an_error_that_is_not_the_tunnels_stays_itself(tunnel: Any, echo: int, said: Said) -> None:
    """A refused password of the database is not blamed on the bastion."""
    opened = tunnel()
    said(opened.to("127.0.0.1", echo).port, b"hello")

    with pytest.raises(ZeroDivisionError), opened.explaining():
        raise ZeroDivisionError


def test_the_name_goes_to_the_bastion_and_stays_for_tls(bastion: Any, tunnel: Any, echo: int, said: Said) -> None:
    """The host behind the bastion is resolved there; what drivers get is its name and the loopback port."""
    bastion.rules.forward = lambda host, port: ("127.0.0.1", port)

    destination = tunnel().to("db.internal", echo)

    assert said(destination.port, b"hello") == b"hello"
    assert bastion.asked == [("db.internal", echo)]
    assert destination.libpq() == {"host": "db.internal", "hostaddr": "127.0.0.1", "port": str(destination.port)}


def test_the_bastion_is_guarded_and_the_host_behind_it_is_not(bastion: Any, tunnel: Any, echo: int, said: Said) -> None:
    """The guard is about what this machine connects to."""
    bastion.rules.forward = lambda host, port: ("127.0.0.1", port)
    named = HostGuard(lambda host, port: ["127.0.0.1"], allow_private_hosts=True)

    with pytest.raises(HostRefusedError, match=r"the host has a loopback address \(host=127\.0\.0\.1\)"):
        tunnel(guard(allow_private_hosts=False)).open()
    opened = tunnel(named, host="bastion.example", host_key=bastion.host_line)

    assert said(opened.to("169.254.169.254", echo).port, b"hello") == b"hello"


def test_a_dropped_connection_breaks_what_it_carried_and_is_made_anew(
    bastion: Any, tunnel: Any, echo: int, said: Said
) -> None:
    """The database connection in it fails; the next one finds the bastion again, by the same loopback port."""
    opened = tunnel()
    port = opened.to("127.0.0.1", echo).port
    with socket.create_connection(("127.0.0.1", port), 10) as carried:
        carried.sendall(b"before")
        before = carried.recv(100)
        bastion.drop()
        after = ended(carried)

    assert (before, after) == (b"before", True)
    assert said(port, b"hello") == b"hello"


def test_a_bastion_that_restarts_is_found_again(bastion: Any, tunnel: Any, echo: int, said: Said) -> None:
    """While it is away the line says so; when it is back the same tunnel carries again."""
    opened = tunnel()
    port = opened.to("127.0.0.1", echo).port
    bastion.stop()
    with pytest.raises(UnavailableError) as gone, opened.explaining():
        fail_unless(said, port)
    bastion.start()

    assert str(gone.value) == (
        f"the bastion cannot be reached (host=127.0.0.1, port={bastion.port}, reason=Connection refused); "
        "check ssh_tunnel.host"
    )
    assert said(port, b"hello") == b"hello"


@pytest.mark.slow
def test_a_bastion_that_falls_silent_is_noticed(bastion: Any, tunnel: Any, echo: int, wire: Any) -> None:
    """No end, no break, only silence: three unanswered questions later what was carried ends."""
    opened = tunnel(port=wire.port, keep_alive_s=0.1)
    with socket.create_connection(("127.0.0.1", opened.to("127.0.0.1", echo).port), 10) as carried:
        carried.sendall(b"before")
        before = carried.recv(100)
        wire.cut.set()
        after = ended(carried)

    assert (before, after) == (b"before", True)


def ended(carried: socket.socket) -> bool:
    """Return whether a connection has ended, orderly or not."""
    try:
        return carried.recv(100) == b""
    except OSError:
        return True


def test_a_refused_login_is_not_tried_again(bastion: Any) -> None:
    """Repeating a wrong password only locks the account."""
    settings = SSHTunnel(
        host="127.0.0.1", username="ada", port=bastion.port, password="wrong", host_key=bastion.host_line
    )

    with (
        Tunnel(settings, guard(allow_private_hosts=True), retry_delays_s=(0.0, 0.0)) as opened,
        pytest.raises(CredentialsError),
    ):
        opened.open()

    assert len(bastion.logins) == 1


@pytest.mark.slow
def test_much_is_carried_both_ways_at_once(tunnel: Any, echo: int, said: Said) -> None:
    """Every byte, in order, by four connections in one tunnel, more than any window or buffer holds."""
    port = tunnel().to("127.0.0.1", echo).port
    sent = bytes(range(256)) * (1 << 14)  # 4 MiB
    received: list[bytes] = []

    def send(carried: socket.socket) -> None:
        carried.sendall(sent)
        carried.shutdown(socket.SHUT_WR)

    def exchange() -> None:
        with socket.create_connection(("127.0.0.1", port), 30) as carried:
            writer = threading.Thread(target=send, args=(carried,))
            writer.start()
            received.append(b"".join(iter(lambda: carried.recv(1 << 16), b"")))
            writer.join()

    threads = [threading.Thread(target=exchange) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer == sent for answer in received] == [True] * 4


def test_only_loopback_listens_and_nothing_after_the_end(tunnel: Any, echo: int) -> None:
    """The port is not on any other address of this machine, and closed with the tunnel."""
    opened = tunnel()
    port = opened.to("127.0.0.1", echo).port
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), 5)
    opened.close()

    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)


def test_closing_ends_what_is_carried(tunnel: Any, echo: int) -> None:
    """No connection outlives its tunnel, and no thread."""
    before = threading.enumerate()
    opened = tunnel()
    with socket.create_connection(("127.0.0.1", opened.to("127.0.0.1", echo).port), 10) as carried:
        carried.sendall(b"x")
        carried.recv(1)
        opened.close()

        assert ended(carried)
    assert "ssh-tunnel" not in [thread.name for thread in threading.enumerate() if thread not in before]


def test_a_closed_tunnel_opens_again_when_it_is_needed(tunnel: Any, echo: int, said: Said) -> None:
    """The deferred opener: the first connection opens it, closing twice is closing once."""
    opened = tunnel()
    opened.to("127.0.0.1", echo)
    opened.close()
    opened.close()

    assert said(opened.to("127.0.0.1", echo).port, b"hello") == b"hello"


FORGETFUL = """
import json, sys, threading
from singerkit.connect.bastion import SSHTunnel
from singerkit.connect.sockets import guard
from singerkit.connect.tunnel import Tunnel
tunnel = Tunnel(SSHTunnel(**json.loads(sys.argv[1])), guard(allow_private_hosts=True))
print(tunnel.to("127.0.0.1", 1).port, flush=True)
{end}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("end", "code"), [("", 0), ("raise SystemExit(5)", 5), ("1 / 0", 1)])
def test_a_process_that_forgets_to_close_ends_all_the_same(end: str, code: int, bastion: Any) -> None:
    """A tunnel never keeps a process alive, however that ends; the bastion is told goodbye."""
    import json

    settings = {"host": "127.0.0.1", "port": bastion.port, "username": "ada", "password": "correct horse"}
    settings |= {"host_key": bastion.host_line}
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL.format(end=end), json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == code
    assert ("Traceback" in done.stderr) == (code == 1)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(done.stdout)), 5)
