"""Credentials: a GitHub App whose tokens end during the run, several tokens by what is left, the login of a person."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from singerkit.connect.oauth import Attempt, Client, authorize_address
from singerkit.errors import CredentialsError, SettingsError
from singerkit.rest.message import Answer, Request
from singerkit.testing.fake_api import Asked, FakeApi, Reply
from tap_github.app import AppAuth
from tap_github.settings import GITHUB

if TYPE_CHECKING:
    from tests.tap_github.account import Account
    from tests.tap_github.conftest import Tries


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """A private key of an app."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """Return a key as the vendor hands it out."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


class Installed:
    """An app that is installed at two organisations; a token reads its own, and lives for so many uses."""

    def __init__(self, account: Account, key: rsa.RSAPrivateKey, uses: int = 1000) -> None:
        self.account, self.key, self.uses = account, key, uses
        self.given: dict[str, tuple[str, int]] = {}
        self.logins: list[str] = []
        self.lock = threading.Lock()
        account.api.route("/*", self.answer)

    def answer(self, asked: Asked) -> Reply:
        """Answer as the vendor does: who signs with the key is the app, who has a token its installation."""
        if asked.path.startswith("/app/"):
            claims = jwt.decode(asked.headers["authorization"][7:], self.key.public_key(), algorithms=["RS256"])
            assert claims["iss"] == "4711"
            assert claims["exp"] - claims["iat"] <= 600
            return self._app(asked)
        owner, left = self.given.get(asked.headers.get("authorization", "")[7:], ("", 0))
        with self.lock:
            self.given[asked.headers["authorization"][7:]] = owner, left - 1
        if left <= 0:
            return Reply({"message": "Bad credentials"}, 401)
        theirs = re.match(r"/(?:repos|orgs)/([^/]+)", asked.path)
        return self.account.answer(asked) if theirs and theirs[1] == owner else Reply({"message": "Not Found"}, 404)

    def _app(self, asked: Asked) -> Reply:
        owners = {"1": "octo", "2": "acme"}
        if asked.path == "/app/installations":
            number = asked.query.get("page", "1")
            more = f'<http://{asked.headers["host"]}/app/installations?page=2>; rel="next"'
            body = [{"id": int(number), "account": {"login": owners[number].title()}}]
            return Reply(body, headers={"Link": more} if number == "1" else {})
        owner = owners[asked.path.split("/")[3]]
        self.logins.append(owner)
        token = f"ghs_{owner}_{len(self.logins)}"
        self.given[token] = owner, self.uses
        ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Reply({"token": token, "expires_at": ends}, 201)


def as_app(tries: Tries, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Return settings of an app, its key as an environment holds it."""
    del tries.config["auth_token"]
    return {"app_id": "4711", "app_private_key": pem(key).replace("\n", "\\n"), "organizations": ["octo", "acme"]}


@pytest.mark.slow  # runs of the tap
def test_each_owners_own_installation(account: Account, tries: Tries, key: rsa.RSAPrivateKey) -> None:
    """What is octo's is read with octo's token, what is acme's with acme's; one login for each."""
    installed = Installed(account, key)
    account.found("octo", "hello", issues=3)
    account.found("acme", "shop", issues=4)

    done = tries.run("issues", **as_app(tries, key))

    assert done.error is None
    assert {row["repository_owner"] for row in done.records("issues")} == {"octo", "acme"}
    assert sorted(installed.logins) == ["acme", "octo"]
    assert not [text for text in ("ghs_", "BEGIN RSA") if text in done.log + done.stdout]


def test_whose_a_request_is(key: rsa.RSAPrivateKey) -> None:
    """A query names its owner in its variables; a redirect to a number is the owner's that was asked for before."""
    installed: list[Any] = [{"id": n, "account": {"login": name}} for n, name in enumerate(("octo", "acme"), 1)]
    installed[:0] = [{"id": 8, "account": {"slug": "an-enterprise"}}, {"id": 9, "account": None}]

    def send(request: Request) -> Answer:
        return Answer(200, {}, installed if request.method == "GET" else {"token": request.url.split("/")[-2]})

    signer = AppAuth(api_url="http://t", app_id="1", private_key=pem(key)).signer(send)
    query = Request("POST", "http://t/graphql", body={"variables": {"owner": "Acme", "repo": "shop"}})
    requests = [
        Request("GET", "http://t/repos/octo/hello"),
        query,
        Request("GET", "http://t/repositories/5/issues"),
        Request("GET", "http://t/orgs/octo/repos"),
        Request("GET", "http://t/repositories/6"),
        Request("GET", "http://t/users/stranger/repos"),
    ]

    signed = [signer.sign(request).headers["Authorization"] for request in requests]

    assert signed == [f"Bearer {number}" for number in (1, 2, 2, 1, 1, 1)]


def test_whose_a_walk_is_that_goes_on_in_the_middle(key: rsa.RSAPrivateKey) -> None:
    """The place of a walk that was cut names a number alone: the owner is the one that the walk's row asks for."""
    installed = [{"id": n, "account": {"login": name}} for n, name in enumerate(("octo", "acme"), 1)]

    def send(request: Request) -> Answer:
        return Answer(200, {}, installed if request.method == "GET" else {"token": request.url.split("/")[-2]})

    signer = AppAuth(api_url="http://t", app_id="1", private_key=pem(key)).signer(send)
    place = {"url": "http://t/repositories/5/pulls?page=2"}
    goes_on = Request("GET", "http://t/repos/acme/shop/pulls").resumed(place)

    signed = [
        signer.sign(one).headers["Authorization"] for one in (goes_on, goes_on.to("/repositories/5/pulls?page=3"))
    ]

    assert signed == ["Bearer 2", "Bearer 2"]


@pytest.mark.slow  # runs of the tap
def test_a_token_that_ends_in_the_middle_of_pages(account: Account, tries: Tries, key: rsa.RSAPrivateKey) -> None:
    """A refused token is renewed, and the page is asked for again: no row is missing."""
    installed = Installed(account, key, uses=2)
    account.found("octo", "hello", issues=450)

    done = tries.run("issues", **as_app(tries, key), concurrency=1)

    assert done.error is None
    assert len(done.records("issues")) == 450
    assert len(installed.logins) > 2


def test_a_key_that_is_none() -> None:
    """The words say what to give, and not the key."""
    broken = AppAuth(api_url="http://t", app_id="1", private_key="canary-key")

    with pytest.raises(SettingsError) as caught:
        broken.assertion(0)

    assert str(caught.value) == (
        "app_private_key is no private key; give the whole .pem file, its first and last line too"
    )


@pytest.mark.parametrize(
    ("installations", "login", "said"),
    [
        ([], {}, "the app is installed nowhere; install it where it is to read"),
        (
            [{"id": 1, "account": {"login": "octo"}}],
            {"message": "?"},
            "the login of the app gave no token; check app_id and app_private_key",
        ),
    ],
)
def test_an_app_that_cannot_log_in(
    installations: list[Any], login: dict[str, Any], said: str, key: rsa.RSAPrivateKey
) -> None:
    """An app without installation or token ends the run as a matter of credentials."""

    def send(request: Request) -> Answer:
        return Answer(200, {}, installations if request.method == "GET" else login)

    signer = AppAuth(api_url="http://t", app_id="1", private_key=pem(key)).signer(send)

    with pytest.raises(CredentialsError) as caught:
        signer.sign(Request("GET", "http://t/repos/octo/hello"))

    assert str(caught.value) == said


@pytest.mark.slow  # a run of the tap
def test_several_tokens_share_the_work(account: Account, tries: Tries) -> None:
    """The token with most requests left signs the next one; one that is used up rests while the other works."""
    left = {"Bearer one": 40, "Bearer two": 25}

    def answer(asked: Asked) -> Reply:
        who = asked.headers["authorization"]
        left[who] -= 1
        reset = str(int(datetime.now(UTC).timestamp()) + 3000)
        said = account.answer(asked)
        headers = {"X-RateLimit-Remaining": str(max(left[who], 0)), "X-RateLimit-Reset": reset}
        return Reply(said.body, said.status, {**said.headers, **headers})

    for number in range(30):
        account.found("octo", f"repo-{number}", labels=1)
    account.api.route("/*", answer)

    done = tries.run("labels", auth_token="one", additional_auth_tokens=["two"], concurrency=1)

    assert done.error is None
    assert len(done.records("labels")) == 30
    assert abs(left["Bearer one"] - left["Bearer two"]) <= 1


@pytest.mark.slow  # a run of the tap
def test_no_credential_at_all(tries: Tries) -> None:
    """The settings say which sets there are."""
    del tries.config["auth_token"]

    done = tries.run("labels")

    assert done.exit_code == 2
    assert "auth_token | additional_auth_tokens | app_id + app_private_key | use_login" in str(done.error)


def test_the_login_of_a_person() -> None:
    """`auth login` sends a person to the vendor's page with the scopes that the streams need."""
    address = authorize_address(GITHUB, Client("id", "secret"), Attempt("http://127.0.0.1/callback", "s", "v"))

    assert address.startswith("https://github.com/login/oauth/authorize?")
    assert "scope=repo+read%3Aorg" in address
    assert GITHUB.account_url == "https://api.github.com/user"


@pytest.mark.slow  # a run of the tap
def test_enterprise_server(tries: Tries, account: Account) -> None:
    """Below another address the REST API and GraphQL are found; a private network must be allowed."""
    asked: list[str] = []
    with FakeApi() as api:
        api.route("/*", lambda one: asked.append(one.path) or Reply([]))  # type: ignore[func-returns-value]
        given = {"base_url": f"{api.url}/api/v3", "users": ["ada"], "organizations": []}

        refused = tries.run("repositories", **given, allow_private_hosts=False)
        tries.run("repositories", **given)

    assert refused.exit_code == 2
    assert "allow_private_hosts" in str(refused.error)
    assert asked == ["/api/v3/users/ada/repos"]
