"""`auth login`, `status` and `logout` against a strict server: what is kept, what is said, and every way to fail."""

import json
import logging
import re
import socket
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from singerkit.connect.auth import login
from singerkit.connect.login import Listener, place_of
from singerkit.connect.logins import Login, application, default_token_file
from singerkit.connect.oauth import Client, client_of
from singerkit.connect.sockets import guard
from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError
from singerkit.settings.kinds import OAuth

Browser = Callable[[str], None]
OTHER_LOGIN = (
    "the answer belongs to another login: its state is not the one that was sent; "
    "log in again, with the newest address only"
)
NOT_HERE = "redirect_uri does not lead to this machine (host={}); use --paste, or http://127.0.0.1:PORT/callback"
AGAIN = "run `tap-acme auth login` again and agree within a minute"


def test_a_login_leaves_tokens_for_their_owner_only(acme: Any, app: Any, browser: Browser) -> None:
    """PKCE and state are checked by the server and by us; the file is 0600; no secret is in any line."""
    lines = list(login(app(), open_page=browser))

    kept = app().file.read()
    assert lines[-2:] == ["logged in at Acme as Ada (42)", f"tokens are in {app().file.path}"]
    assert (kept.account_id, kept.account_name, kept.scopes) == ("42", "Ada", ("orders:read", "people:read"))
    assert stat.S_IMODE(app().file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(app().file.path.parent.stat().st_mode) == 0o700
    assert "canary-access" not in "\n".join(lines)
    assert "canary-client-secret" not in "\n".join(lines)
    assert [path.name for path in sorted(app().file.path.parent.iterdir())] == ["tokens.json", "tokens.json.lock"]


def test_the_redirect_address_is_said_for_registration(app: Any, browser: Browser) -> None:
    """Many services match it exactly, so a person sees it before anything is opened."""
    lines = list(login(app(), open_page=browser))

    assert re.fullmatch(r"redirect address, to be registered at Acme: http://127\.0\.0\.1:\d+/callback", lines[0])
    assert lines[1].startswith("open this address and agree: http://127.0.0.1:")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_redirect_address_from_the_settings_is_used_to_the_letter(acme: Any, app: Any, browser: Browser) -> None:
    """Host name, port and path: what is registered is what is sent."""
    uri = f"http://localhost:{free_port()}/back/here"
    acme.rules.redirect_uris = {uri}

    lines = list(login(app(redirect_uri=uri), open_page=browser))

    assert "logged in at Acme as Ada (42)" in lines


def test_an_address_can_be_pasted(acme: Any, app: Any) -> None:
    """Where no browser can come back, a person carries the address over."""
    made: list[str] = []

    def person() -> str:
        address = made[1].removeprefix("open this address and agree: ")
        with pytest.raises(urllib.error.URLError) as ended:  # the page on their own machine that nobody serves
            urllib.request.build_opener(Stay()).open(address)
        return f"  {ended.value.reason}\n"

    made.extend(login(app(), paste=person))

    assert made[0] == "redirect address, to be registered at Acme: http://127.0.0.1/callback"
    assert made[2] == "then paste the whole address of the page that you end on, also if it cannot be shown:"
    assert made[3] == "logged in at Acme as Ada (42)"


class Stay(urllib.request.HTTPRedirectHandler):
    """Stops at the redirect and tells where it leads."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        fp.close()
        raise urllib.error.URLError(newurl)


def test_the_secret_may_go_in_a_header(acme: Any, app: Any, browser: Browser) -> None:
    """Some services want it there and nowhere else."""
    list(login(app(client_auth="header"), open_page=browser))

    assert "client_secret" not in acme.forms[0]
    assert str(acme.headers[0]).startswith("Basic ")


def test_a_public_client_has_no_secret(acme: Any) -> None:
    """PKCE is what protects it."""
    kind = acme.kind(secret_required=False)

    assert client_of("tap-acme", kind, {"TAP_ACME_CLIENT_ID": " x "}) == Client("x", None)


def field(acme: Any) -> OAuth:
    """Give the setting of a plugin that logs in at the server."""
    return OAuth("Login", "The login of a person.", login=acme.kind())


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "TAP_ACME_CLIENT_ID and TAP_ACME_CLIENT_SECRET must be set"),
        ({"TAP_ACME_CLIENT_ID": "x"}, "TAP_ACME_CLIENT_SECRET must be set"),
        ({"TAP_ACME_CLIENT_ID": "  ", "TAP_ACME_CLIENT_SECRET": "x"}, "TAP_ACME_CLIENT_ID must be set"),
    ],
)
def test_a_missing_client_is_named(environment: Mapping[str, str], said: str, acme: Any) -> None:
    """All that is missing, by the name under which it is looked for."""
    with pytest.raises(SettingsError) as refused:
        application("tap-acme", field(acme), Login(), guard(allow_private_hosts=True), environment)

    assert str(refused.value) == (
        f"{said}; register an application at Acme and put what it gives you into the environment"
    )


def test_the_client_may_stand_in_files(acme: Any, tmp_path: Path) -> None:
    """As containers mount secrets; the end of the line is not part of it."""
    (tmp_path / "secret").write_text("canary-secret\n")
    environment = {"TAP_ACME_CLIENT_ID": "x", "TAP_ACME_CLIENT_SECRET_FILE": str(tmp_path / "secret")}

    made = application("tap-acme", field(acme), Login(), guard(allow_private_hosts=True), environment)

    made.server.session.close()
    assert made.server.client == Client("x", "canary-secret")


FILES = [
    (
        {"TAP_ACME_CLIENT_SECRET_FILE": "/nowhere/secret"},
        "TAP_ACME_CLIENT_SECRET_FILE: cannot be read: No such file or directory",
    ),
    (
        {"TAP_ACME_CLIENT_SECRET_FILE": "/nowhere/secret", "TAP_ACME_CLIENT_SECRET": "canary"},
        "TAP_ACME_CLIENT_SECRET: give it or TAP_ACME_CLIENT_SECRET_FILE, not both",
    ),
]


@pytest.mark.parametrize(("environment", "said"), FILES)
def test_a_client_that_cannot_be_read_is_named(environment: dict[str, str], said: str, acme: Any) -> None:
    """By the variable, without the path and the value."""
    with pytest.raises(SettingsError) as refused:
        application("tap-acme", field(acme), Login(), guard(allow_private_hosts=True), environment)

    assert str(refused.value) == said


@pytest.mark.parametrize("part", ["authorize_url", "token_url", "account_url", "revoke_url"])
def test_a_login_needs_https(part: str, acme: Any) -> None:
    """A row with an open address is refused when it is made, not when a token has been seen by the network."""
    with pytest.raises(SettingsError) as refused:
        acme.kind(**{part: "http://login.example/x"})

    assert str(refused.value) == "a login needs https (service=Acme, host=login.example)"


def test_settings_and_environment_make_the_application(acme: Any, tmp_path: Path) -> None:
    """Where tokens are kept, which scopes are asked for, where the browser comes back to."""
    environment = {"TAP_ACME_CLIENT_ID": "x", "TAP_ACME_CLIENT_SECRET": "y", "XDG_STATE_HOME": str(tmp_path)}
    chosen = Login(scopes=("orders:read",), redirect_uri="http://127.0.0.1:9/back")

    made = application("tap-acme", field(acme), chosen, guard(allow_private_hosts=True), environment)

    made.server.session.close()
    assert made.file.path == tmp_path / "singerkit" / "tap-acme.tokens.json"
    assert (made.scopes, made.redirect_uri) == (("orders:read",), "http://127.0.0.1:9/back")
    assert default_token_file("tap-acme", {}) == Path("~/.local/state/singerkit/tap-acme.tokens.json")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            {"wrong_state": True},
            OTHER_LOGIN,
        ),
        ({"deny": "access_denied"}, "the login was denied; log in again and agree, or ask who may"),
        (
            {"deny": "invalid_scope<script>"},
            "the service refuses the login (error=invalid_scopescript, says=no such thing)",
        ),
        ({"codes_end_at_once": True}, f"the code has expired or was used before; {AGAIN}"),
        ({"answer": b"{}"}, "Acme gave no access token; log in again"),
        ({"answer": b"not json"}, "Acme gave no access token; log in again"),
        ({"answer": b'{"error": "bad_verification_code"}'}, f"the code has expired or was used before; {AGAIN}"),
        ({"answer": b'{"error": "slow_down"}'}, "Acme refuses to give tokens (status=200, error=slow_down)"),
        ({"answer": b" " * (257 << 10)}, "Acme gave an answer that is no token (bytes=over 262144)"),
        ({"fail_first": [302]}, "Acme sends its token address elsewhere; check the kind's URLs"),
        ({"fail_first": [503, 429]}, "Acme does not give tokens now (reason=status 429); try again later"),
    ],
    ids=[
        "state-mismatch",
        "denied",
        "refused",
        "expired-code",
        "no-token",
        "no-json",
        "refused-with-200",
        "another-refusal",
        "endless-answer",
        "redirect",
        "busy",
    ],
)
def test_a_login_that_fails_says_why(rules: dict[str, Any], said: str, acme: Any, app: Any, browser: Browser) -> None:
    """One line, and no token file."""
    for name, value in rules.items():
        setattr(acme.rules, name, value)

    with pytest.raises(SingerkitError) as failed:
        list(login(app(), open_page=browser))

    assert str(failed.value) == said
    assert not app().file.path.exists()


def test_a_busy_server_is_asked_again(acme: Any, app: Any, browser: Browser) -> None:
    """One 503 is no reason to have a person log in again."""
    acme.rules.fail_first = [503]

    assert "logged in at Acme as Ada (42)" in list(login(app(), open_page=browser))


def test_an_unknown_application_is_said_so(app: Any, browser: Browser) -> None:
    """A wrong secret is the plugin's, not the person's."""
    wrong = app(client=Client("canary-client-id", "canary-wrong"))

    with pytest.raises(CredentialsError) as failed:
        list(login(wrong, open_page=browser))

    assert str(failed.value) == (
        "Acme does not know this application (error=invalid_client); check CLIENT_ID and CLIENT_SECRET"
    )


def test_a_server_that_is_away_is_unavailable(app: Any, browser: Browser) -> None:
    """A closed port, after the retries."""
    with pytest.raises(UnavailableError) as failed:
        list(login(app(token_url=f"http://127.0.0.1:{free_port()}/token"), open_page=browser))

    assert str(failed.value) == "Acme does not give tokens now (reason=ConnectionError); try again later"


def test_a_code_works_once(acme: Any, app: Any) -> None:
    """An address that is pasted twice is refused the second time by the server."""
    addresses: list[str] = []

    def person() -> str:
        attempt = parse_qs(urlsplit(lines[1].rpartition(" ")[2]).query)
        addresses.append(f"http://127.0.0.1/callback?code=stolen&state={attempt['state'][0]}")
        return addresses[-1]

    lines: list[str] = []
    with pytest.raises(CredentialsError, match="the code has expired or was used before"):
        lines.extend(login(app(), paste=person))


@pytest.mark.parametrize("pasted", ["", "stolen", "http://127.0.0.1/callback?code=x", "?state=&code=x"])
def test_what_is_pasted_must_hold_the_state(pasted: str, app: Any) -> None:
    """A bare code could be anybody's."""
    with pytest.raises(CredentialsError, match="the answer belongs to another login"):
        list(login(app(), paste=lambda: pasted))


def test_a_doubled_parameter_is_no_answer(app: Any) -> None:
    """Two codes: which one the service meant is not ours to guess."""
    lines: list[str] = []

    def person() -> str:
        state = parse_qs(urlsplit(lines[1].rpartition(" ")[2]).query)["state"][0]
        return f"http://127.0.0.1/callback?code=a&code=b&state={state}"

    with pytest.raises(CredentialsError) as failed:
        lines.extend(login(app(), paste=person))

    assert str(failed.value) == "the answer holds no code; log in again"


def test_a_taken_port_is_said_so(app: Any) -> None:
    """The port of a registered address belongs to someone else just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as failed:
            list(login(app(redirect_uri=f"http://127.0.0.1:{port}/callback")))

    assert str(failed.value) == (
        f"the port of redirect_uri cannot be listened to: Address already in use (port={port}); "
        "end what listens there, or set another redirect_uri and register it"
    )


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (
            "https://example.com/callback",
            NOT_HERE.format("example.com"),
        ),
        (
            "https://127.0.0.1/callback",
            NOT_HERE.format("127.0.0.1"),
        ),
        ("http://[::1/", "redirect_uri is malformed; write it as http://127.0.0.1:8765/callback"),
    ],
)
def test_a_redirect_address_elsewhere_is_refused(uri: str, said: str, app: Any) -> None:
    """Only this machine's own loopback is listened to."""
    with pytest.raises(SettingsError) as failed:
        list(login(app(redirect_uri=uri)))

    assert str(failed.value) == said


def test_a_place_for_tokens_is_there_before_a_person_is_asked(app: Any, tmp_path: Path) -> None:
    """A login is not lost to a folder that cannot be made."""
    (tmp_path / "state").touch()

    with pytest.raises(SettingsError, match="the token file cannot be written"):
        next(login(app()))


def test_nobody_logs_in(app: Any) -> None:
    """The wait ends."""
    with pytest.raises(CredentialsError) as failed:
        list(login(app(), open_page=lambda address: None, timeout_s=0.01))

    assert str(failed.value) == "nobody logged in within 0.01 s; log in again"


def test_other_requests_do_not_end_the_wait() -> None:
    """A favicon, a probe, a connection without a word: the answer still comes through."""
    with Listener(place_of(None)) as listener:
        base = listener.redirect_uri.removesuffix("/callback")
        port = urlsplit(base).port
        with socket.create_connection(("127.0.0.1", port or 0)):  # as browsers open them, to be quick later
            for path in ("/favicon.ico", "/callback", "/callback?x=y", "/?code=x"):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(base + path)
            waiting: list[str] = []
            thread = threading.Thread(target=lambda: waiting.append(listener.wait(10)))
            thread.start()
            page = urllib.request.urlopen(base + "/callback?code=x&state=y")
            thread.join()

    assert waiting == ["/callback?code=x&state=y"]
    assert b"you can close this page" in page.read()
    assert page.headers["Referrer-Policy"] == "no-referrer"
    page.close()


def test_no_secret_is_logged(acme: Any, app: Any, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """Not the code, the verifier, the tokens or the client's secret, at the most talkative level."""
    caplog.set_level(logging.DEBUG)

    list(login(app(), open_page=browser))
    logging.getLogger("later").info("got %s", app().file.read().access_token)

    secrets = [acme.forms[0]["code"], acme.forms[0]["code_verifier"], "canary-client-secret"]
    secrets += [text for name, text in json.loads(app().file.path.read_text()).items() if name.endswith("_token")]
    assert [secret for secret in secrets if secret in caplog.text] == []
    assert "got ***" in caplog.text
