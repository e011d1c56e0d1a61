"""A real PostgreSQL behind TLS and a real bastion: the certificate is checked against the database's own name."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from demo.embedded import start
from singerkit.connect.bastion import SSHTunnel, inner_sslmode
from singerkit.connect.hosts import Destination
from singerkit.errors import CredentialsError

pytestmark = pytest.mark.slow

NAME = "db.internal.example"


def end_tls(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Speak TLS for a server that cannot (the wheel's build has none): answer the request for it, then hand on."""
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # closed: the test is over
            return
        plain.recv(8)  # SSLRequest
        plain.sendall(b"S")
        try:
            client = context.wrap_socket(plain, server_side=True)
        except OSError:  # the client did not like the certificate
            plain.close()
            continue
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=hand_on, args=(server, client))
            back.start()
            hand_on(client, server)
            back.join()


def hand_on(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the end, then say that it is the end."""
    try:
        while received := source.recv(1 << 16):
            sink.sendall(received)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def database(certificate_for: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of a database whose certificate is for a name that no DNS knows."""
    certificate = certificate_for(NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    listener = socket.create_server(("127.0.0.1", 0))
    with start(tmp_path_factory.mktemp("server") / "pg") as server:
        thread = threading.Thread(target=end_tls, args=(listener, context, server.port))
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def dsn(name: str, root: Path, destination: Destination) -> str:
    """Give the parameters of a connection inside the tunnel, as a tap would."""
    sslmode = inner_sslmode(SSHTunnel("bastion", "ada"), None)
    pinned = destination.libpq() | {"host": name, "sslmode": sslmode, "sslrootcert": str(root)}
    return make_conninfo("", **pinned, user="postgres", dbname="postgres")


def test_tls_inside_the_tunnel_is_checked_against_the_databases_name(
    database: int, bastion: Any, tunnel: Any, tmp_path: Path
) -> None:
    """libpq connects to loopback and checks the name: the right one is let in, another one is not."""
    bastion.rules.forward = lambda host, port: ("127.0.0.1", database)
    root = tmp_path / f"{NAME}.crt"
    destination = tunnel().to(NAME, 5432)

    with psycopg.connect(dsn(NAME, root, destination)) as connection:
        in_use, row = connection.pgconn.ssl_in_use, connection.execute("select 1").fetchone()
    connection.close()
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(dsn("other.example", root, destination))

    assert (in_use, row) == (True, (1,))


def test_the_bastions_refusal_is_said_in_place_of_the_drivers_guess(bastion: Any, tunnel: Any) -> None:
    """psycopg only knows that the connection was closed."""
    bastion.rules.forward = lambda host, port: None
    opened = tunnel()
    conninfo = make_conninfo("", **opened.to(NAME, 5432).libpq(), user="postgres", dbname="postgres")

    with pytest.raises(CredentialsError, match="the bastion does not let this user through"), opened.explaining():
        psycopg.connect(conninfo)
