"""What is in a repository: commits, branches, tags, releases; who follows it, and what it is made of."""

from __future__ import annotations

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Partition
from singerkit.rest.pages import Single
from tap_github.queries import STARGAZERS
from tap_github.rows.words import BY_CREATION, below, by_parent, newest_first, of_query, of_repository

_WEEK_S = 7 * 86_400
_COMMIT = below(
    "commits", {"ref": "sha"}, {"commit_sha": "sha", "commit_committed_at": "committed_at"}, changed_by="committed_at"
)
_SHA = {"commit_sha": "commit.sha"}
_ONE_EACH = "One request for each commit; `start_date` bounds the first run."

ENDPOINTS = (
    of_repository(
        "commits",
        "/commits",
        "Contents: read",
        keys=("repository_id", "sha"),
        lifted={"committed_at": "commit.committer.date", "authored_at": "commit.author.date"},
        bookmarks=(Bookmark(field="committed_at", param="since", format="iso_seconds", lookback_s=_WEEK_S),),
        partition=Partition(keys=("committed_at",), format="month"),
        description="One row a commit of the default branch.",
        warnings=(
            "A commit keeps its date when its branch is merged: seven days are read again, `lookback_days` reads more.",
            "Commits that a forced push took away stay.",
        ),
    ),
    of_repository(
        "commit_comments",
        "/comments",
        "Contents: read",
        partition=BY_CREATION,
        description="One row a comment on a commit.",
    ),
    of_repository(
        "branches",
        "/branches",
        "Contents: read",
        keys=("repository_id", "name"),
        lifted=_SHA,
        description="One row a branch.",
    ),
    of_repository(
        "tags",
        "/tags",
        "Contents: read",
        keys=("repository_id", "name"),
        lifted=_SHA,
        description="One row a tag.",
    ),
    of_repository("releases", "/releases", "Contents: read", description="One row a release, with its files."),
    of_repository(
        "repository_activity",
        "/activity",
        "Contents: read",
        bookmarks=newest_first("timestamp"),
        partition=Partition(keys=("timestamp",), format="month"),
        description="One row a push, a branch made or deleted, a merge.",
    ),
    of_repository(
        "repository_events",
        "/events",
        "Metadata: read",
        bookmarks=newest_first("created_at"),
        partition=BY_CREATION,
        vendor_keeps="30d",
        description="One row a thing that happened in a repository.",
        warnings=("The vendor keeps 300 events and 30 days: run at least as often as that fills.",),
    ),
    of_query(
        "stargazers",
        STARGAZERS,
        "stargazers",
        "Metadata: read",
        records="edges",
        keys=("repository_id", "user_id"),
        bookmarks=newest_first("starred_at"),
        partition=Partition(keys=("starred_at",), format="month"),
        lifted={"user_id": "node.databaseId", "login": "node.login", "starred_at": "starredAt"},
        description="One row a star; GraphQL is asked, since the REST list ends after 40,000.",
        warnings=("Stars that were taken back stay until a full load.",),
    ),
    of_repository(
        "subscribers",
        "/subscribers",
        "Metadata: read",
        keys=("repository_id", "id"),
        description="One row an account that watches a repository.",
    ),
    of_repository(
        "forks",
        "/forks",
        "Metadata: read",
        params={"sort": "newest"},
        bookmarks=newest_first("created_at"),
        partition=BY_CREATION,
        drop=("temp_clone_token",),
        description="One row a fork; `repository_id` is what it is a fork of.",
        warnings=("Forks are read once, when they are new: a full load shows later changes and what is gone.",),
    ),
    of_repository(
        "contributors",
        "/contributors",
        "Metadata: read",
        keys=("repository_id", "id"),
        description="One row an account that has commits in a repository.",
        warnings=("The vendor shows the 500 authors with most commits, and counts again every few hours.",),
    ),
    of_repository(
        "topics",
        "/topics",
        "Metadata: read",
        keys=("repository_id", "topic"),
        records="$.names",
        columns=("topic",),
        description="One row a topic of a repository.",
    ),
    of_repository(
        "languages",
        "/languages",
        "Metadata: read",
        keys=("repository_id", "language"),
        columns=("language", "bytes"),
        pages=Single(),
        description="One row a language of a repository, with its bytes.",
    ),
    of_repository(
        "autolinks",
        "/autolinks",
        "Administration: read",
        keys=("repository_id", "id"),
        pages=Single(),
        selected=False,
        description="One row a reference that the vendor turns into a link.",
    ),
    of_repository(
        "check_runs",
        "/commits/{ref}/check-runs",
        "Checks: read",
        params={"filter": "all"},
        records="$.check_runs",
        parents=_COMMIT,
        bookmarks=by_parent("commit_committed_at"),
        version_keys=("completed_at", "started_at"),
        selected=False,
        description="One row a check of a commit.",
        warnings=(_ONE_EACH, "Checks that end later than a week after the commit are seen with `lookback_days`."),
    ),
    of_repository(
        "commit_statuses",
        "/commits/{ref}/statuses",
        "Commit statuses: read",
        keys=("repository_id", "commit_sha", "id"),
        parents=_COMMIT,
        bookmarks=by_parent("commit_committed_at"),
        selected=False,
        description="One row a status of a commit.",
        warnings=(_ONE_EACH,),
    ),
)
