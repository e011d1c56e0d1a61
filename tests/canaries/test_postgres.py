"""tap-postgres with a password, a tunnel and its keys: let in, refused, out of reach, and in a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_postgres.tap import TapPostgres
from tests.postgres_server import Database, database, server
from tests.ssh_bastion import Bastion, bastion

from .commands import options_of, verbs_of
from .marks import address, key, mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Line

__all__ = ["bastion", "database", "server"]

pytestmark = pytest.mark.slow
PASSWORD = mark("password")
EVERY = [*options_of(TapPostgres), *verbs_of(TapPostgres, "public-t")]


@pytest.fixture(scope="module")
def shop(database: Database) -> Iterator[dict[str, Any]]:
    """Settings that lead to a table, by a role with a marked password."""
    quoted = PASSWORD.replace("'", "''")
    database.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    database.psql(f"SET standard_conforming_strings = on; CREATE ROLE guarded LOGIN PASSWORD '{quoted}'")
    database.psql("GRANT SELECT ON t TO guarded")
    parts = {"host": "127.0.0.1", "port": database.server.port, "user": "guarded", "database": database.name}
    yield parts | {"password": PASSWORD, "tables": ["t"], "report_file": "report.json"}
    database.psql("DROP OWNED BY guarded; DROP ROLE guarded")


def test_let_in(shop: dict[str, Any], line: Line) -> None:
    """Rows, STATEs, batches and the answers of all verbs hold nothing of the password."""
    assert line(TapPostgres, shop) == 0
    assert line(TapPostgres, {**shop, "output": "batch", "batch_dir": str(line.folder / "batches")}) == 0
    for words in EVERY:
        line(TapPostgres, shop, *words)


NOWHERE: dict[str, Any] = dict.fromkeys(("host", "user", "database", "password"))
REFUSED: dict[str, dict[str, Any]] = {
    "another password": {"password": mark("another")},
    "out of reach": {"port": 9, "connect_timeout_s": 1},
    "a URL out of reach": {**NOWHERE, "connection_url": address("url")},
    "a URL that is none": {**NOWHERE, "connection_url": f"postgresql://u:{mark('url')}@h:x y/d"},
    "both": {"connection_url": address("url")},
    "a URL as the host": {"host": address("url"), "allow_private_hosts": False},
    "TLS": {"ssl_mode": "require"},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_not_let_in(change: dict[str, Any], shop: dict[str, Any], line: Line) -> None:
    """What the server, the driver or the resolver says of a failure is said without the password."""
    for words in ((), ("check", "--json"), ("preview", "t"), ("cdc", "check")):
        assert line(TapPostgres, {**shop, **change}, *words) in {2, 5, 6}


TUNNELS: dict[str, dict[str, Any]] = {
    "another password": {"password": mark("tunnel")},
    "no key": {"private_key": key("tunnel")},
    "a passphrase for no key": {"private_key": key("tunnel"), "passphrase": mark("passphrase")},
    "a key as the host key": {"password": mark("tunnel"), "host_key": key("host key")},
    "both": {"password": mark("tunnel"), "private_key": key("tunnel")},
}


@pytest.mark.parametrize("login", TUNNELS.values(), ids=TUNNELS)
def test_a_bastion_that_refuses(login: dict[str, Any], shop: dict[str, Any], bastion: Bastion, line: Line) -> None:
    """Neither the bastion's words nor those of the SSH library hold what was tried."""
    tunnel = {"enabled": True, "host": "127.0.0.1", "port": bastion.port, "username": "ada"}
    config = {**shop, "ssh_tunnel": {"host_key": bastion.host_line, **tunnel, **login}}

    for words in ((), ("check",)):
        assert line(TapPostgres, config, *words) in {2, 5}


def test_a_crash(shop: dict[str, Any], bastion: Bastion, line: Line) -> None:
    """A traceback whose text holds the whole configuration holds no secret of it."""

    class Crashing(TapPostgres):
        def in_order(self, streams: list[Any]) -> list[Any]:
            raise RuntimeError(f"{self.config} {self.settings} {vars(self.settings)} {streams}")

    off = {"ssh_tunnel": {"enabled": False, "private_key": key("tunnel"), "passphrase": mark("passphrase")}}
    assert line(Crashing, {**shop, **off}) == 1
    assert "Traceback" in line.said
