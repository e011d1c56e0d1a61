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

from singerkit.errors import SettingsError

from tap_postgres.failures import translate, translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import adbc_driver_postgresql.dbapi as adbc
    import psycopg

    from tap_postgres.settings import Settings

ATTEMPTS = 3
WAIT_S = 0.5  # doubled before each further attempt
BATCH_BYTES = 8 << 20
"""How much ADBC gathers before it hands over a batch: small enough to keep the memory flat."""

_SESSION = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "search_path": "",  # nothing is found by luck: every name in our queries carries its schema
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
    params = {name: value for name, value in ours.items() if value} | given
    params.setdefault("sslmode", "prefer" if _is_here(params) else "verify-full")
    if params["sslmode"] in {"verify-ca", "verify-full"} and "sslrootcert" not in params:
        params |= _system_roots()
    return params


@contextlib.contextmanager
def catalog_connection(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """Open a psycopg connection for queries of the catalog, in one transaction that never writes."""
    import psycopg

    params = parameters(settings)
    with translated(params):
        connection = _with_patience(lambda: psycopg.connect(**params, autocommit=True), params)  # type: ignore[arg-type]
        with connection:
            connection.execute(_session_query(settings))
            yield connection


@contextlib.contextmanager
def bulk_connection(settings: Settings, **where: object) -> Iterator[adbc.Connection]:
    """Open an ADBC connection for rows; `where` says for what, in errors."""
    import adbc_driver_postgresql.dbapi as adbc
    from psycopg.conninfo import make_conninfo

    params = parameters(settings)
    with translated(params, **where):
        connection = _with_patience(lambda: adbc.connect(make_conninfo(**params), autocommit=True), params)
        with connection:
            with connection.cursor() as cursor:
                cursor.execute(_session_query(settings))
                cursor.fetchone()
            yield connection


def _session_query(settings: Settings) -> str:
    """Set the session in one statement: poolers refuse start-up options, and ADBC takes one statement at a time."""
    values = dict(_SESSION)
    if settings.statement_timeout_s:
        values["statement_timeout"] = f"{settings.statement_timeout_s}s"
    calls = ", ".join(f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in values.items())
    return f"SELECT {calls}"


def _with_patience(connect: Any, params: Mapping[str, str]) -> Any:  # both drivers' own connection
    """Connect, again after a pause where the server is only momentarily not there."""
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
    return retrying(connect)


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
