"""`tap-x auth login | status | logout` of an executable, and the sync by that login: real processes and sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from .conftest import CLIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow  # a process each

PLUGINS = Path(__file__).parents[2] / "plugins"


class Executable:
    """The executable of the tap, with an environment of its own."""

    def __init__(self, url: str, home: Path) -> None:
        self.tokens = home / "tokens.json"
        self.environment: Mapping[str, str] = os.environ | {
            "ACME_URL": url,
            "PYTHONPATH": str(PLUGINS),
            "TAP_ACME_ALLOW_PRIVATE_HOSTS": "true",
            "TAP_ACME_CLIENT_ID": CLIENT.id,
            "TAP_ACME_CLIENT_SECRET": str(CLIENT.secret),
            "TAP_ACME_LOGIN_TOKEN_FILE": str(self.tokens),
        }

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        code = "from singerkit.shell import main; main('login_tap:TapAcme')"
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            [sys.executable, "-c", code, *words], text=True, env={**self.environment, **environment}, **pipes
        )

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Return the exit code of a command, what it printed and the last line of what it said."""
        process = self.start(*words, **environment)
        printed, said = process.communicate(timeout=60)
        assert "canary" not in printed + said
        return process.returncode, printed, said.rstrip().rpartition("\n")[2].rpartition("| ")[2]

    def log_in(self) -> tuple[int, str, str]:
        """Log in by pasting: go where the command says, and hand it the address that one ends on."""
        process = self.start("auth", "login", "--paste")
        assert process.stdin is not None
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("open this address"):
                process.stdin.write(_landing(line.split()[-1]) + "\n")
                process.stdin.flush()
                break
        rest, said = process.communicate(timeout=60)
        return process.returncode, printed + rest, said.rstrip().rpartition("\n")[2].rpartition("| ")[2]


def _landing(address: str) -> str:
    """Return the address that a person ends on: where the service sends the browser."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    connection.close()
    return str(answer.headers["Location"])


@pytest.fixture
def tap(acme: Any, tmp_path: Path) -> Executable:
    return Executable(acme.url(""), tmp_path)


def test_from_login_to_logout(acme: Any, tap: Executable) -> None:
    """A person logs in, sees who is logged in, syncs with access tokens that live a second, and logs out."""
    acme.rules.lifetime_s = 1

    code, printed, _ = tap.log_in()

    assert code == 0
    assert "logged in at Acme as Ada (42)" in printed
    assert tap.tokens.stat().st_mode & 0o777 == 0o600
    assert tap.run("auth", "status")[1].splitlines()[:3] == [
        "service: Acme",
        "account: Ada (42)",
        "scopes: orders:read",
    ]
    code, printed, _ = tap.run("--config", "ENV")
    records = [line for line in map(json.loads, printed.splitlines()) if line["type"] == "RECORD"]
    assert code == 0
    assert [line["record"]["id"] for line in records] == [*range(1, len(acme.api_calls) + 1)]
    assert acme.refreshes == 2
    assert tap.run("auth", "logout")[1].splitlines()[1] == "given back to Acme"
    assert tap.run("auth", "status")[::2] == (
        5,
        f"nobody is logged in (token_file={tap.tokens}); run `tap-acme auth login`",
    )


OTHER_LOGIN = (
    "the answer belongs to another login: its state is not the one that was sent; "
    "log in again, with the newest address only"
)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"wrong_state": True}, OTHER_LOGIN),
        ({"deny": "access_denied"}, "the login was denied; log in again and agree, or ask who may"),
        (
            {"codes_end_at_once": True},
            "the code has expired or was used before; run `tap-acme auth login` again and agree within a minute",
        ),
    ],
)
def test_a_login_that_fails(rule: dict[str, Any], said: str, acme: Any, tap: Executable) -> None:
    """One line that says why, exit code 5, and no token anywhere."""
    for name, value in rule.items():
        setattr(acme.rules, name, value)

    code, _, line = tap.log_in()

    assert (code, line) == (5, said)
    assert not tap.tokens.exists()


def test_a_port_that_is_taken(tap: Executable) -> None:
    """The port of `redirect_uri` is somebody else's: exit code 2, before a browser opens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        uri = f"http://127.0.0.1:{port}/back"

        code, printed, line = tap.run("auth", "login", TAP_ACME_LOGIN_REDIRECT_URI=uri)

    assert code == 2
    assert "open this address" not in printed
    assert line == (
        f"the port of redirect_uri cannot be listened to: Address already in use (port={port}); "
        "end what listens there, or set another redirect_uri and register it"
    )


def test_a_client_that_is_not_set(tap: Executable) -> None:
    """What is missing is named, as it is named in the environment."""
    code, _, line = tap.run("auth", "login", TAP_ACME_CLIENT_ID="", TAP_ACME_CLIENT_SECRET="")

    assert code == 2
    assert line == (
        "TAP_ACME_CLIENT_ID and TAP_ACME_CLIENT_SECRET must be set; "
        "register an application at Acme and put what it gives you into the environment"
    )


def test_a_file_that_others_can_read(tap: Executable) -> None:
    """The tokens are refused, and the line says how to close the file."""
    tap.log_in()
    tap.tokens.chmod(0o644)

    code, _, line = tap.run("--config", "ENV")

    assert code == 5
    assert line == (
        f"the token file can be read by others (token_file={tap.tokens}, mode=0644); "
        "chmod 600 it if nobody has read it; otherwise run `tap-acme auth login`"
    )


def test_a_refresh_token_that_was_used_elsewhere(acme: Any, tap: Executable) -> None:
    """Whoever lost the rotated token has to log in again, and is told so."""
    acme.rules.lifetime_s = 1
    tap.log_in()
    acme.end_refresh()
    acme.end_access()

    code, printed, line = tap.run("--config", "ENV")

    assert code == 5
    assert line == (
        "Acme does not take the refresh token any more: it was revoked, has ended, or its successor was lost; "
        "run `tap-acme auth login`; give each copy of the plugin a login of its own, or one token file"
    )
    assert not [text for text in printed.splitlines() if json.loads(text)["type"] == "RECORD"]
