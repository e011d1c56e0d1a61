"""tap-postgres through a real bastion: every connection goes that way, and what fails there is said in one line."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest
import trustme

from singerkit.connect.route import Route
from singerkit.errors import SettingsError
from singerkit.settings.read import checked
from tap_postgres.connect import parameters
from tap_postgres.reach import reached
from tap_postgres.settings import Settings
from tests.postgres_server import Database, database, server
from tests.ssh_bastion import Bastion, bastion
from tests.tap_postgres.running import execute
from tests.tap_postgres.tls_proxy import tls_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bastion", "database", "server"]

NAME = "db.internal.example"
"""A name that only the bastion knows."""


@pytest.fixture
def settings(database: Database, bastion: Bastion, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Give the settings of a database with TLS behind the bastion."""
    database.psql("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
    authority = trustme.CA()
    issued = authority.issue_cert(NAME)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    with tls_proxy(database.server.port, tmp_path / "server.crt", tmp_path / "server.key") as port:
        bastion.rules.forward = lambda host, asked: ("127.0.0.1", port)
        yield {
            "host": NAME,
            "user": "postgres",
            "database": database.name,
            "ssl_root_cert": str(tmp_path / "ca.pem"),
            "ssh_tunnel": {
                "enabled": True,
                "host": "127.0.0.1",
                "port": bastion.port,
                "username": "ada",
                "password": "correct horse",
                "host_key": bastion.host_line,
            },
        }


@pytest.mark.slow
@pytest.mark.parametrize("output", ["records", "batch"])
def test_a_sync_goes_through_the_bastion(
    output: str, settings: dict[str, Any], bastion: Bastion, tmp_path: Path
) -> None:
    """Catalog and rows, psycopg and ADBC: both ask the bastion for the database's name, over one login."""
    ended = execute(tmp_path, settings | {"output": output, "batch_dir": str(tmp_path / "batches")})

    assert (ended.code, ended.errors) == (0, [])
    kind = {"records": "RECORD", "batch": "BATCH"}[output]
    assert sum(message["type"] == kind for message in ended.messages) == {"records": 3, "batch": 1}[output]
    assert set(bastion.asked) == {(NAME, 5432)}
    assert len(bastion.logins) == 1


@pytest.mark.slow
def test_changes_come_through_the_bastion_too(
    settings: dict[str, Any], database: Database, bastion: Bastion, tmp_path: Path
) -> None:
    """The replication connection goes the same way, under the same TLS: a snapshot, and then what changed."""
    database.psql("DROP PUBLICATION IF EXISTS tap_postgres; CREATE PUBLICATION tap_postgres FOR TABLE t")
    captured = settings | {"default_replication_method": "LOG_BASED", "tables": ["t"]}
    first = execute(tmp_path, captured)
    database.psql("INSERT INTO t VALUES (4)")

    second = execute(tmp_path, captured, state=first.messages[-1]["value"])

    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert [m["record"]["id"] for m in second.messages if m["type"] == "RECORD"] == [4]
    assert set(bastion.asked) == {(NAME, 5432)}


@pytest.mark.slow
def test_a_url_goes_through_the_bastion_too(settings: dict[str, Any], bastion: Bastion, tmp_path: Path) -> None:
    """Host and port of `connection_url` are the bastion's to find."""
    url = f"postgresql://postgres@{NAME}:6543/{settings['database']}"
    kept = {name: settings[name] for name in ("ssl_root_cert", "ssh_tunnel")}

    ended = execute(tmp_path, kept | {"connection_url": url})

    assert (ended.code, ended.errors) == (0, [])
    assert set(bastion.asked) == {(NAME, 6543)}


REFUSED = [
    pytest.param(
        {"host": "other.example"},
        {},
        2,
        "does not match host name",
        id="the certificate is another's",
    ),
    pytest.param(
        {"ssl_mode": "require"},
        {},
        2,
        "ssh_tunnel.require_tls asks for a checked certificate behind the bastion (tls_mode=require); "
        "set it to verify-full, or ssh_tunnel.require_tls to false if the network there is trusted",
        id="TLS without a check",
    ),
    pytest.param(
        {"allow_private_hosts": False},
        {},
        2,
        "the host has a loopback address (host=127.0.0.1); allow it with allow_private_hosts, if it is yours",
        id="a private bastion",
    ),
    pytest.param({}, {"password": "canary"}, 5, "the bastion refuses the login", id="wrong password"),
    pytest.param({}, {"port": 443}, 2, "ssh_tunnel.port: must not be 80 or 443", id="a web port"),
    pytest.param(
        {},
        {"host_key": asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()},
        5,
        "the bastion shows a host key that the settings do not trust",
        id="another host key",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "tunnel", "code", "said"), REFUSED)
def test_what_fails_on_the_way_is_one_line(
    change: dict[str, Any], tunnel: dict[str, Any], code: int, said: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    """The exit code says who can act; no secret is shown."""
    ended = execute(tmp_path, settings | change | {"ssh_tunnel": settings["ssh_tunnel"] | tunnel})

    assert ended.code == code
    assert len(ended.errors) == 1
    assert said in ended.errors[0]
    assert "canary" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.slow
def test_a_refused_forward_is_the_bastions_word(settings: dict[str, Any], bastion: Bastion, tmp_path: Path) -> None:
    """Not "server closed the connection unexpectedly"."""
    bastion.rules.forward = lambda host, port: None

    ended = execute(tmp_path, settings)

    assert ended.code == 5
    assert ended.errors[0].split(" | ")[-1] == (
        f"the bastion does not let this user through (host={NAME}, port=5432); "
        "allow it there: AllowTcpForwarding and PermitOpen in sshd_config, or the options of the key"
    )


PARTS = {"user": "u", "database": "d"}
ROUTES = [
    pytest.param(PARTS | {"host": "127.0.0.1"}, "the host has a loopback address", id="address"),
    pytest.param(PARTS | {"host": "localhost"}, "the host is this machine", id="name"),
    pytest.param(PARTS | {"host": "/var/run/postgresql"}, "a Unix socket is reached neither", id="socket"),
    pytest.param({"connection_url": "postgresql://u@/d"}, "a Unix socket is reached neither", id="default-socket"),
    pytest.param({"connection_url": "postgresql://u@1.1.1.1,10.0.0.1/d"}, "private address", id="second-of-two"),
    pytest.param({"connection_url": "postgresql://u@a/d?hostaddr=10.0.0.1"}, "private address", id="hostaddr"),
]


@pytest.mark.parametrize(("config", "said"), ROUTES)
def test_private_hosts_are_refused_where_they_are_not_allowed(config: dict[str, Any], said: str) -> None:
    """However the server is named; nothing is connected to."""
    read = checked(Settings, config)

    with pytest.raises(SettingsError, match=said):
        reached(parameters(read), Route(None, allow_private_hosts=False))


def test_judged_addresses_are_pinned_beside_their_names() -> None:
    """libpq connects to `hostaddr` and checks `host`: it does not ask DNS again."""
    read = checked(Settings, {"connection_url": "postgresql://u@1.1.1.1:1,[2606:4700::1]:2/d"})

    pinned = reached(parameters(read), Route(None, allow_private_hosts=False))

    assert {name: pinned[name] for name in ("host", "hostaddr", "port")} == {
        "host": "1.1.1.1,2606:4700::1",
        "hostaddr": "1.1.1.1,2606:4700::1",
        "port": "1,2",
    }


def test_without_a_bastion_private_hosts_are_libpqs_affair() -> None:
    """The default for databases: nothing is resolved twice, and Unix sockets stay possible."""
    params = parameters(checked(Settings, PARTS | {"host": "/var/run/postgresql"}))

    assert reached(params, Route(None, allow_private_hosts=True)) == params


@pytest.mark.slow
def test_a_bastion_that_is_lost_in_the_middle(
    settings: dict[str, Any], database: Database, bastion: Bastion, tmp_path: Path
) -> None:
    """The line says that it was the bastion, not the database; what was told until then stays told."""
    database.psql("CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(60)")
    running = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%slow%'"

    def lose() -> None:
        while not database.psql(running).strip():
            pass
        bastion.drop()

    person = threading.Thread(target=lose)
    person.start()
    ended = execute(tmp_path, settings | {"tables": ["slow"]})
    person.join()
    database.psql(running.replace("1", "pg_terminate_backend(pid)", 1))  # the server has not noticed yet
    database.psql("DROP VIEW slow")

    assert ended.code == 6
    assert ended.errors[-1].split(" | ")[-1] == (
        f"the connection to the bastion was lost (host=127.0.0.1, port={bastion.port}, reason=Connection lost); "
        "run again; the next connection finds the bastion by itself"
    )
