"""What the rows of this tap say of themselves; the promises that need a server are tried with those of all taps."""

from __future__ import annotations

from typing import Any

import pytest

from singerkit.testing.contract import OF_ALL, rows_keep_their_rules
from tap_github.rows import ENDPOINTS
from tap_github.tap import TapGithub
from tools.api_inventory import PAGE, renewed


@pytest.mark.parametrize("promise", [*OF_ALL, rows_keep_their_rules])
def test_contract(promise: Any) -> None:
    """The tap keeps each promise of the contract that needs no server."""
    promise(TapGithub)


def test_code_is_the_exception() -> None:
    """At most one stream in ten is read by a function: the others are rows."""
    assert sum(row.read is not None for row in ENDPOINTS) <= len(ENDPOINTS) / 10


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_every_row_says_what_a_person_needs(row: Any) -> None:
    """A description, the permission that it needs, and the vendor's longest page."""
    assert row.description.endswith(".")
    assert row.scopes or row.name == "users"  # profiles are public
    assert row.pages.max_size == 100 or row.pages.style == "single"


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if row.parents], ids=lambda row: row.name)
def test_children_stand_below_their_repository(row: Any) -> None:
    """Every row below a repository has its number, which outlives a rename; keys hold it unless ids are unique."""
    columns = {column for parent in row.parents for column in parent.columns}

    assert columns & {"repository_id", "organization_id"}
    assert row.own_keys or {*row.keys} & {"repository_id", "organization_id"}


WHEN_MADE = ("created_at", "committed_at", "timestamp", "starred_at")
NEVER_CHANGE = {"issue_events", "repository_activity"}
"""What happened stays as it was."""


def test_what_may_be_missed_is_said() -> None:
    """Bookmarks by creation, children by such ones, and lists that the vendor forgets have a warning in the catalog."""
    by_creation = {row.name for row in ENDPOINTS for mark in row.bookmarks if mark.field.endswith(WHEN_MADE)}
    forgotten = {row.name for row in ENDPOINTS if row.vendor_keeps}
    said = {row.name for row in ENDPOINTS if row.warnings}

    assert (by_creation | forgotten) - said == NEVER_CHANGE
    assert {"workflow_runs", "deployments", "forks", "commits", "check_runs"} <= by_creation


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if row.bookmarks], ids=lambda row: row.name)
def test_the_lookback_that_helps_is_named(row: Any) -> None:
    """A row that is read again from before its bookmark says by which setting it is read from further back."""
    assert not row.bookmarks[0].lookback_s or any("`lookback_days`" in warning for warning in row.warnings)


def test_the_inventory_is_that_of_the_rows() -> None:
    """api_inventory.md says what the rows say; where this fails: python -m tools.api_inventory."""
    page = PAGE.read_text(encoding="utf-8")

    assert renewed(page, ENDPOINTS) == page
    assert all(f"| {row.name}" in page for row in ENDPOINTS)
