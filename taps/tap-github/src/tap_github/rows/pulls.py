"""Pull requests and their reviews, files and commits: children come again when their pull request changed."""

from __future__ import annotations

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Condition, Inside
from tap_github.queries import REVIEWS
from tap_github.rows.words import BY_CREATION, LINK, SINCE, below, by_parent, newest_first, of_query, of_repository

_PULL = {"pull_request_id": "id", "pull_request_number": "number", "pull_request_updated_at": "updated_at"}
_CHANGED = below("pull_requests", {"number": "number"}, _PULL, changed_by="updated_at")
_AGAIN = "All reviews of a pull request come again when it changed; one that was dismissed comes with its new state."
_ONE_EACH = "One request for each pull request that changed; `start_date` bounds the first run."

ENDPOINTS = (
    of_repository(
        "pull_requests",
        "/pulls",
        "Pull requests: read",
        params={"state": "all", "sort": "updated", "direction": "desc"},
        bookmarks=newest_first("updated_at"),
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a pull request, open or closed.",
    ),
    of_query(
        "reviews",
        REVIEWS,
        "pullRequests",
        "Pull requests: read",
        size=50,  # the vendor ends a query that takes longer than ten seconds
        keys=("id",),
        own_keys=True,
        lifted={
            "pull_request_id": "fullDatabaseId",
            "pull_request_number": "number",
            "pull_request_updated_at": "updatedAt",
        },
        bookmarks=newest_first("pull_request_updated_at"),
        inside=Inside(
            path="reviews.nodes",
            lifted={"commit_id": "commit.oid"},
            more="reviews.pageInfo.hasNextPage",
            rest="/repos/{repository_owner}/{repository_name}/pulls/{pull_request_number}/reviews",
            pages=LINK,
        ),
        integers=("id", "pull_request_id"),
        version_keys=("pull_request_updated_at",),
        only_if=(Condition(field="state", is_="!=", value="PENDING"),),
        description="One row a review of a pull request; those that nobody has submitted yet are left out.",
        warnings=(_AGAIN,),
    ),
    of_repository(
        "pull_request_comments",
        "/pulls/comments",
        "Pull requests: read",
        params={"sort": "updated", "direction": "asc"},
        pages=SINCE,
        bookmarks=(Bookmark(field="updated_at", param="since", format="iso_seconds", order="asc"),),
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a comment on a line or a file of a pull request.",
        warnings=("Deleted comments stay: a full load or a webhook takes them away.",),
    ),
    of_repository(
        "pull_request_files",
        "/pulls/{number}/files",
        "Pull requests: read",
        keys=("repository_id", "pull_request_number", "filename"),
        parents=_CHANGED,
        bookmarks=by_parent("pull_request_updated_at"),
        selected=False,
        description="One row a file that a pull request changes.",
        warnings=(_ONE_EACH, "The vendor shows 3,000 files of a pull request at most."),
    ),
    of_repository(
        "pull_request_commits",
        "/pulls/{number}/commits",
        "Pull requests: read",
        keys=("repository_id", "pull_request_number", "sha"),
        parents=_CHANGED,
        bookmarks=by_parent("pull_request_updated_at"),
        selected=False,
        description="One row a commit of a pull request.",
        warnings=(_ONE_EACH, "The vendor shows 250 commits of a pull request at most."),
    ),
)
