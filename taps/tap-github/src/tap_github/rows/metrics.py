"""What is counted: traffic of the last 14 days, and statistics that the vendor computes when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.rest.endpoint import Condition, Endpoint
from singerkit.rest.pages import Single
from singerkit.rest.rules import Rule
from tap_github.rows.words import COMPUTED, of_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_PUSH = Rule(action="ignore", status=403, body="$.message", matches="must have (push|admin)")
_FORGOTTEN = (
    "The vendor keeps 14 days: what was read stays in the table. Repositories without push access have no rows."
)
_TOO_LARGE = Rule(action="ignore", status=422)  # more than 10,000 commits


def _traffic(name: str, path: str, key: str, **more: Any) -> Endpoint:
    return of_repository(
        name,
        f"/traffic/{path}",
        "Administration: read",
        keys=("repository_id", key),
        pages=Single(),
        rules=(_NO_PUSH,),
        **more,
    )


def _statistics(name: str, path: str, keys: Sequence[str], **more: Any) -> Endpoint:
    return of_repository(
        name,
        f"/stats/{path}",
        "Metadata: read",
        keys=("repository_id", *keys),
        pages=Single(),
        rules=(COMPUTED, _TOO_LARGE),
        **more,
    )


ENDPOINTS = (
    _traffic(
        "traffic_views",
        "views",
        "timestamp",
        records="$.views",
        vendor_keeps="14d",
        description="One row a day with the views of a repository.",
        warnings=(_FORGOTTEN,),
    ),
    _traffic(
        "traffic_clones",
        "clones",
        "timestamp",
        records="$.clones",
        vendor_keeps="14d",
        description="One row a day with the clones of a repository.",
        warnings=(_FORGOTTEN,),
    ),
    _traffic(
        "traffic_referrers",
        "popular/referrers",
        "referrer",
        description="One row a site that people came from in the last 14 days; ten at most.",
    ),
    _traffic(
        "traffic_paths",
        "popular/paths",
        "path",
        description="One row a page that people looked at in the last 14 days; ten at most.",
    ),
    of_repository(
        "community_profile",
        "/community/profile",
        "Contents: read",
        keys=("repository_id",),
        pages=Single(),
        description="One row a repository with how well it meets contributors.",
    ),
    _statistics(
        "contributor_stats",
        "contributors",
        ("author_id",),
        lifted={"author_id": "author.id"},
        only_if=(Condition(field="author.id", is_="present"),),
        description="One row an author with commits, additions and deletions by week.",
    ),
    _statistics(
        "commit_activity_stats",
        "commit_activity",
        ("week",),
        description="One row a week of the last year, commits by day.",
    ),
    _statistics(
        "code_frequency_stats",
        "code_frequency",
        ("week",),
        columns=("week", "additions", "deletions"),
        description="One row a week with additions and deletions.",
        warnings=("The vendor computes it for repositories of at most 10,000 commits.",),
    ),
    _statistics(
        "participation_stats",
        "participation",
        (),
        description="One row a repository: commits of all, and of its owner, by week.",
    ),
    _statistics(
        "punch_card_stats",
        "punch_card",
        ("day", "hour"),
        columns=("day", "hour", "commits"),
        description="One row an hour of the week with its commits.",
    ),
)
