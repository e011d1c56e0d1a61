"""A tap beside an account on loopback, and runs of chosen streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.testing.fake_api import FakeApi
from singerkit.testing.runner import Run, run
from tap_github.rows import ENDPOINTS
from tap_github.tap import TapGithub
from tests.tap_github.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "github_pat_canary_4711"


class Tries:
    """Runs the tap against an account; retries are quick and every page may have its STATE."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.config: dict[str, Any] = {
            "auth_token": CANARY,
            "base_url": account.api.url,
            "organizations": ["octo"],
            "allow_private_hosts": True,
            "retry_base_s": 0.001,
            "state_interval_s": 0,
        }

    def run(self, *streams: str, state: Any = None, **config: Any) -> Run:
        """Run with these streams selected; the rows are cut to them and what is above them, which saves seconds."""
        return run(reading(*streams), {**self.config, **config}, state)


def reading(*streams: str) -> type[TapGithub]:
    """Return the tap with the rows of these streams and of what is above them."""
    rows = {row.name: row for row in ENDPOINTS}
    needed = set(streams)
    for name in streams:
        above = {parent.stream for parent in rows[name].parents}
        needed |= above | {up.stream for one in above for up in rows[one].parents}
    chosen = tuple(replace(row, selected=row.name in streams) for row in ENDPOINTS if row.name in needed)
    return type("TapGithub", (TapGithub,), {"endpoints": chosen, "__module__": TapGithub.__module__})


@pytest.fixture
def account() -> Iterator[Account]:
    """An empty account."""
    with FakeApi() as api:
        yield Account(api)


@pytest.fixture
def tries(account: Account) -> Tries:
    """The tap beside the account."""
    return Tries(account)
