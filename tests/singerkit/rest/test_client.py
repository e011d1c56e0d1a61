"""The client over real sockets: what passes is retried, what is permanent fails at once in the vendor's words."""

import gzip
import json
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from singerkit.connect.hosts import HostGuard
from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError
from singerkit.rest import auth
from singerkit.rest.auth import ApiKey, Auth, Basic, Bearer, Rotating
from singerkit.rest.client import Client, StoppingError
from singerkit.rest.endpoint import Source
from singerkit.rest.message import Request
from singerkit.rest.refusals import Sending
from singerkit.rest.retry import Policy
from singerkit.rest.rules import Rule
from singerkit.rest.tokens import JwtLogin, OAuth2, SessionLogin
from singerkit.testing.fake_api import Asked, FakeApi, Reply, Trouble

QUICK = Policy(attempts=4, base_s=0.001, deadline_s=5, longest_wait_s=2)
SENDING = Sending("items", scopes=("items:read",), scopes_help="Settings > API keys")


@pytest.fixture
def other() -> Iterator[FakeApi]:
    with FakeApi() as served:
        yield served


def client(api: FakeApi, credentials: Auth | None = None, policy: Policy = QUICK, **more: Any) -> Client:
    headers = {"X-Version": "7"}
    source = Source(base_url=api.url, auth=credentials or auth.NoAuth(), policy=policy, headers=headers)
    return Client(source, timeout_s=0.5, **more)


def get(api: FakeApi, path: str = "/items") -> Request:
    return Request("GET", api.url + path)


PASSING = {
    "429": Trouble(status=429),
    "429-seconds": Trouble(status=429, headers={"Retry-After": "0"}),
    "429-date": Trouble(status=429, headers={"Retry-After": format_datetime(datetime.now(UTC))}),
    "429-reset-epoch": Trouble(status=429, headers={"X-RateLimit-Reset": "1700000000"}),
    "429-reset-delta": Trouble(status=429, headers={"RateLimit-Reset": "0"}),
    "500": Trouble(status=500, body={"error": "oops"}),
    "503": Trouble(status=503),
    "reset": Trouble(reset=True),
    "cut": Trouble(cut=True),
    "slow": Trouble(delay_s=0.7),
    "not-json": Trouble(status=200, body=b"<html>maintenance</html>"),
    "cut-json": Trouble(status=200, body=b'{"data": ['),
}


@pytest.mark.parametrize("trouble", PASSING)
def test_what_passes_is_asked_again(trouble: str, api: FakeApi) -> None:
    """Storms of 429 and 5xx, resets, silence, cut and unparsable bodies cost time, not records."""
    api.route("/items", [1])
    times = 1 if trouble == "slow" else 3
    api.trouble(*[PASSING[trouble]] * times)

    said, answer = client(api).send(get(api), SENDING)

    assert (said, answer.body) == ("read", [1])
    assert len(api.asked) == times + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (Trouble(status=503), "it answers 503"),
        (Trouble(cut=True), "its answer is cut"),
        (Trouble(status=200, body=b"<html>"), "its answer is not JSON, or is cut"),
        (Trouble(delay_s=0.7), "it does not answer in time"),
        (
            Trouble(status=429, headers={"Retry-After": "3600"}),
            "it answers 429 and asks for a longer wait than is allowed",
        ),
    ],
    ids=["status", "cut", "html", "silence", "too-long"],
)
def test_after_the_last_attempt_the_error_says_why(trouble: Trouble, why: str, api: FakeApi) -> None:
    """Patience ends after so many attempts; the error names stream, request and why, and exits with 6."""
    api.route("/items", [1])
    api.trouble(*[trouble] * 4)

    with pytest.raises(UnavailableError) as caught:
        client(api, policy=Policy(attempts=2, base_s=0.001, longest_wait_s=2)).send(get(api), SENDING)

    assert str(caught.value) == (
        f"the server does not serve this: {why} (stream=items, request=GET /items, host=127.0.0.1); "
        "try again later; more patience: max_attempts, retry_deadline_s, request_timeout_s"
    )


def test_a_server_that_is_not_there_ends_the_run() -> None:
    """Where no stream would fare better, the error names none, so that the run ends at once."""
    gone = FakeApi()
    gone.server.server_close()

    with pytest.raises(UnavailableError, match="it cannot be reached") as caught:
        client(gone).send(get(gone), SENDING)

    assert "stream" not in caught.value.where


def test_the_deadline_ends_the_attempts(api: FakeApi) -> None:
    """A wait that would pass the deadline is not begun."""
    api.trouble(*[Trouble(status=503, headers={"Retry-After": "1"})] * 9)

    with pytest.raises(UnavailableError, match="it answers 503; the deadline is reached"):
        client(api, policy=Policy(deadline_s=0.5)).send(get(api), SENDING)

    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (
            403,
            {"error": {"message": "key lacks a scope"}},
            CredentialsError,
            (
                "the server refuses this: key lacks a scope (stream=items, request=GET /items, host=127.0.0.1, "
                "status=403); grant items:read (Settings > API keys), or deselect the stream"
            ),
        ),
        (
            401,
            {"errors": [{"detail": "bad key"}]},
            CredentialsError,
            (
                "the server refuses this: bad key (request=GET /items, host=127.0.0.1, status=401); "
                "grant items:read (Settings > API keys), or deselect the stream"
            ),
        ),
        (
            404,
            {"title": "no such thing"},
            SettingsError,
            (
                "the server refuses this: no such thing (stream=items, request=GET /items, host=127.0.0.1, "
                "status=404); check the stream's row and the settings"
            ),
        ),
        (400, b"<html>", SettingsError, "the server refuses this (stream=items, request=GET /items"),
        (422, b"plain words", SettingsError, "the server refuses this: plain words (stream"),
    ],
    ids=["403", "401", "404", "400", "422"],
)
def test_a_permanent_error_fails_at_once(
    status: int, body: Any, kind: type[SingerkitError], said: str, api: FakeApi
) -> None:
    """The vendor's own words, the missing scope and how to grant it; one request, and no query in the text."""
    api.route("/items", Reply(body, status))

    with pytest.raises(kind) as caught:
        client(api).send(Request("GET", api.url + "/items", {"key": "canary"}), SENDING)

    assert str(caught.value).startswith(said)
    assert "canary" not in str(caught.value)
    assert len(api.asked) == 1


def test_the_vendors_words_hold_no_secret(api: FakeApi) -> None:
    """A vendor that repeats the key in its error is redacted before the words are cut."""
    api.route("/items", Reply({"message": "x" * 290 + " key sk-canary-123 is wrong"}, 403))

    with pytest.raises(CredentialsError) as caught:
        client(api, redact=lambda text: text.replace("sk-canary-123", "***")).send(get(api), SENDING)

    assert "sk-" not in str(caught.value)


SIGNED = {
    "api-key-header": (ApiKey(name="X-Key", key="k1"), {"x-key": "k1"}, {}),
    "api-key-query": (ApiKey(name="key", key="k1", place="query"), {}, {"key": "k1"}),
    "api-key-prefix": (ApiKey(name="Authorization", key="k1", prefix="Key "), {"authorization": "Key k1"}, {}),
    "bearer": (Bearer(token="t1"), {"authorization": "Bearer t1"}, {}),
    "basic": (Basic(user="u", password="p"), {"authorization": "Basic dTpw"}, {}),
}


@pytest.mark.parametrize("way", SIGNED)
def test_requests_are_signed(way: str, api: FakeApi) -> None:
    """Each way to sign puts its credential where the vendor wants it, and the repr of a row shows none."""
    credentials, headers, query = SIGNED[way]
    api.route("/items", [])

    client(api, credentials).send(get(api))

    asked = api.asked[0]
    assert headers.items() <= asked.headers.items()
    assert asked.query == query
    assert "k1" not in repr(credentials)
    assert "t1" not in repr(credentials)


@pytest.mark.parametrize("way", ["api-key-header", "api-key-query", "bearer", "basic"])
@pytest.mark.parametrize("by", ["redirect", "next-link"])
def test_credentials_never_reach_another_origin(way: str, by: str, api: FakeApi, other: FakeApi) -> None:
    """A redirect or a next link to another origin, another port included, goes without credentials and headers."""
    other.route("/items", [1])
    api.route("/items", Reply(None, 302, {"Location": other.url + "/items"}))

    said, answer = client(api, SIGNED[way][0]).send(get(api if by == "redirect" else other))

    assert (said, answer.body) == ("read", [1])
    seen = other.asked[0]
    assert not {"authorization", "x-key", "x-version"} & seen.headers.keys()
    assert seen.query == {}


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_never_follows_to_another_origin(status: int, api: FakeApi, other: FakeApi) -> None:
    """A body may hold credentials: a redirect that would carry it elsewhere is refused, and so is a next address."""
    api.route("/items", Reply(None, status, {"Location": other.url + "/items"}))
    posted = Request("POST", api.url + "/items", body={"secret": 1})

    for request in (posted, Request("POST", other.url + "/items", body={"secret": 1})):
        with pytest.raises(CredentialsError) as caught:
            client(api).send(request, SENDING)
        assert str(caught.value) == (
            "a redirect or a next address would carry the request's body to another host "
            "(request=POST /items, host=127.0.0.1, to=127.0.0.1); if that host is right, put it into the settings"
        )
    assert other.asked == []


def test_redirects_within_the_origin_keep_the_credentials(api: FakeApi) -> None:
    """A redirect on the same origin is signed again; a POST that is answered with 303 becomes a GET."""
    api.route("/items", Reply(None, 303, {"Location": "/there"}))
    api.route("/there", [1])

    _, answer = client(api, Bearer(token="t1")).send(Request("POST", api.url + "/items", body={"q": 1}))

    assert answer.body == [1]
    assert (api.asked[1].method, api.asked[1].headers["authorization"]) == ("GET", "Bearer t1")


def test_a_redirect_after_a_redirect_is_relative_to_the_one_before(api: FakeApi, other: FakeApi) -> None:
    """From home to another origin and on there: relative to where one is, and still without credentials."""
    api.route("/items", Reply(None, 302, {"Location": other.url + "/a"}))
    other.route("/a", Reply(None, 302, {"Location": "/b"}))
    other.route("/b", [1])

    _, answer = client(api, Bearer(token="t1")).send(get(api))

    assert answer.body == [1]
    assert [(asked.path, "authorization" in asked.headers) for asked in other.asked] == [("/a", False), ("/b", False)]


def test_redirects_that_never_end(api: FakeApi) -> None:
    """A circle of redirects is an error, not a loop."""
    api.route("/items", Reply(None, 302, {"Location": "/items"}))

    with pytest.raises(UnavailableError, match=r"too many redirects .*; check the address in the settings"):
        client(api).send(get(api))


def test_an_address_that_is_none(api: FakeApi) -> None:
    """What is no address is a matter of settings."""
    source = Source(base_url="no-address")

    with pytest.raises(SettingsError, match=r"this is no address .*; check the base address"):
        Client(source).send(Request("GET", "no-address/items"))


def test_a_base_address_with_a_wrong_port_or_scheme() -> None:
    """Each is a matter of settings, said before or at the first request."""
    with pytest.raises(SettingsError, match=r"the base address is no address; write it like https://api\."):
        Client(Source(base_url="http://host:abc"))
    with pytest.raises(SettingsError, match=r"this is no address .*; check the base address"):
        Client(Source(base_url="htp://host")).send(Request("GET", "htp://host/items"))


@pytest.mark.parametrize("token", ["canary\nb", "canary\u200b", "canary\u20ac"])
def test_a_credential_that_no_header_can_hold(token: str, api: FakeApi) -> None:
    """What slipped in while a secret was copied is a matter of settings, and no part of the secret is said."""
    with pytest.raises(SettingsError) as caught:
        client(api, Bearer(token=token)).send(get(api))

    assert str(caught.value) == (
        "a credential or a header holds what none can (request=GET /items, host=127.0.0.1); "
        "copy it anew: a line end, or a sign that is no letter, has slipped in"
    )
    assert caught.value.__suppress_context__


def tokens(api: FakeApi, **more: Any) -> None:
    """Serve tokens t1, t2, ... ; /items accepts the newest only."""
    state = {"n": 0}

    def give(asked: Asked) -> Reply:
        state["n"] += 1
        return Reply({"access_token": f"t{state['n']}", "refresh_token": f"r{state['n']}", **more})

    def items(asked: Asked) -> Reply:
        good = asked.headers.get("authorization") == f"Bearer t{state['n']}"
        return Reply([1]) if good else Reply({"message": "expired"}, 401)

    api.route("/token", give)
    api.route("/items", items)


def oauth(api: FakeApi, **more: Any) -> OAuth2:
    return OAuth2(token_url=api.url + "/token", client_id="id", client_secret="s3cret", **more)


def test_client_credentials(api: FakeApi) -> None:
    """The token is fetched once and used for every request."""
    tokens(api, expires_in=3600)
    one = client(api, oauth(api, scope="a b", extra={"audience": "x"}))

    one.send(get(api))
    one.send(get(api))

    assert [asked.path for asked in api.asked] == ["/token", "/items", "/items"]
    asked = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "s3cret"}
    assert api.asked[0].body == {**asked, "scope": "a b", "audience": "x"}


def test_a_refresh_token_is_rotated(api: FakeApi, tmp_path: Path) -> None:
    """The refresh token that came last is used next; a token at its end is renewed before it is used."""
    tokens(api, expires_in=0)
    one = client(api, oauth(api, refresh_token="r0", token_file=str(tmp_path / "t")))

    one.send(get(api))
    one.send(get(api))

    assert refreshed(api) == ["r0", "r1"]


def refreshed(api: FakeApi) -> list[str]:
    return [asked.body["refresh_token"] for asked in api.asked if asked.path == "/token"]


def test_a_rotated_refresh_token_is_there_for_the_next_run(api: FakeApi, tmp_path: Path) -> None:
    """Each run begins with what the run before it left: a good token is used, else the newest refresh token."""
    tokens(api, expires_in=3600)
    file = tmp_path / "logins" / "acme.json"
    login = oauth(api, refresh_token="r0", token_file=str(file))
    client(api, login).send(get(api))

    client(api, login).send(get(api))
    api.trouble(Trouble(status=401, path="/items"))
    client(api, login).send(get(api))

    assert refreshed(api) == ["r0", "r1"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert (json.loads(file.read_text())["access_token"], json.loads(file.read_text())["refresh_token"]) == ("t2", "r2")


def test_a_new_refresh_token_in_the_settings_begins_anew(api: FakeApi, tmp_path: Path) -> None:
    """Who logs in again and puts the new refresh token into the settings is not held to the old file."""
    tokens(api, expires_in=3600)
    file = str(tmp_path / "t")
    client(api, oauth(api, refresh_token="r0", token_file=file)).send(get(api))

    client(api, oauth(api, refresh_token="again", token_file=file)).send(get(api))

    assert refreshed(api) == ["r0", "again"]


def test_a_token_that_outlives_the_calendar(api: FakeApi, tmp_path: Path) -> None:
    """The new refresh token is kept, however long the server says that its access token lives."""
    tokens(api, expires_in=10**12)
    login = oauth(api, refresh_token="r0", token_file=str(tmp_path / "t"))

    client(api, login).send(get(api))
    client(api, login).send(get(api))

    assert refreshed(api) == ["r0"]


def test_runs_that_share_a_token_file_renew_once(api: FakeApi, tmp_path: Path) -> None:
    """A refresh token is spent once: the second run waits for the first, and uses what that left."""
    tokens(api, expires_in=3600)
    login = oauth(api, refresh_token="r0", token_file=str(tmp_path / "t"))

    threads = [threading.Thread(target=client(api, login).send, args=(get(api),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert refreshed(api) == ["r0"]


def test_a_rotation_that_nothing_keeps(api: FakeApi) -> None:
    """Where the server rotates and no file is set, the run ends at the rotation; a row that knows ends before it."""
    tokens(api)

    with pytest.raises(CredentialsError) as caught:
        client(api, oauth(api, refresh_token="r0")).send(get(api))
    with pytest.raises(SettingsError) as known:
        client(api, oauth(api, refresh_token="r0", rotates=True))

    where = "set `token_file` in the row's `auth`, so that the next run has the new one"
    assert str(caught.value) == (
        "the server has replaced the refresh token, and nothing keeps the new one; "
        f"{where}, and log in again: the old refresh token may be spent"
    )
    assert str(known.value) == f"this server replaces the refresh token at each use; {where}"
    assert refreshed(api) == ["r0"]


def test_a_refresh_token_that_is_spent(api: FakeApi) -> None:
    """A login that is refused is a matter of credentials, whatever status the server chose: exit 5, and what to do."""
    api.route("/token", Reply({"error": "invalid_grant", "error_description": "token was revoked"}, 400))

    with pytest.raises(CredentialsError) as caught:
        client(api, oauth(api, refresh_token="r0")).send(get(api), SENDING)

    assert str(caught.value) == (
        "the server refuses this: token was revoked (request=POST /token, host=127.0.0.1, status=400); "
        "check the credentials of the login; where it is a refresh token, log in again and set the new one"
    )


def test_a_token_file_that_others_can_read(api: FakeApi, tmp_path: Path) -> None:
    """Such a file is not used, and the error says what to do."""
    tokens(api)
    file = tmp_path / "t"
    login = oauth(api, refresh_token="r0", token_file=str(file))
    client(api, login).send(get(api))
    file.chmod(0o644)

    with pytest.raises(CredentialsError) as caught:
        client(api, login).send(get(api))

    assert str(caught.value) == (
        f"the token file can be read by others (token_file={file}, mode=0644); chmod 600 it if nobody has read it; "
        "otherwise run again without this file, with a new refresh token in the settings"
    )


def test_a_token_whose_life_is_no_number(api: FakeApi) -> None:
    """What the server says of the token's end is passed over where it is a word; a refusal will tell."""
    tokens(api, expires_in="soon")

    assert client(api, oauth(api)).send(get(api))[1].body == [1]


def test_a_token_that_lives_seconds_is_used_more_than_once(api: FakeApi) -> None:
    """A minute before its end would be before its beginning: of a short life a fifth is early enough."""
    tokens(api, expires_in=30)
    one = client(api, oauth(api))

    one.send(get(api))
    one.send(get(api))

    assert [asked.path for asked in api.asked] == ["/token", "/items", "/items"]


def test_a_token_that_ends_during_the_run_is_renewed_once(api: FakeApi) -> None:
    """401 renews the token and repeats the request; a second 401 is an error."""
    tokens(api)
    one = client(api, oauth(api))
    one.send(get(api))
    api.trouble(Trouble(status=401, path="/items"))

    assert one.send(get(api))[1].body == [1]
    api.trouble(*[Trouble(status=401, path="/items", body={"message": "no more"})] * 2)
    with pytest.raises(CredentialsError, match="the server refuses this: no more"):
        one.send(get(api))
    assert [asked.path for asked in api.asked].count("/token") == 3


def test_many_threads_renew_one_token_once(api: FakeApi) -> None:
    """Threads that meet the same refusal share one renewal."""
    tokens(api)
    one = client(api, oauth(api))
    one.send(get(api))
    tokens_before = len(api.asked)
    api.routes["/token"](Asked("POST", "/token", {}, None, {}))  # the server forgets t1

    threads = [threading.Thread(target=one.send, args=(get(api),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [asked.path for asked in api.asked[tokens_before:]].count("/token") == 1


def test_a_login_without_a_token(api: FakeApi) -> None:
    """A login that gives no token says where it was looked for."""
    api.route("/token", {"nothing": 1})

    with pytest.raises(CredentialsError) as caught:
        client(api, oauth(api)).send(get(api))

    assert str(caught.value) == "the login gave no token (at=access_token); check the settings of the login"


def test_jwt_login(api: FakeApi) -> None:
    """The assertion is signed, short-lived, and exchanged for a token."""
    tokens(api)
    secret = "a secret of at least thirty-two bytes"
    way = JwtLogin(token_url=api.url + "/token", private_key=secret, issuer="me", subject="you", algorithm="HS256")

    client(api, way).send(get(api))

    claims = jwt.decode(api.asked[0].body["assertion"], secret, algorithms=["HS256"], audience=api.url + "/token")
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("me", "you", 300)


def test_a_jwt_login_without_its_library(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said with the command that installs it."""
    monkeypatch.setitem(sys.modules, "jwt", None)
    way = JwtLogin(token_url=api.url + "/token", private_key="k", issuer="me")

    with pytest.raises(SettingsError, match=r"a JWT login needs PyJWT; pip install 'singerkit\[jwt\]'"):
        client(api, way).send(get(api))


def test_session_login(api: FakeApi) -> None:
    """A first request with user and password gives the session's token."""
    api.route("/login", {"session": {"key": "s1"}})
    api.route("/items", [1])
    body = {"user": "u", "password": "p"}
    way = SessionLogin(login_url=api.url + "/login", body=body, path="session.key", header="X-Session", prefix="")

    client(api, way).send(get(api))

    assert api.asked[0].body == body
    assert api.asked[1].headers["x-session"] == "s1"


def test_tokens_rotate_by_quota(api: FakeApi) -> None:
    """A token without quota rests; the other goes on at once."""
    far = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2"}
    api.route("/items", lambda asked: Reply([1], headers=far if asked.headers["authorization"] == "Bearer a" else {}))
    one = client(api, Rotating(tokens=("a", "b")))

    begun = time.monotonic()
    for _ in range(4):
        one.send(get(api))

    assert [asked.headers["authorization"] for asked in api.asked] == ["Bearer a", *["Bearer b"] * 3]
    assert time.monotonic() - begun < 1


def test_a_quota_that_is_said_by_403(api: FakeApi) -> None:
    """A rule makes 403 a matter of quota: the token rests until its reset, the other one goes on."""
    over = Reply(None, 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2"})
    api.route("/items", lambda asked: over if asked.headers["authorization"] == "Bearer a" else Reply([1]))
    rule = Rule(action="retry", status=403, header="X-RateLimit-Remaining", matches="^0$")

    begun = time.monotonic()
    _, answer = client(api, Rotating(tokens=("a", "b"))).send(get(api), Sending("items", rules=(rule,)))

    assert answer.body == [1]
    assert time.monotonic() - begun < 1


def test_a_token_of_this_run_is_in_no_error(api: FakeApi) -> None:
    """What a login gave is as secret as what the settings hold."""
    tokens(api)
    api.route("/items", lambda asked: Reply({"message": f"not with {asked.headers['authorization']}"}, 403))
    api.route("/token", {"access_token": "canary-of-the-run"})

    with pytest.raises(CredentialsError) as caught:
        client(api, oauth(api)).send(get(api), SENDING)

    assert "not with Bearer ***" in str(caught.value)


def test_cookies_are_not_kept(api: FakeApi, other: FakeApi) -> None:
    """A cookie would go to every port of its host, which is another origin."""
    api.route("/items", Reply([1], headers={"Set-Cookie": "session=canary; Path=/"}))
    other.route("/items", [1])
    one = client(api)

    one.send(get(api))
    one.send(get(other))

    assert "cookie" not in other.asked[0].headers


def test_another_origin_without_quota_is_no_matter_of_our_tokens(api: FakeApi, other: FakeApi) -> None:
    """429 from the origin of a next address holds the requests, and no token is put to rest for it."""
    other.route("/items", [1])
    other.trouble(Trouble(status=429, headers={"Retry-After": "0"}))

    assert client(api, Rotating(tokens=("a", "b"))).send(get(other))[1].body == [1]


def test_a_used_up_quota_holds_before_the_wall(api: FakeApi) -> None:
    """When no request is left, the next one waits for the reset instead of meeting 429."""
    api.route("/items", Reply([1], headers={"RateLimit-Remaining": "0", "RateLimit-Reset": "0.3"}))
    one = client(api)

    begun = time.monotonic()
    one.send(get(api))
    one.send(get(api))

    assert time.monotonic() - begun >= 0.3


def test_a_rate_limit_spreads_requests(api: FakeApi) -> None:
    """Requests keep the pace that was set."""
    api.route("/items", [1])
    one = Client(Source(base_url=api.url, rate_limit=50))

    begun = time.monotonic()
    for _ in range(6):
        one.send(get(api))

    assert time.monotonic() - begun >= 0.1


def test_a_stop_ends_a_wait_at_once(api: FakeApi) -> None:
    """A thread that waits for a retry leaves when the stream is stopped; other streams go on."""
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=2))
    api.trouble(Trouble(status=503, headers={"Retry-After": later}))
    one = client(api, policy=Policy())
    own = one.for_stream()
    threading.Timer(0.1, own.stop).start()

    with pytest.raises(StoppingError):
        own.send(get(api))
    api.route("/items", [1])
    assert one.send(get(api))[1].body == [1]


def test_bodies_are_compressed(api: FakeApi) -> None:
    """The client asks for compression and reads what comes."""
    body = gzip.compress(b'[{"id": 1}]')
    api.route("/items", Reply(body, headers={"Content-Encoding": "gzip"}))

    assert client(api).send(get(api))[1].body == [{"id": 1}]
    assert "gzip" in api.asked[0].headers["accept-encoding"]


def test_a_guarded_host_is_never_asked(api: FakeApi) -> None:
    """The guard judges every host before it is asked, a redirect's too."""
    api.route("/items", Reply(None, 302, {"Location": "http://169.254.169.254/items"}))

    with pytest.raises(SettingsError, match=r"the host is this machine|the host has a loopback address"):
        client(api, guard=HostGuard(lambda host, port: [host])).send(get(api))
    assert api.asked == []
    with pytest.raises(SettingsError, match=r"host=169\.254\.169\.254"):
        client(api, guard=HostGuard(lambda host, port: [host], allow_private_hosts=True)).send(get(api))
