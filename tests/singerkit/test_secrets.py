"""No secret leaves by a log."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.settings.secrets import MASK, RedactingFilter, redact, secret_values

SCHEMA: dict[str, Any] = {
    "properties": {
        "password": {"secret": True},
        "storage_options": {"secret": True},
        "connection_url": {},
        "host": {},
    }
}
CONFIG = {
    "password": 'can"ary p@ss/1',
    "storage_options": {"key": "canary-key-2"},
    "connection_url": "postgresql://u:canary%2D3@h/db",
    "host": "localhost",
}


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Give what a handler with the filter writes through the logger `canary`."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler, logger = Keep(), logging.getLogger("canary")
    handler.addFilter(RedactingFilter(secret_values(CONFIG, SCHEMA)))
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "text",
    [
        'can"ary p@ss/1',
        "can%22ary%20p%40ss%2F1",
        "can%22ary+p%40ss%2F1",
        'can\\"ary p@ss/1',
        "Y2FuImFyeSBwQHNzLzE=",
        "canary-key-2",
        "canary%2D3",
        "canary-3",
    ],
    ids=["plain", "url", "form", "json", "base64", "inside-an-object", "in-an-address", "in-an-address-decoded"],
)
def test_a_secret_is_replaced_in_every_form_a_log_may_show(text: str, lines: list[str]) -> None:
    """Plain, URL-encoded, JSON-escaped, base64: none of them stays."""
    logging.getLogger("canary").error("could not use %s", text)

    assert lines == [f"could not use {MASK}"]


def test_a_secret_is_replaced_in_a_traceback(lines: list[str]) -> None:
    """The text of an exception is a way out too."""
    try:
        raise ValueError(CONFIG["password"])
    except ValueError:
        logging.getLogger("canary").exception("failed")

    assert "canary" not in lines[0].replace("test_secrets", "")
    assert lines[0].endswith(f"ValueError: {MASK}")


def test_what_is_no_secret_stays(lines: list[str]) -> None:
    """Hosts and short words stay readable."""
    logging.getLogger("canary").error("no answer from %s", CONFIG["host"])

    assert lines == ["no answer from localhost"]


@given(st.lists(st.text("ab", min_size=4, max_size=8), max_size=4), st.text("ab", max_size=40))
def test_no_secret_survives_whatever_overlaps(secrets: list[str], text: str) -> None:
    """After redaction no secret is a part of the text, also where one contains or overlaps another."""
    assert not any(secret in redact(text, secrets) for secret in secrets)
