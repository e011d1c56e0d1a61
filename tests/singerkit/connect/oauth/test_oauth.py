"""OAuth as values: addresses, challenges, answers and expiry, for whatever a service may send."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.connect.oauth import Attempt, Client, OAuthKind, Tokens, at, authorize_address, code_in, tokens_in
from singerkit.errors import CredentialsError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KIND = OAuthKind(
    name="Acme",
    authorize_url="https://acme.example/authorize?version=2",
    token_url="https://acme.example/token",
    scopes=("a", "b"),
    parameters={"access_type": "offline"},
)
ATTEMPT = Attempt("http://127.0.0.1:8765/callback", "the state", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_the_challenge_is_that_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    assert ATTEMPT.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_address_holds_everything_that_ties_the_answer_to_it() -> None:
    """And what the kind's row adds; no secret, and the verifier only as its hash."""
    address = authorize_address(KIND, Client("me", "canary-secret"), ATTEMPT)

    assert address.startswith("https://acme.example/authorize?version=2&")
    assert {name: texts[0] for name, texts in parse_qs(urlsplit(address).query).items()} == {
        "version": "2",
        "access_type": "offline",
        "response_type": "code",
        "client_id": "me",
        "redirect_uri": "http://127.0.0.1:8765/callback",
        "scope": "a b",
        "state": "the state",
        "code_challenge": ATTEMPT.challenge,
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize(("separator", "scope"), [(",", "x,y"), (" ", "x y")])
def test_scopes_of_the_settings_take_the_place_of_the_kinds(separator: str, scope: str) -> None:
    """In the form that the service wants."""
    kind = OAuthKind(name="x", authorize_url="https://x", token_url="https://x", scope_separator=separator)
    address = authorize_address(kind, Client("me"), ATTEMPT, ("x", "y"))

    assert parse_qs(urlsplit(address).query)["scope"] == [scope]


@given(st.text(min_size=1))
def test_a_code_comes_through_whatever_it_is_made_of(code: str) -> None:
    """Escaped by the service, read back to the letter."""
    answer = urlencode({"code": code, "state": "the state"}, errors="replace")

    assert code_in(f"http://127.0.0.1:8765/callback?{answer}#", ATTEMPT) == code.encode(errors="replace").decode()


@given(st.text() | st.text().map(lambda text: f"http://[::1?state={text}&code=x"))
def test_reading_an_answer_is_total(address: str) -> None:
    """Whatever is pasted gives one clear error, as long as it does not hold the state."""
    with pytest.raises(CredentialsError):
        code_in(address.replace("the", ""), ATTEMPT)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ({}, Tokens("x", NOON, "old", None, ("s",), "42", "Ada")),
        ({"expires_in": 60}, Tokens("x", NOON, "old", NOON + timedelta(seconds=60), ("s",), "42", "Ada")),
        ({"expires_in": "60"}, Tokens("x", NOON, "old", NOON + timedelta(seconds=60), ("s",), "42", "Ada")),
        ({"expires_in": -1}, Tokens("x", NOON, "old", NOON, ("s",), "42", "Ada")),
        ({"expires_in": "soon"}, Tokens("x", NOON, "old", None, ("s",), "42", "Ada")),
        ({"refresh_token": "new"}, Tokens("x", NOON, "new", None, ("s",), "42", "Ada")),
        ({"refresh_token": 5}, Tokens("x", NOON, "old", None, ("s",), "42", "Ada")),
        ({"scope": "a,b c"}, Tokens("x", NOON, "old", None, ("a", "b", "c"), "42", "Ada")),
        ({"scope": ["a", "b"]}, Tokens("x", NOON, "old", None, ("a", "b"), "42", "Ada")),
    ],
)
def test_what_an_answer_leaves_out_stays(answer: dict[str, Any], read: Tokens) -> None:
    """Services differ in what they repeat."""
    before = Tokens("old access", NOON, "old", NOON, ("s",), "42", "Ada")

    assert tokens_in({"access_token": "x", **answer}, KIND, NOON, before) == read


@given(st.dictionaries(st.sampled_from(["access_token", "refresh_token", "expires_in", "scope"]), JSON))
def test_reading_tokens_is_total(answer: dict[str, Any]) -> None:
    """Any JSON object gives tokens or one clear error."""
    try:
        tokens = tokens_in(answer, KIND, NOON)
    except CredentialsError:
        return
    assert tokens.access_token == answer["access_token"]
    assert not tokens.expires_at or tokens.expires_at >= NOON


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("id", "7"),
        ("team.0.name", "Ada"),
        ("team.1.name", None),
        ("team.name", None),
        ("id.x", None),
        ("flag", "True"),
        ("team", None),
        ("", None),
    ],
)
def test_a_path_leads_to_a_text_or_to_nothing(path: str, found: str | None) -> None:
    """Names and numbers of accounts, wherever the service puts them."""
    assert at({"id": 7, "team": [{"name": "Ada"}], "flag": True}, path) == found


@given(JSON, st.text(alphabet="ab.01", max_size=8))
def test_following_a_path_is_total(answer: Any, path: str) -> None:
    """Whatever the service answers, whatever the row says."""
    assert at(answer, path) is None or isinstance(at(answer, path), str)
