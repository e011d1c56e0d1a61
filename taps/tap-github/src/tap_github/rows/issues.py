"""Issues and what is said and done in them."""

from __future__ import annotations

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Condition
from singerkit.rest.pages import Single
from tap_github.queries import DISCUSSIONS
from tap_github.rows.words import BY_CREATION, SINCE, newest_first, of_organization, of_query, of_repository

_UPDATED = (Bookmark(field="updated_at", param="since", format="iso_seconds", order="asc"),)
_OLDEST_FIRST = {"sort": "updated", "direction": "asc"}
_NO_DELETES = "Deleted records stay: a full load or a webhook takes them away."

ENDPOINTS = (
    of_repository(
        "issues",
        "/issues",
        "Issues: read",
        params={"state": "all", **_OLDEST_FIRST},
        pages=SINCE,
        bookmarks=_UPDATED,
        only_if=(Condition(field="pull_request", is_="absent"),),
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row an issue; pull requests have a stream of their own.",
        warnings=(_NO_DELETES,),
    ),
    of_repository(
        "issue_comments",
        "/issues/comments",
        "Issues: read",
        params=_OLDEST_FIRST,
        pages=SINCE,
        bookmarks=_UPDATED,
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a comment on an issue, or on a pull request as a whole.",
        warnings=(_NO_DELETES,),
    ),
    of_repository(
        "issue_events",
        "/issues/events",
        "Issues: read",
        bookmarks=newest_first("created_at"),
        partition=BY_CREATION,
        description="One row a thing that happened to an issue or pull request: labelled, closed, renamed and others.",
    ),
    of_repository("labels", "/labels", "Issues: read", description="One row a label."),
    of_repository(
        "milestones",
        "/milestones",
        "Issues: read",
        params={"state": "all"},
        description="One row a milestone, open or closed.",
    ),
    of_organization(
        "issue_types",
        "/issue-types",
        "Issue types: read",
        keys=("id",),
        pages=Single(),
        description="One row a type that issues of an organisation may have.",
    ),
    of_query(
        "discussions",
        DISCUSSIONS,
        "discussions",
        "Discussions: read",
        keys=("id",),
        own_keys=True,
        bookmarks=newest_first("updated_at"),
        partition=BY_CREATION,
        version_keys=("updated_at",),
        lifted={
            "id": "databaseId",
            "node_id": "id",
            "author": "author.login",
            "author_association": "authorAssociation",
            "category": "category.name",
            "state_reason": "stateReason",
            "is_answered": "isAnswered",
            "answer_chosen_at": "answerChosenAt",
            "upvotes": "upvoteCount",
            "comments": "comments.totalCount",
            "created_at": "createdAt",
            "updated_at": "updatedAt",
            "closed_at": "closedAt",
            "published_at": "publishedAt",
        },
        description="One row a discussion; the REST API has none, so GraphQL is asked.",
        warnings=(_NO_DELETES,),
    ),
)
