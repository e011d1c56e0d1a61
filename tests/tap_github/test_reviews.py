"""Reviews, many pull requests with one query: what it costs, and that every way to a review makes the same row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from singerkit.webhooks.spool import Spool
from tap_github.rows import ENDPOINTS
from tap_github.tap import TapGithub
from tests.tap_github import graphql
from tests.tap_github.account import moment

if TYPE_CHECKING:
    from pathlib import Path

    from singerkit.rest.endpoint import Endpoint
    from tests.tap_github.account import Account
    from tests.tap_github.conftest import Tries

QUERIES = [row for row in ENDPOINTS if row.method == "POST"]


@pytest.mark.slow  # runs of the tap
def test_what_reviews_cost(account: Account, tries: Tries) -> None:
    """One query for fifty pull requests, where the REST list would take one request each; one where nothing changed."""
    one = account.found("octo", "hello", pulls=220)
    for pull in one.lists["pulls"][::2]:
        account.review(one, pull)
    first = tries.run("reviews")
    asked_first = account.asked()["/repos/octo/hello/graphql"]
    same = tries.run("reviews", state=first.state)
    asked_same = account.asked()["/repos/octo/hello/graphql"]
    late = account.review(one, one.lists["pulls"][7], state="CHANGES_REQUESTED")

    changed = tries.run("reviews", state=same.state)

    assert (first.error, changed.error) == (None, None)
    assert len(first.records("reviews")) == 110
    assert (asked_first, asked_same, account.asked()["/repos/octo/hello/graphql"]) == (5, 1, 1)
    assert late["id"] in {row["id"] for row in changed.records("reviews")}


@pytest.mark.slow  # runs of the tap
def test_a_pull_request_with_more_reviews_than_a_query_holds(account: Account, tries: Tries) -> None:
    """The rest of them comes from the REST list, in the same shape; what nobody has submitted is in neither."""
    one = account.found("octo", "hello", pulls=3)
    for number in range(130):
        account.review(one, one.lists["pulls"][1], state="PENDING" if number == 120 else "COMMENTED")
    account.review(one, one.lists["pulls"][0])

    done = tries.run("reviews")

    rows = done.records("reviews")
    assert done.error is None
    assert len({row["id"] for row in rows}) == len(rows) == 130
    assert {row["state"] for row in rows} == {"COMMENTED", "APPROVED"}
    assert {frozenset(row) - {"author_association"} for row in rows} == {frozenset(rows[0]) - {"author_association"}}
    assert account.asked()["/repos/octo/hello/pulls/2/reviews"] == 2


@pytest.mark.slow  # runs of the tap
def test_a_delivery_is_the_same_row(account: Account, tries: Tries, tmp_path: Path) -> None:
    """A review that a webhook brings has the columns and values of the one that is asked for."""
    one = account.found("octo", "hello", pulls=1)
    pull = one.lists["pulls"][0]
    review = account.review(one, pull)
    full = {**pull, "updated_at": pull["updated_at"]}
    sent = {"action": "submitted", "review": {**review, "state": "approved"}, "pull_request": full}
    Spool(tmp_path).open().put("pull_request_review", moment(900), {**sent, "repository": one.row})

    done = tries.run("reviews", webhook_spool=str(tmp_path))

    delivered, asked = done.records("reviews")
    assert delivered == {**asked, "user": delivered["user"]}


@pytest.mark.slow  # runs of the tap
def test_a_first_load_that_was_cut(account: Account, tries: Tries) -> None:
    """It goes on at the page where it was cut, for pull requests, their reviews and runs; nothing is missing."""
    one = account.found("octo", "hello", pulls=350, runs=350)
    for pull in one.lists["pulls"]:
        account.review(one, pull)
    paths = {"pull_requests": "pulls", "reviews": "graphql", "workflow_runs": "actions/runs"}
    for stream, path in paths.items():
        whole = tries.run(stream)
        steps = [message["type"] for message in whole.messages]
        place = [number for number, what in enumerate(steps) if what == "STATE"][-3]
        before = {m["record"]["id"] for m in whole.messages[:place] if m["type"] == "RECORD"}
        account.asked()

        again = tries.run(stream, state=whole.messages[place]["value"], lookback_days=0)

        assert account.asked()[f"/repos/octo/hello/{path}"] <= 4, stream
        assert before | {row["id"] for row in again.records(stream)} == {row["id"] for row in whole.records(stream)}


@pytest.mark.parametrize("row", QUERIES, ids=lambda row: row.name)
def test_a_query_asks_for_what_its_row_reads(row: Endpoint) -> None:
    """Pages, records, what is lifted and every column are in the query."""
    tree = {"data": graphql.selected(row.body["query"])}
    record = graphql.at(tree, row.records)
    within = graphql.at(record, row.inside.path) if row.inside else record
    lifted = row.inside.lifted if row.inside else {}
    columns = {*TapGithub(config={}, validate_config=False).streams[row.name].schema["properties"]}
    handed = {column for parent in row.parents for column in parent.columns}

    assert graphql.at(tree, row.pages.page_info)  # type: ignore[attr-defined]  # all queries have GraphQL pages
    assert all(graphql.at(record, path) is not None for path in row.lifted.values())
    assert all(graphql.at(within, path) is not None for path in lifted.values())
    assert columns - handed - {*row.lifted, *lifted} <= {*within}
