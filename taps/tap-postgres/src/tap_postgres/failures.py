"""What PostgreSQL and its drivers say when something fails, in this toolkit's own classes and words.

Takes an exception of psycopg or ADBC; gives one of our errors that names who can act. Never repeats a password.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError
from singerkit.settings.secrets import redact
from tap_postgres.types import NESTED_ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TLS_REMEDY = (
    "set ssl_root_cert to the CA that signed the server, or ssl_mode to require (encrypted, not verified) "
    "or disable (only on a network you trust)"
)

_TOO_SLOW = "raise statement_timeout_s, or read less at once"
_BROKEN = "closed the connection|SSL connection has been closed|SSL SYSCALL error|terminating connection"
_NO_QUERY = f"canceling statement due to|{_BROKEN}"
"""Errors of a row that comes late carry no SQLSTATE; these are not about a row."""

# SQLSTATE, or a piece of libpq's text where it hands over no code (all of them before the session exists).
_BY_CODE: Mapping[str, tuple[type[SingerkitError], str]] = {
    "28": (CredentialsError, "check user and password"),
    "42501": (CredentialsError, "grant it: GRANT USAGE ON SCHEMA s TO role; GRANT SELECT ON TABLE s.t TO role"),
    "3D000": (SettingsError, "check the setting database"),
    "57014": (UnavailableError, _TOO_SLOW),
    "42P01": (SettingsError, "the table was dropped or renamed since discovery: refresh the catalog"),
    "42703": (SettingsError, "a column was dropped or renamed since discovery: refresh the catalog"),
    "3F000": (SettingsError, "the schema was dropped or renamed since discovery: refresh the catalog"),
    "53": (UnavailableError, "the server is out of memory, disk or connections: try later"),
    "57": (UnavailableError, "the server is stopping or starting: try later"),
    "08": (UnavailableError, "check the network and the server's log"),
}
_BY_TEXT: tuple[tuple[str, type[SingerkitError], str], ...] = (
    (
        r"password authentication failed|no password supplied|role .* does not exist",
        CredentialsError,
        "check user and password",
    ),
    (
        r"pg_hba\.conf",
        CredentialsError,
        "the server's pg_hba.conf must let this user in from here, or try another ssl_mode",
    ),
    (
        r"permission denied for database|not permitted to log in",
        CredentialsError,
        "grant LOGIN and CONNECT to the role",
    ),
    (r"database .* does not exist", SettingsError, "check the setting database"),
    (f"{_BROKEN}|connection .*lost", UnavailableError, "see the server's log; run again"),
    (r"certificate|SSL|TLS", SettingsError, TLS_REMEDY),
    (r"could not translate host name|name or service|resolve", UnavailableError, "check the setting host"),
    (r"Connection refused", UnavailableError, "check host and port, and whether the server runs and listens there"),
    (r"canceling statement due to", UnavailableError, _TOO_SLOW),
    (r"timeout|timed out", UnavailableError, "check host, port and firewalls, or raise connect_timeout_s"),
)
_WRAPPINGS = (
    r"^[A-Z_]+: ",
    r"^\[libpq\] ",
    r"^(Failed to (connect|prepare query|execute query)|Execution error \[\w+\])(: could not begin COPY)?: ",
    r"^connection failed: ",
    r"^connection to server .*? failed: ",
    r"^(ERROR|FATAL|PANIC): +",
)


@contextlib.contextmanager
def translated(params: Mapping[str, str], **where: object) -> Iterator[None]:
    """Raise what a driver raises inside the block as one of our errors."""
    import adbc_driver_manager as adbc
    import psycopg
    import pyarrow as pa

    try:
        yield
    except (psycopg.Error, adbc.Error, pa.ArrowException, OSError) as error:  # a late error of ADBC is an OSError
        if isinstance(error, BrokenPipeError):  # the reader of our own output
            raise
        raise translate(error, params, **where) from error


def translate(error: BaseException, params: Mapping[str, str], **where: object) -> SingerkitError:
    """Return our error for a driver's: by SQLSTATE, else by text, else as a server that did not answer.

    A server that is gone is gone for every stream: only what one query did, its timeout too, is said of a stream.
    """
    text = _text(error, params)
    cls, remedy = _meaning(str(getattr(error, "sqlstate", None) or ""), text, str(error))
    everybody = cls is UnavailableError and remedy != _TOO_SLOW
    if everybody or not where:
        where = {"host": params.get("host"), "port": params.get("port"), "database": params.get("dbname")}
    return cls(text, remedy=remedy, **where)


def _meaning(code: str, text: str, message: str) -> tuple[type[SingerkitError], str]:
    if NESTED_ARRAY in text:
        return DataError, "declare the column with its dimensions, as in integer[][], or deselect it"
    for known in (code, code[:2]):
        if known in _BY_CODE:
            return _BY_CODE[known]
    if code or (message.find("ERROR:") >= 0 and not re.search(_NO_QUERY, text)):
        return DataError, "the server refused this query or a row of it"
    for pattern, cls, remedy in _BY_TEXT:
        if re.search(pattern, text, re.IGNORECASE):
            return cls, remedy
    return UnavailableError, "check the server and the network between"


class DataError(SingerkitError):
    """A stream whose rows cannot be read as they are; the other streams are not touched by it."""

    exit_code = 3


def _text(error: BaseException, params: Mapping[str, str]) -> str:
    """Return the first line of the message without the drivers' wrapping, and without a password."""
    secrets = {value for name in ("password", "sslpassword") if (value := params.get(name))}
    message = redact(str(error), secrets)
    for wrapping in _WRAPPINGS:
        message = re.sub(wrapping, "", message, count=1)
    first = next((line for line in message.splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"\.? ?SQLSTATE: \w+$", "", first.strip())
