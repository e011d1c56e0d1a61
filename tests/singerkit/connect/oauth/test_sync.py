"""A REST tap with a stored login: the access token ends under the sync again and again, and no row is lost."""

from collections.abc import Callable
from typing import Any

import pytest

from singerkit.connect.auth import login
from singerkit.connect.logins import Application
from singerkit.errors import CredentialsError
from singerkit.rest.endpoint import Endpoint, Source
from singerkit.rest.login import StoredLogin
from singerkit.rest.pages import NextUrl
from singerkit.rest.tap import RestTap
from singerkit.testing.runner import Run, run

Browser = Callable[[str], None]


def sync(acme: Any, app: Application) -> Run:
    """Read all pages of the API by the stored login."""

    class TapAcme(RestTap):
        name = "tap-acme"
        source_row = Source(base_url=acme.url("/"), auth=StoredLogin(access=app.access()))
        endpoints = (
            Endpoint(
                name="numbers",
                path="api",
                records="data",
                keys=("id",),
                pages=NextUrl(path="next"),
                schema={"properties": {"id": {"type": "integer"}}},
            ),
        )

    return run(TapAcme, {"allow_private_hosts": True, "retry_base_s": 0.001}, None, None)


def numbers(done: Run) -> list[int]:
    """Give the ids of the records, as they came."""
    return [record["id"] for record in done.records("numbers")]


@pytest.mark.slow
def test_a_long_sync_outlives_its_access_tokens(acme: Any, app: Any, browser: Browser) -> None:
    """Each token lives a second: the sync renews before the end, meets no refusal, and reads every page once."""
    acme.rules.lifetime_s = 1
    list(login(app(), open_page=browser))

    done = sync(acme, app())

    assert done.error is None
    assert numbers(done) == list(range(1, len(acme.api_calls) + 1))
    assert set(acme.api_calls) == {200}
    assert acme.refreshes == 2


def test_a_token_that_is_ended_by_the_service_is_renewed(acme: Any, app: Any, browser: Browser) -> None:
    """One refusal, one renewal, and the same page again."""
    acme.rules.refreshes = 1
    list(login(app(), open_page=browser))
    acme.end_access()

    done = sync(acme, app())

    assert done.error is None
    assert acme.api_calls[0] == 401
    assert set(acme.api_calls[1:]) == {200}
    assert numbers(done) == list(range(1, len(acme.api_calls)))


def test_a_sync_without_a_login_says_what_to_run(acme: Any, app: Any) -> None:
    """Exit 5, and the command."""
    done = sync(acme, app())

    assert isinstance(done.error, CredentialsError)
    assert "run `tap-acme auth login`" in str(done.error)


def test_a_login_that_cannot_be_renewed_now_is_unavailable(acme: Any, app: Any, browser: Browser) -> None:
    """The token server is away for longer than the patience: exit 6, to be run again."""
    list(login(app(), open_page=browser))
    acme.end_access()
    acme.rules.fail_first = [503] * 9

    done = sync(acme, app())

    assert getattr(done.error, "exit_code", None) == 6
