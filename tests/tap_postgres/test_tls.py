"""TLS modes against a real server with a certificate of its own authority."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from singerkit.settings.read import checked
from tap_postgres.connect import parameters
from tap_postgres.settings import Settings
from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import execute
from tests.tap_postgres.tls_proxy import tls_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["database", "server"]


@dataclass(frozen=True)
class Secured:
    """A server with TLS, the authority that signed it, and one that did not."""

    port: int
    database: str
    authority: str
    stranger: str


@pytest.fixture(scope="module")
def secured(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Reach a server by TLS, with a certificate for `localhost`."""
    database.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    folder = tmp_path_factory.mktemp("authorities")
    authority, stranger = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("localhost")
    for name, ca in {"authority": authority, "stranger": stranger}.items():
        ca.cert_pem.write_to_path(str(folder / f"{name}.pem"))
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    with tls_proxy(database.server.port, folder / "server.crt", folder / "server.key") as port:
        yield Secured(port, database.name, str(folder / "authority.pem"), str(folder / "stranger.pem"))


MODES = [
    pytest.param({"ssl_mode": "require"}, None, 0, "", id="encrypted, not verified"),
    pytest.param({"ssl_mode": "verify-full"}, "authority", 0, "", id="verified by the authority"),
    pytest.param({}, None, 0, "", id="the default on this machine"),
    pytest.param({"ssl_mode": "verify-full"}, "stranger", 2, "certificate verify failed", id="another authority"),
    pytest.param({"ssl_mode": "verify-full"}, None, 2, "certificate verify failed", id="the system's authorities"),
    pytest.param(
        {"ssl_mode": "verify-full", "host": "127.0.0.1"}, "authority", 2, "does not match host name", id="another name"
    ),
    pytest.param({"ssl_mode": "verify-ca", "host": "127.0.0.1"}, "authority", 0, "", id="verify-ca asks for no name"),
    pytest.param(
        {"ssl_mode": "verify-full", "ssl_root_cert": "/nowhere.pem"}, None, 2, "nowhere.pem", id="no such file"
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "signed_by", "code", "said"), MODES)
def test_a_mode_protects_as_libpq_says(
    secured: Secured, tmp_path: Path, words: dict[str, str], signed_by: str | None, code: int, said: str
) -> None:
    """A server that cannot be verified is refused in one line that says the remedies."""
    good: dict[str, Any] = {"host": "localhost", "port": secured.port, "user": "postgres"} | {
        "database": secured.database
    }
    root = {"ssl_root_cert": getattr(secured, signed_by)} if signed_by else {}

    ended = execute(tmp_path, good | root | words)

    assert ended.code == code, ended.stderr
    assert [said in line for line in ended.errors] == ([True] if code else []), ended.stderr
    assert code != 2 or "set ssl_root_cert to the CA" in ended.errors[0]


HOSTS = [
    pytest.param("db.example.org", "verify-full", id="a name"),
    pytest.param("10.0.0.1", "verify-full", id="an address"),
    pytest.param("localhost", "prefer", id="this machine by name"),
    pytest.param("127.0.0.1", "prefer", id="this machine by address"),
    pytest.param("::1", "prefer", id="this machine by its other address"),
    pytest.param("/run/postgresql", "prefer", id="a socket"),
    pytest.param("localhost,db.example.org", "verify-full", id="one of several elsewhere"),
]


@pytest.mark.parametrize(("host", "mode"), HOSTS)
@pytest.mark.parametrize("way", ["parts", "url"])
def test_a_server_elsewhere_is_verified_unless_told_otherwise(host: str, mode: str, way: str) -> None:
    """The default protects; a connection on this machine needs no certificate."""
    parts = {"host": host, "user": "u", "database": "d"}
    url = {"connection_url": f"user=u dbname=d host={host}"}

    params = parameters(checked(Settings, parts if way == "parts" else url))

    assert params["sslmode"] == mode
    assert ("sslrootcert" in params) == (mode == "verify-full")


def test_the_words_of_a_url_win() -> None:
    """`sslmode` inside the URL is what the user wrote last and nearest."""
    url = "postgresql://u:p%40ss@db.example.org/d?sslmode=require&application_name=mine"

    params = parameters(checked(Settings, {"connection_url": url}))

    assert (params["sslmode"], params["application_name"], params["password"]) == ("require", "mine", "p@ss")
