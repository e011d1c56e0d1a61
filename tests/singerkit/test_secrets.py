"""No secret leaves by a text: by value in every form, and by name where the value is not known."""

import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.logging import StructuredFormatter

from singerkit.settings import secrets
from singerkit.settings.secrets import MASK, by_name, guard_logs, guard_stderr, hide, redact

SECRET = 'can"ary p@ss/1'


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with nothing to hide."""
    monkeypatch.setattr(secrets, "_known", ())


@pytest.fixture(params=[logging.Formatter, StructuredFormatter], ids=["plain", "structured"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Give what a handler of the root logger writes, by a formatter of lines or of JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


FORMS = {
    "plain": SECRET,
    "url": "can%22ary%20p%40ss%2F1",
    "form": "can%22ary+p%40ss%2F1",
    "json": 'can\\"ary p@ss/1',
    "base64": "Y2FuImFyeSBwQHNzLzE=",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_a_secret_is_replaced_in_every_form_a_text_may_have(text: str) -> None:
    """Plain, URL-encoded, JSON-escaped, base64: none of them stays."""
    hide([SECRET])

    assert secrets.redacted(f"could not use {text} twice: {text}") == f"could not use {MASK} twice: {MASK}"


def test_a_log_line_and_its_traceback_hold_no_secret(written: io.StringIO) -> None:
    """The text of an exception, of what caused it, and of its frames are ways out too."""
    hide(["canary-of-a-log"])
    try:
        try:
            raise KeyError("canary-of-a-log")
        except KeyError as cause:
            raise ValueError("it was canary-of-a-log") from cause
    except ValueError:
        logging.getLogger("any").exception("failed with %s", "canary-of-a-log", extra={"more": "canary-of-a-log"})

    assert "canary-of-a-log" not in written.getvalue()
    assert MASK in written.getvalue()
    assert "KeyError" in written.getvalue()


def test_handlers_are_guarded_once(written: io.StringIO) -> None:
    """Being told of secrets again and again costs nothing more a line."""
    guard_logs()
    before = [handler.formatter for handler in logging.getLogger().handlers]
    hide(["canary-twice"])

    assert [handler.formatter for handler in logging.getLogger().handlers] == before


def test_what_a_dying_thread_says_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes the traceback of a thread to stderr, past all logs."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    hide(["canary-of-a-thread"])
    guard_stderr()
    args = threading.ExceptHookArgs((ValueError, ValueError("canary-of-a-thread"), None, None))

    threading.__excepthook__(args)

    assert "ValueError: ***" in stream.getvalue()
    assert "canary" not in stream.getvalue()


NAMED = [
    ('{"password": "canary", "host": "h"}', '{"password": "***", "host": "h"}'),
    ("{'api_token': 'can\\'ary x', 'n': 1}", "{'api_token': '***', 'n': 1}"),
    ("password=canary host=h", "password=*** host=h"),
    ("GET /x?a=1&access_token=canary&b=2", "GET /x?a=1&access_token=***&b=2"),
    ("client_secret='canary'", "client_secret=***"),
    ("Authorization: Bearer canary-canary", "Authorization: ***"),
    ("X-Api-Key: canary-canary", "X-Api-Key: ***"),
    ("Cookie: session-canary", "Cookie: ***"),
    ("postgresql://u:canary@h/db", "postgresql://u:***@h/db"),
    ("aws_secret_access_key=canary", "aws_secret_access_key=***"),
]
KEPT = [
    "token: missing",
    "password: must be a text",
    "ssh_tunnel.password | private_key: one must be given, not 0",
    "nobody is logged in (token_file=/home/ada/tokens.json)",
    "duplicate keys, stream=orders, key=42",
    "primary_keys=['id']",
    "remaining_tokens=40",
    "token=missing",
    "http://host:8080/path@x",
    "see https://docs.example/tokens: there",
    '{"token_url": "https://acme.example/token"}',
]


@pytest.mark.parametrize(("text", "shown"), NAMED)
def test_what_stands_behind_a_secret_name_is_masked(text: str, shown: str) -> None:
    """Where nobody said that a value is a secret, its name may: in JSON, queries, headers and addresses."""
    assert by_name(text) == shown


@pytest.mark.parametrize("text", KEPT)
def test_sentences_stay_readable(text: str) -> None:
    """What only speaks of secrets says all it has to say."""
    assert by_name(text) == text


def test_a_short_word_is_no_secret_by_value() -> None:
    """Masking `no` everywhere would blur every line and hide nothing."""
    hide(["no", "canary"])

    assert secrets.redacted("no canary") == "no ***"


@given(st.lists(st.text("ab", min_size=4, max_size=8), max_size=4), st.text("ab", max_size=40))
def test_no_secret_survives_whatever_overlaps(found: list[str], text: str) -> None:
    """After redaction no secret is a part of the text, also where one contains or overlaps another."""
    assert not any(secret in redact(text, found) for secret in found)


@given(st.text(max_size=60))
def test_any_text_can_be_masked(text: str) -> None:
    """Masking is total: it ends, whatever the text."""
    assert isinstance(by_name(text), str)
