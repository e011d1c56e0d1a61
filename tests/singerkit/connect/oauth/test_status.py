"""`auth status` and `auth logout`: who is logged in and until when; nothing is left behind."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from singerkit.connect.auth import login, logout, status
from singerkit.errors import CredentialsError

Browser = Callable[[str], None]


def test_status_says_who_and_until_when(acme: Any, app: Any, browser: Browser) -> None:
    """Account, scopes, expiry, where the file is: no token."""
    list(login(app(), open_page=browser))
    kept = app().file.read()

    lines = list(status(app(), kept.issued_at + timedelta(seconds=90)))

    ends = f"{kept.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    assert lines == [
        "service: Acme",
        "account: Ada (42)",
        "scopes: orders:read people:read",
        f"access token: good until {ends}, 58 min 30 s from now",
        "renewed by itself: yes",
        f"token file: {app().file.path}",
    ]


@pytest.mark.parametrize(
    ("lifetime_s", "refreshed", "line"),
    [(None, True, "access token: good until the service ends it"), (1, False, "access token: ended at ")],
)
def test_status_of_other_tokens(
    lifetime_s: float | None, refreshed: bool, line: str, acme: Any, app: Any, browser: Browser
) -> None:
    """Tokens without an end, and tokens that have ended."""
    acme.rules.lifetime_s, acme.rules.refresh_tokens = lifetime_s, refreshed
    list(login(app(), open_page=browser))

    lines = list(status(app(), datetime.now(UTC) + timedelta(days=1)))

    assert lines[3].startswith(line)
    assert lines[4] == f"renewed by itself: {'yes' if refreshed else 'no'}"


def test_tokens_that_cannot_be_renewed_are_announced(acme: Any, app: Any, browser: Browser) -> None:
    """A person learns at the login when it will end, not at night."""
    acme.rules.refresh_tokens = False

    lines = list(login(app(), open_page=browser))

    assert re.fullmatch(r"Acme gave no refresh token: log in again after \d{4}-\d\d-\d\d \d\d:\d\d UTC", lines[-1])


def test_status_without_a_login(app: Any) -> None:
    """The command fails, so that a script can ask."""
    with pytest.raises(CredentialsError) as failed:
        list(status(app()))

    assert str(failed.value) == (f"nobody is logged in (token_file={app().file.path}); run `tap-acme auth login`")


def test_logout_gives_the_tokens_back_and_removes_them(acme: Any, app: Any, browser: Browser) -> None:
    """What is left in a backup of the file is worth nothing."""
    list(login(app(), open_page=browser))
    kept = app().file.read()

    assert list(logout(app())) == [f"removed {app().file.path}", "given back to Acme"]
    assert acme.given_back == [kept.refresh_token]
    assert list(logout(app())) == ["nobody was logged in"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"revoke_url": None}, "Acme takes no tokens back: remove the access there"),
        (
            {"revoke_url": "http://127.0.0.1:1/revoke"},
            "they were not given back: Acme does not give tokens now (reason=ConnectionError); try again later",
        ),
    ],
)
def test_logout_removes_tokens_that_cannot_be_given_back(
    changes: dict[str, Any], line: str, app: Any, browser: Browser
) -> None:
    """The file goes in any case; the line says what is left to do."""
    list(login(app(), open_page=browser))

    assert list(logout(app(**changes))) == [f"removed {app().file.path}", line]
    assert not app().file.path.exists()


def test_logout_removes_a_file_that_cannot_be_read(app: Any) -> None:
    """A broken or open file is no reason to keep it."""
    app().file.path.parent.mkdir()
    app().file.path.write_text("nonsense")

    assert list(logout(app())) == [f"removed {app().file.path}"]
