"""A REST tap of any rows, and a loopback API for it."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest

from singerkit.rest.auth import Bearer
from singerkit.rest.endpoint import Endpoint, Source
from singerkit.rest.settings import RestSettings
from singerkit.rest.tap import RestTap
from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings
from singerkit.testing.fake_api import FakeApi
from singerkit.testing.runner import Run, run


@settings
class Tried(RestSettings):
    """What the rows of the tests need."""

    base_url: Annotated[str, Input("Address", "Where the API is.")]
    token: Annotated[str | None, Input("Token", "Never shown.", secret=True)] = None
    owner: Annotated[str | None, Input("Owner", "Whose items are read.")] = None


class Tries:
    """Runs rows against the loopback API; retries are quick and every page may have its STATE."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.config = {"base_url": api.url, "token": "canary-4711", "state_interval_s": 0, "retry_base_s": 0.001}
        self.config["allow_private_hosts"] = True

    def tap(self, *rows: Endpoint, source: Source | None = None) -> type[RestTap]:
        """Return a tap of these rows."""

        class TapTried(RestTap):
            name = "tap-tried"
            settings_class = Tried
            source_row = source or Source(base_url="{base_url}", auth=Bearer(token="{token}"))
            endpoints = rows

        return TapTried

    def run(
        self, *rows: Endpoint, state: Any = None, source: Source | None = None, catalog: Any = None, **config: Any
    ) -> Run:
        """Run a tap of these rows."""
        return run(self.tap(*rows, source=source), {**self.config, **config}, state, catalog)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as served:
        yield served


@pytest.fixture
def tries(api: FakeApi) -> Tries:
    return Tries(api)


@pytest.fixture
def schema() -> Callable[..., dict[str, Any]]:
    """A schema of named types: `schema(id="integer", at="date-time")`."""

    def build(**types: str) -> dict[str, Any]:
        formats = {"date-time", "date"}
        made = {n: {"type": "string", "format": t} if t in formats else {"type": [t, "null"]} for n, t in types.items()}
        return {"properties": made}

    return build
