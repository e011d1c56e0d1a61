"""What drivers say of a connection that breaks, in our own classes: a broken connection is no wrong setting."""

from __future__ import annotations

import psycopg
import pytest

from singerkit.errors import SettingsError, UnavailableError
from tap_postgres.failures import TLS_REMEDY, translate

BROKEN = [
    "server closed the connection unexpectedly",
    "SSL connection has been closed unexpectedly",
    "SSL SYSCALL error: EOF detected",
    "SSL SYSCALL error: Connection reset by peer",
    "terminating connection due to administrator command",
]
TLS = [
    'server certificate for "a" does not match host name "b"',
    "SSL error: certificate verify failed",
    "server does not support SSL, but SSL was required",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_connection_that_breaks_is_tried_again(text: str) -> None:
    """Under TLS too: exit code 6, not the advice to change it."""
    error = translate(psycopg.OperationalError(text), {"host": "h"}, stream="s")

    assert isinstance(error, UnavailableError)
    assert str(error) == f"{text} (host=h); see the server's log; run again"


@pytest.mark.parametrize("text", TLS)
def test_tls_that_cannot_be_had_is_a_setting(text: str) -> None:
    """Exit code 2, with what to set."""
    error = translate(psycopg.OperationalError(text), {"host": "h"})

    assert isinstance(error, SettingsError)
    assert error.remedy == TLS_REMEDY
