"""Access tokens during a run: renewed before they end, by one process, on disk before they are used."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.connect.access import Access
from singerkit.connect.auth import login
from singerkit.connect.oauth import Tokens
from singerkit.errors import CredentialsError, UnavailableError

Browser = Callable[[str], None]
LOST = (
    "Acme does not take the refresh token any more: it was revoked, has ended, or its successor was lost; "
    "run `tap-acme auth login`; give each copy of the plugin a login of its own, or one token file"
)


@pytest.fixture
def logged_in(app: Any, browser: Browser) -> Any:
    """Give an application whose person has just logged in."""
    made = app()
    list(login(made, open_page=browser))
    return made


def later(app: Any, **by: float) -> Access:
    """Give the tokens as a run sees them that starts later."""
    return Access(app.file, app.server, "`tap-acme auth login`", lambda: datetime.now(UTC) + timedelta(**by))


def call(app: Any, token: str) -> int:
    """Call the API and return its status."""
    url = app.kind.token_url.replace("/token", "/api")
    return int(app.server.session.get(url, headers={"Authorization": f"Bearer {token}"}).status_code)


def test_a_good_token_is_handed_out_as_it_is(acme: Any, logged_in: Any) -> None:
    """No renewal before it is due, and one read of the file for a run."""
    access = logged_in.access()
    first = access.token()
    logged_in.file.delete()

    assert access.token() == first
    assert call(logged_in, first) == 200
    assert acme.refreshes == 0


@pytest.mark.parametrize(("age_s", "refreshes"), [(3530, 0), (3541, 1), (3601, 1), (90_000, 1)])
def test_a_token_is_renewed_a_minute_before_it_ends(age_s: float, refreshes: int, acme: Any, logged_in: Any) -> None:
    """A request on its way does not meet the end."""
    token = later(logged_in, seconds=age_s).token()

    assert acme.refreshes == refreshes
    assert call(logged_in, token) == 200


@pytest.mark.slow
def test_an_access_token_of_a_second_serves_a_long_run(acme: Any, app: Any, browser: Browser) -> None:
    """Tokens end under the run again and again; no request is refused."""
    acme.rules.lifetime_s = 1
    made = app()
    list(login(made, open_page=browser))
    access = made.access()

    while acme.refreshes < 2:
        call(made, access.token())

    assert set(acme.api_calls) == {200}
    assert len(acme.api_calls) > 2


def test_a_refused_token_is_renewed_once(acme: Any, logged_in: Any) -> None:
    """An administrator ends the access tokens: the first refusal renews, others that meet it get the same new one."""
    access = logged_in.access()
    old = access.token()
    acme.end_access()

    new = access.renewed(old)

    assert new != old
    assert access.renewed(old) == new == access.token()
    assert acme.refreshes == 1
    assert call(logged_in, new) == 200


def test_the_new_refresh_token_is_on_disk_before_the_access_token_is_used(acme: Any, logged_in: Any) -> None:
    """At the moment of the first request with it, a crash would lose nothing."""
    old = logged_in.file.read()
    seen: list[Tokens] = []
    acme.before_api = lambda: seen.append(logged_in.file.read())

    token = later(logged_in, hours=2).token()
    call(logged_in, token)

    assert seen[0].access_token == token
    assert seen[0].refresh_token != old.refresh_token


def test_what_a_renewal_leaves_out_stays(acme: Any, logged_in: Any) -> None:
    """No new refresh token, no scopes, no account in the answer: what was known is still true."""
    acme.rules.rotate = False
    old = logged_in.file.read()

    later(logged_in, hours=2).token()

    new = logged_in.file.read()
    assert (new.refresh_token, new.scopes, new.account_name) == (old.refresh_token, old.scopes, old.account_name)
    assert new.access_token != old.access_token


def test_another_process_may_have_renewed_already(acme: Any, logged_in: Any) -> None:
    """Who waited for the lock reads the file again, and uses what is there."""
    one, other = later(logged_in, minutes=59, seconds=30), later(logged_in, minutes=59, seconds=30)
    one_token = one.renewed(one.token())

    acme.rules.fail_first = [400]  # another renewal would fail

    assert other.token() == one_token


def test_threads_renew_once(acme: Any, logged_in: Any) -> None:
    """Streams in parallel share one login."""
    access = logged_in.access()
    old = access.token()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(access.renewed(old))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert acme.refreshes == 1
    assert len(set(found)) == 1


PROCESS = """
import json, sys
from datetime import timedelta
from pathlib import Path
from singerkit.connect.access import Access, utc_now
from singerkit.connect.grants import TokenServer
from singerkit.connect.oauth import Client, OAuthKind
from singerkit.connect.sockets import guard
from singerkit.connect.tokens import TokenFile
from singerkit.connect.transport import guarded_session
path, kind, client = json.loads(sys.stdin.readline())
server = TokenServer(OAuthKind(**kind), Client(*client), guarded_session(guard(allow_private_hosts=True)))
access = Access(TokenFile(Path(path), "login"), server, "login", lambda: utc_now() + timedelta(minutes=59, seconds=30))
print("ready", flush=True)
sys.stdin.readline()
print(access.token())
"""


@pytest.mark.slow
def test_processes_renew_one_at_a_time(acme: Any, logged_in: Any) -> None:
    """Four runs start in the same moment with a token that is due: one renews, none breaks the rotation of another."""
    acme.rules.lifetime_s = 86_400  # of the new token, so that one renewal serves all
    client = [logged_in.server.client.id, logged_in.server.client.secret]
    given = json.dumps([str(logged_in.file.path), asdict(logged_in.kind), client])
    runs = [
        subprocess.Popen([sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write(given + "\n")
        run.stdin.flush()
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
    tokens = {run.communicate("go\n", timeout=60)[0].strip() for run in runs}

    assert tokens == {logged_in.file.read().access_token}
    assert acme.refreshes == 1


def test_a_lost_successor_is_said_so(acme: Any, logged_in: Any) -> None:
    """A restored backup holds a refresh token that was used: the server ends the family, a person must log in."""
    backup = logged_in.file.read()
    later(logged_in, hours=2).token()
    logged_in.file.write(backup)

    with pytest.raises(CredentialsError) as failed:
        later(logged_in, hours=2).token()

    assert str(failed.value) == LOST
    assert logged_in.file.read() == backup


def test_a_revoked_login_is_said_so(acme: Any, logged_in: Any) -> None:
    """The same words: from here it cannot be told apart."""
    acme.end_refresh()

    with pytest.raises(CredentialsError) as failed:
        later(logged_in, hours=2).token()

    assert str(failed.value) == LOST


def test_a_login_without_a_refresh_token_ends(acme: Any, app: Any, browser: Browser) -> None:
    """What cannot be renewed is not asked for."""
    acme.rules.refresh_tokens = False
    made = app()
    list(login(made, open_page=browser))

    with pytest.raises(CredentialsError) as failed:
        later(made, hours=2).token()

    assert str(failed.value) == "the login has ended and cannot be renewed; run `tap-acme auth login`"


def test_a_busy_server_is_asked_again(acme: Any, logged_in: Any) -> None:
    """A renewal in the night survives a 503."""
    acme.rules.fail_first = [503]

    assert call(logged_in, later(logged_in, hours=2).token()) == 200


def test_a_server_that_is_away_for_a_moment_ends_nothing(acme: Any, logged_in: Any) -> None:
    """A token that is due is still good for a while: it is used while nobody renews it, and not after its end."""
    before = logged_in.file.read().access_token
    acme.rules.fail_first = [503] * 6
    soon = later(logged_in, minutes=59, seconds=30)

    assert (soon.token(), soon.token()) == (before, before)
    with pytest.raises(UnavailableError) as failed:
        later(logged_in, hours=2).token()
    assert str(failed.value) == "Acme does not give tokens now (reason=status 503); try again later"
    assert soon.token() != before


def test_without_a_login_the_command_is_named(app: Any, tmp_path: Path) -> None:
    """The first thing a new user meets."""
    made = app()

    with pytest.raises(CredentialsError) as failed:
        made.access().token()

    assert str(failed.value) == (
        f"nobody is logged in (token_file={tmp_path}/state/tokens.json); run `tap-acme auth login`"
    )


@given(st.floats(0.1, 1e7), st.floats(0, 1))
def test_a_token_is_due_in_its_last_fifth_or_minute(lifetime_s: float, share: float) -> None:
    """Whatever its life: renewed before its end, and not before the shorter of a fifth and a minute is left."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    life = timedelta(seconds=lifetime_s)
    tokens = Tokens("x", made, expires_at=made + life)

    assert tokens.is_due(made + life * share) == (life * share >= life - min(timedelta(minutes=1), life / 5))
