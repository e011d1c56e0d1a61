"""What GitHub answers where there are no rows, not now, or not to everybody: data states, each with its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import CredentialsError
from singerkit.testing.fake_api import Reply, Trouble
from tests.tap_github.account import moment

if TYPE_CHECKING:
    from tests.tap_github.account import Account
    from tests.tap_github.conftest import Tries

pytestmark = pytest.mark.slow  # a run of the tap for each

GONE = "Could not resolve to a Repository with the name 'octo/gone'."
NOT_ENABLED = {"message": "Advanced Security must be enabled for this repository to use code scanning."}


@pytest.mark.parametrize(
    ("stream", "path", "answer"),
    [
        ("commits", "commits", Reply({"message": "Git Repository is empty."}, 409)),
        ("issues", "issues", Reply({"message": "Not Found"}, 404)),
        ("issues", "issues", Reply({"message": "Issues are disabled for this repo"}, 410)),
        ("labels", "labels", Reply({"message": "Repository access blocked", "block": {"reason": "dmca"}}, 451)),
        ("labels", "labels", Reply({"message": "Repository access blocked"}, 403)),
        ("code_scanning_alerts", "code-scanning/alerts", Reply(NOT_ENABLED, 403)),
        ("dependabot_alerts", "dependabot/alerts", Reply({"message": "Dependabot alerts are disabled."}, 403)),
        ("traffic_views", "traffic/views", Reply({"message": "Must have push access to repository"}, 403)),
        ("code_frequency_stats", "stats/code_frequency", Reply({"message": "too many commits"}, 422)),
        ("contributor_stats", "stats/contributors", Reply(b"", 204)),
    ],
    ids=[
        "empty",
        "gone",
        "off",
        "legal",
        "blocked",
        "no-scanning",
        "no-dependabot",
        "no-push",
        "too-large",
        "no-stats",
    ],
)
def test_a_repository_without_such_records(
    stream: str, path: str, answer: Reply, account: Account, tries: Tries
) -> None:
    """It has no rows, and that is no error: the other repositories are read, and the load is complete."""
    account.found("octo", "without")
    account.found("octo", "with")
    found = {"id": 1, "number": 1, "sha": "a", "timestamp": moment(0), "name": "a", "week": 1, "updated_at": moment(1)}
    body: Any = [[1, 2, -3]] if stream == "code_frequency_stats" else [{**found, "author": {"id": 5}}]
    account.api.route(f"/repos/octo/without/{path}", answer)
    account.api.route(f"/repos/octo/with/{path}", {"views": body} if stream == "traffic_views" else body)

    done = tries.run(stream)

    assert done.error is None
    assert [row["repository_name"] for row in done.records(stream)] == ["with"]


def test_statistics_that_are_being_computed(account: Account, tries: Tries) -> None:
    """202 means that the numbers come later: they are asked for again, and there."""
    account.found("octo", "hello")
    answers = iter([Reply({}, 202), Reply({}, 202), Reply({"all": [1, 2], "owner": [0, 1]})])
    account.api.route("/repos/octo/hello/stats/participation", lambda asked: next(answers))
    account.api.troubles.clear()

    done = tries.run("participation_stats")

    assert [row["all"] for row in done.records("participation_stats")] == [[1, 2]]


def test_a_list_that_ends_before_its_end(account: Account, tries: Tries) -> None:
    """Where the vendor gives no deeper page, the stream fails and says so: half a list is no load."""
    account.found("octo", "hello")
    deep = {"message": "In order to keep the API fast for everyone, pagination is limited for this resource."}
    account.api.route("/repos/octo/hello/subscribers", Reply(deep, 422))

    done = tries.run("subscribers")

    assert done.exit_code == 2
    assert "pagination is limited for this resource" in str(done.error)
    assert "the vendor gives no more pages of this list" in str(done.error)


def test_more_runs_than_a_filtered_list_shows(account: Account, tries: Tries) -> None:
    """The vendor cuts filtered lists at 1,000: runs are asked for without a filter, and all come."""
    one = account.found("octo", "hello", runs=1250)
    first = tries.run("workflow_runs")
    account.asked()
    for _ in range(120):
        account.add(one, "runs")

    second = tries.run("workflow_runs", state=first.state, lookback_days=0)

    assert len({row["id"] for row in first.records("workflow_runs")}) == 1250
    assert len({row["id"] for row in second.records("workflow_runs")}) == 121
    assert account.asked()["/repos/octo/hello/actions/runs"] == 2
    assert not {name for asked in account.api.asked for name in asked.query} - {"per_page", "page"}


def test_runs_that_change_after_they_were_made(account: Account, tries: Tries) -> None:
    """A day before the bookmark is read again, so that a run which has ended meanwhile is seen."""
    one = account.found("octo", "hello", runs=3)
    first = tries.run("workflow_runs")
    account.edit(one.lists["actions/runs"][0], status="completed", conclusion="success")

    second = tries.run("workflow_runs", state=first.state)

    ended = [row["conclusion"] for row in second.records("workflow_runs") if row["status"] == "completed"]
    assert ended == ["success"]


def test_a_permission_that_is_missing(account: Account, tries: Tries) -> None:
    """The stream fails with what is to be granted; nothing of it is taken for empty."""
    account.found("octo", "hello")
    account.api.route("/repos/octo/hello/labels", Reply({"message": "Resource not accessible by integration"}, 403))

    done = tries.run("labels")

    assert isinstance(done.error, CredentialsError)
    assert "Resource not accessible by integration" in str(done.error)
    assert "grant Issues: read (fine-grained token: its permissions" in str(done.error)


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}),
        Trouble(status=403, headers={"Retry-After": "0"}, body={"message": "You have exceeded a secondary rate limit"}),
        Trouble(status=429, headers={"Retry-After": "0"}),
    ],
    ids=["primary", "secondary", "429"],
)
def test_limits_are_waited_for(trouble: Trouble, account: Account, tries: Tries) -> None:
    """A refusal because of a limit is no refusal: the request is sent again, and the wait is in the log."""
    account.found("octo", "hello", labels=2)
    account.api.trouble(trouble)

    done = tries.run("labels")

    assert done.error is None
    assert len(done.records("labels")) == 2
    assert "waiting stream=" in done.log


def test_a_discussion_by_graphql(account: Account, tries: Tries) -> None:
    """GraphQL's nodes become rows under the names that the other streams use; a repository that is gone has none."""
    account.found("octo", "hello")
    account.found("octo", "gone")
    node = {
        "databaseId": 7,
        "id": "D_7",
        "number": 1,
        "title": "a question",
        "author": None,
        "category": {"name": "Q&A"},
        "comments": {"totalCount": 3},
        "updatedAt": moment(1),
        "createdAt": moment(0),
    }
    page = {"nodes": [node], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    missing = {"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": GONE}]}

    def answer(asked: Any) -> Reply:
        gone = asked.body["variables"]["repo"] == "gone"
        return Reply(missing if gone else {"data": {"repository": {"discussions": page}}})

    account.api.route("/graphql", answer)

    done = tries.run("discussions")

    assert done.error is None
    (row,) = done.records("discussions")
    assert (row["id"], row["author"], row["category"], row["comments"]) == (7, None, "Q&A", 3)
    assert done.state["bookmarks"]["discussions"]["replication_key"] == "updated_at"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"type": "FORBIDDEN", "message": "Resource not accessible"}, "grant what the stream needs: `x-scopes`"),
        ({"type": "INSUFFICIENT_SCOPES", "message": "Your token"}, "grant what the stream needs: `x-scopes`"),
        ({"type": "RESOURCE_LIMITS_EXCEEDED", "message": "too much"}, "set `page_size` lower"),
        ({"type": "NOT_FOUND", "message": "Could not resolve to a node"}, "Could not resolve to a node"),
        ({"message": "Field 'stars' doesn't exist"}, "Field 'stars' doesn't exist"),
    ],
    ids=["forbidden", "scopes", "limits", "half", "query"],
)
def test_an_error_of_graphql(error: dict[str, str], said: str, account: Account, tries: Tries) -> None:
    """What GraphQL says in a good answer ends the stream, also where half of the answer is there, with what to do."""
    account.found("octo", "hello")
    page = {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    account.api.route("/graphql", {"data": {"repository": {"stargazers": page}}, "errors": [error]})

    done = tries.run("stargazers")

    assert error["message"] in str(done.error)
    assert said in str(done.error)


def test_a_query_that_took_too_long(account: Account, tries: Tries) -> None:
    """GitHub says so in a good answer, or by 502: the query is sent again."""
    one = account.found("octo", "hello", pulls=2)
    review = account.review(one, one.lists["pulls"][0])
    slow = {
        "errors": [{"message": "Something went wrong while executing your query. It may be the result of a timeout."}]
    }
    troubles = iter([Reply(slow), Reply({"message": "We couldn't respond to your request in time."}, 502)])
    account.api.route("/graphql", lambda asked: next(troubles, account.answer(asked)))

    done = tries.run("reviews")

    assert done.error is None
    assert [row["id"] for row in done.records("reviews")] == [review["id"]]


def test_no_token_in_any_output(account: Account, tries: Tries) -> None:
    """A server that repeats the token in its words does not bring it into a log or an error."""
    account.found("octo", "hello")
    account.api.route("/repos/octo/hello/labels", lambda a: Reply({"message": a.headers["authorization"]}, 403))

    done = tries.run("labels")

    assert tries.config["auth_token"] not in str(done.error) + done.log + done.stdout
