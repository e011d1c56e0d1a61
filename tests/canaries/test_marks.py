"""The finder of marked secrets finds them: a test of leaks that could not fail would be worth nothing."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from .marks import PIECE, key, leaks, mark

SECRET = mark("a password")
HIDDEN = {
    "plain": SECRET,
    "in part": f"... {SECRET[:20]}",
    "url": quote(SECRET, safe=""),
    "form": quote_plus(SECRET),
    "json": json.dumps(SECRET),
    "html": html.escape(SECRET),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "basic": base64.b64encode(f"ada:{SECRET}".encode()).decode(),
    "basic of a longer name": base64.b64encode(f"grace:{SECRET}".encode()).decode(),
    "url-safe base64": base64.urlsafe_b64encode(f"x{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_a_secret_in_any_form_is_found(text: str) -> None:
    """Whole, cut, encoded or escaped."""
    assert leaks(f"before {text} after".encode(), [SECRET])


def test_a_line_of_a_key_is_found() -> None:
    """Each line of a key is as secret as the whole."""
    assert leaks(key("k").splitlines()[2].encode(), [key("k")])


def test_what_is_no_secret_is_not_found() -> None:
    """Neither other marks nor a few letters are an accident."""
    assert leaks(f"{mark('another')} {SECRET[: PIECE - 1]}".encode(), [SECRET, key("k")]) == []
