"""No secret leaves by a text: by value in every form, and by name where the value is not known."""

import base64
import io
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator

import click
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
    "url in small letters": "can%22ary%20p%40ss%2f1",
    "html": "can&quot;ary p@ss/1",
    "base64": "Y2FuImFyeSBwQHNzLzE=",
}


KEY = "-----BEGIN KEY-----\nQ2FuYXJ5IG9uZQ==\nQ2FuYXJ5IHR3bw==\n-----END KEY-----\n"
"""Several lines, as private keys have them."""


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "ada@example.com"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_behind_others_in_base64(user: str, encode: Callable[[bytes], bytes]) -> None:
    """`Authorization: Basic` holds user and password together: what is left shows the user and no more."""
    password = "canary?of>a~header"
    hide([password])

    shown = secrets.redacted(f"sent {encode(f'{user}:{password}'.encode()).decode()} once")

    assert re.fullmatch(r"sent [\w=+/-]*\*\*\*[\w=+/-]{0,3} once", shown)
    kept = shown.split()[1].partition(MASK)[0]
    assert base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4))[: len(user) + 1].decode() in f"{user}:{password[0]}"


KEYS = {
    "whole": (KEY, MASK),
    "on one line": (" ".join(KEY.split()), MASK),
    "escaped": (json.dumps(KEY), f'"{MASK}"'),
    "one line of it": ("bad base64 at Q2FuYXJ5IHR3bw==", f"bad base64 at {MASK}"),
}


@pytest.mark.parametrize(("text", "shown"), KEYS.values(), ids=KEYS)
def test_a_secret_of_several_lines(text: str, shown: str) -> None:
    """A key is hidden whole, as errors write it on one line, and line by line."""
    hide([KEY])

    assert secrets.redacted(text) == shown


NAMES: dict[str, tuple[object, set[str]]] = {
    "a header": ({"headers": {"Authorization": "Bearer canary-123"}}, {"Bearer canary-123", "canary-123"}),
    "in a list": ([{"api_key": "canary-123"}, {"API-Key": "canary-456"}], {"canary-123", "canary-456"}),
    "a name for one": ({"auth": {"token": "{token}"}}, set()),
    "a word": ({"token": "header"}, set()),
    "an address": ({"token_url": "https://acme.example/token"}, set()),
    "no object": ("canary-123", set()),
}


@pytest.mark.parametrize(("value", "found"), NAMES.values(), ids=NAMES)
def test_names_inside_of_settings_say_what_is_secret(value: object, found: set[str]) -> None:
    """What a person writes into a free object is known by its names, unless it only stands for a setting."""
    assert {*secrets.named_secrets(value)} == found


def test_answers_of_verbs_hold_no_known_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is masked by value; names are let be, since answers are also read by programs."""
    hide(["canary-of-an-answer"])
    with secrets.guarded_stdout():
        click.echo('{"token": "canary-of-an-answer", "next_token": "abc"}')
    click.echo("canary-of-an-answer")

    assert capsys.readouterr().out.splitlines() == ['{"token": "***", "next_token": "abc"}', "canary-of-an-answer"]


def test_handlers_of_other_loggers_are_guarded_too() -> None:
    """A logging configuration may give a logger handlers of its own."""
    stream, logger = io.StringIO(), logging.getLogger("singerkit.tests.own")
    logger.propagate = False
    logger.addHandler(handler := logging.StreamHandler(stream))
    hide(["canary-of-a-logger"])
    logger.warning("it was canary-of-a-logger")
    logger.removeHandler(handler)

    assert stream.getvalue() == "it was ***\n"


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


@pytest.mark.parametrize("text", ['{"done": true, "left": null}', "allow_http=false"])
def test_a_switch_is_no_secret(text: str) -> None:
    """A switch among secret options blurs no answer."""
    hide(["true", "False", "null"])

    assert secrets.masked(text) == text


@given(st.lists(st.text("ab", min_size=4, max_size=8), max_size=4), st.text("ab", max_size=40))
def test_no_secret_survives_whatever_overlaps(found: list[str], text: str) -> None:
    """After redaction no secret is a part of the text, also where one contains or overlaps another."""
    assert not any(secret in redact(text, found) for secret in found)


@given(st.text(max_size=60))
def test_any_text_can_be_masked(text: str) -> None:
    """Masking is total: it ends, whatever the text."""
    assert isinstance(by_name(text), str)


def test_a_terminal_of_ascii_is_masked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """click writes bytes past a stream whose encoding it does not believe: past the mask."""
    inner = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(inner, encoding="ascii", write_through=True))
    hide(["canary-of-ascii"])
    with secrets.guarded_stdout():
        click.echo("it is canary-of-ascii")

    assert inner.getvalue() == b"it is ***\n"
