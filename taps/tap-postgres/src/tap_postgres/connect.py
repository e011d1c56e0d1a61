"""Connections to one server: psycopg for its catalog, ADBC for rows; one place makes their parameters and sessions.

Takes Settings; gives connections whose sessions are read-only and speak UTC. Every error of the driver is translated
here, once, without a password.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from typing import TYPE_CHECKING, Any

from singerkit.connect.bastion import inner_sslmode
from singerkit.errors import SettingsError
from tap_postgres.failures import translate, translated
from tap_postgres.reach import reached

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    import adbc_driver_postgresql.dbapi as adbc
    import psycopg
    import pyarrow as pa

    from singerkit.connect.route import Route
    from tap_postgres.settings import Settings

ATTEMPTS = 3
WAIT_S = 0.5  # doubled before each further attempt
SESSION = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "search_path": "",  # nothing is found by luck: every name in our queries carries its schema
    "idle_in_transaction_session_timeout": "0",  # who holds a snapshot waits while the others read
}


def parameters(settings: Settings) -> dict[str, str]:
    """Return libpq's parameters: the URL's own words first, then the settings, then our defaults."""
    given = _from_url(settings.connection_url) if settings.connection_url else _from_parts(settings)
    ours = {
        "sslmode": settings.ssl_mode,
        "sslrootcert": settings.ssl_root_cert,
        "sslcert": settings.ssl_cert,
        "sslkey": settings.ssl_key,
        "connect_timeout": str(settings.connect_timeout_s),
        "application_name": settings.application_name,
        "client_encoding": "UTF8",
    }
    params = {name: str(value) for name, value in ours.items() if value} | given
    if settings.ssh_tunnel:
        params["sslmode"] = inner_sslmode(settings.ssh_tunnel, params.get("sslmode"))
    params.setdefault("sslmode", "prefer" if _is_here(params) else "verify-full")
    if params["sslmode"] in {"verify-ca", "verify-full"} and "sslrootcert" not in params:
        params |= _system_roots()
    return params


@contextlib.contextmanager
def catalog_connection(settings: Settings, route: Route | None = None) -> Iterator[psycopg.Connection[Any]]:
    """Open a psycopg connection for queries of the catalog, in one transaction that never writes."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    params = parameters(settings)
    with _explaining(route), translated(params):
        conninfo = make_conninfo(**reached(params, route))
        connection = patient(lambda: psycopg.connect(conninfo, autocommit=True), params, route)
        with connection:
            connection.execute(_session_query(settings))
            yield connection


class BulkReader:
    """One ADBC connection for the rows of all streams of a run: opening one costs the driver 0.2 s of looking at types.

    It is opened when it is first needed, and anew after a query that did not run to its end.
    """

    def __init__(self, settings: Settings, route: Route | None = None, snapshot: str | None = None) -> None:
        """Read in an exported snapshot, where one is given: all queries then see the database at one moment."""
        self._snapshot = snapshot
        self._connection: adbc.Connection | None = None
        self._cursor: adbc.Cursor | None = None
        self._settings = settings
        self._route = route
        self._params = parameters(settings)

    @property
    def user(self) -> str:
        """The role that reads."""
        return self._params.get("user", "the role of this tap")

    def batches(self, sql: str, stream: str) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a query; an error of the query is the stream's, one of the connection is everybody's."""
        connection = self._connection or self._open()
        finished = False
        try:
            words = translated(self._params, stream=stream)
            with _explaining(self._route), words, connection.cursor() as self._cursor:
                self._cursor.execute(sql)
                yield from self._cursor.fetch_record_batch()
            finished = True
        finally:
            self._cursor = None
            if not finished:
                self.close()

    def cancel(self) -> None:
        """Ask the server to stop the query at hand; called from another thread."""
        cursor = self._cursor
        if cursor is not None:
            with contextlib.suppress(Exception):  # it may have ended by itself in between
                cursor.adbc_cancel()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it is given up, whatever state it is in
                connection.close()

    def __del__(self) -> None:
        """Close at last: singer-sdk's dry runs tell nobody that they are done."""
        self.close()

    def _open(self) -> adbc.Connection:
        import adbc_driver_postgresql.dbapi as adbc
        from psycopg.conninfo import make_conninfo

        with translated(self._params):
            conninfo = make_conninfo(**reached(self._params, self._route))
            connection = patient(lambda: adbc.connect(conninfo, autocommit=True), self._params, self._route)
            self._connection = connection
            with connection.cursor() as cursor:
                cursor.execute(_session_query(self._settings))
                cursor.fetchone()
                if self._snapshot is not None:
                    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    cursor.execute(f"SET TRANSACTION SNAPSHOT '{self._snapshot}'")
        return connection


def _session_query(settings: Settings) -> str:
    """Set the session in one statement: poolers refuse start-up options, and ADBC takes one statement at a time."""
    values = dict(SESSION)
    if settings.statement_timeout_s:
        values["statement_timeout"] = f"{settings.statement_timeout_s}s"
    if settings.lock_timeout_s:
        values["lock_timeout"] = f"{settings.lock_timeout_s}s"
    calls = ", ".join(f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in values.items())
    return f"SELECT {calls}, ({_NEVER_IDLE})"


_NEVER_IDLE = (
    "SELECT pg_catalog.set_config(s.name, '0', false) FROM pg_catalog.pg_settings AS s"
    " WHERE s.name = 'idle_session_timeout'"
)
"""A connection waits while others read, or the loader writes; the setting is known from PostgreSQL 14 on."""


def patient(connect: Any, params: Mapping[str, str], route: Route | None) -> Any:  # both drivers' own connection
    """Connect, again after a pause where the server is only momentarily not there; say a bastion's own reason."""
    import tenacity

    from singerkit.errors import UnavailableError

    def is_transient(error: BaseException) -> bool:
        return isinstance(translate(error, params), UnavailableError)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=WAIT_S),
        reraise=True,
    )
    with _explaining(route):
        return retrying(connect)


def _explaining(route: Route | None) -> contextlib.AbstractContextManager[None]:
    """Say a bastion's own reason where there is one: to a driver every connection that breaks is the server's."""
    return route.explaining() if route else contextlib.nullcontext()


def _from_url(url: str) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:  # its text quotes the address
        raise SettingsError(
            "connection_url cannot be read",
            remedy="write postgresql://user:password@host:port/database with %-encoded special characters",
        ) from None


def _from_parts(settings: Settings) -> dict[str, str]:
    parts = {
        "host": settings.host,
        "port": str(settings.port),
        "user": settings.user,
        "password": settings.password,
        "dbname": settings.database,
    }
    return {name: value for name, value in parts.items() if value}


def _is_here(params: Mapping[str, str]) -> bool:
    """Tell whether every host is this machine: a Unix socket or a loopback address."""
    hosts = params.get("hostaddr") or params.get("host") or os.environ.get("PGHOST", "")
    return all(_is_loopback(host) for host in hosts.split(","))


def _is_loopback(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _system_roots() -> dict[str, str]:
    """Return libpq's word for the certificates that this machine trusts, unless the user keeps a file of their own."""
    if os.path.exists(os.path.expanduser("~/.postgresql/root.crt")):  # noqa: PTH110, PTH111  # libpq's own default
        return {}
    found = ssl.get_default_verify_paths().cafile
    return {"sslrootcert": found or "system"}
