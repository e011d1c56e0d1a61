"""What the rows share: how GitHub pages, what its answers mean, and how a row stands below a repository or another row.

Takes what differs from row to row; gives endpoints. The vendor's words: https://docs.github.com/en/rest.
"""

from __future__ import annotations

from typing import Any

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Parent, Partition
from singerkit.rest.pages import GraphQL, Keyset, Link
from singerkit.rest.rules import Rule

_DAY_S = 86_400
MOST = 100  # records of a page; GitHub cuts more in silence
LINK = Link(size_param="per_page", size=MOST, max_size=MOST)
SINCE = Keyset(size_param="per_page", size=MOST, max_size=MOST, param="since", field="updated_at")
BY_CREATION = Partition(keys=("created_at",), format="month")

_SECONDARY_S = 60  # the vendor asks for a minute at least where a refusal names no time
LIMITS = (
    Rule(action="hold", status=403, header="x-ratelimit-remaining", matches="^0$"),
    Rule(action="hold", status=403, header="retry-after"),
    Rule(action="hold", status=403, body="$.message", matches="secondary rate limit|abuse", wait_s=_SECONDARY_S),
    Rule(action="hold", status=429, header="retry-after"),
    Rule(action="hold", status=429, wait_s=_SECONDARY_S),
)
"""Refusals that mean "not now": https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api."""

TOO_DEEP = "the vendor gives no more pages of this list; a later `start_date` ends a stream with a bookmark before that"
ABSENT = (
    Rule(action="ignore", status=404),  # deleted, hidden from this credential, or a feature that is off
    Rule(action="ignore", status=409),  # a repository without a commit
    Rule(action="ignore", status=410),  # issues are off
    Rule(action="ignore", status=451),  # taken down for legal reasons
    Rule(action="ignore", status=403, body="$.message", matches="repository access blocked|has been disabled"),
    Rule(action="fail", status=422, body="$.message", matches="pagination|first 1000", say=TOO_DEEP),
)
"""What a repository without such records answers: no rows, and no error."""

COMPUTED = Rule(action="retry", status=202)
"""Statistics are computed when they are first asked for: https://docs.github.com/en/rest/metrics/statistics."""

GRAPHQL = (
    Rule(action="ignore", status=200, body="$.errors[0].message", matches="^Could not resolve to a Repository"),
    Rule(action="hold", status=200, body="$.errors[0].type", matches="^RATE_LIMIT", wait_s=_SECONDARY_S),
    Rule(action="retry", status=200, body="$.errors[0].message", matches="something went wrong|timed? ?out"),
    Rule(
        action="fail",
        status=200,
        body="$.errors[0].type",
        matches="FORBIDDEN|INSUFFICIENT_SCOPES",
        say="grant what the stream needs: `x-scopes` in the catalog",
    ),
    Rule(
        action="fail",
        status=200,
        body="$.errors[0].type",
        matches="RESOURCE_LIMITS|MAX_NODE",
        say="set `page_size` lower: the query asks for more than the vendor computes at once",
    ),
    Rule(action="fail", status=200, body="$.errors[0].message"),
)
"""GraphQL says what went wrong in a good answer; half an answer is none: its other half would be missing for ever."""

SCOPES_HELP = "fine-grained token: its permissions; classic token: repo, read:org; GitHub App: its permissions"
REPOSITORY_COLUMNS = {"repository_id": "id", "repository_owner": "owner_login", "repository_name": "name"}
"""Columns that every stream below a repository has: the number outlives a rename, the names make addresses."""
_HANDED_ON = {name: name for name in REPOSITORY_COLUMNS}
_PLACE = {"owner": "repository_owner", "repo": "repository_name"}

REPOSITORY = Parent(
    stream="repositories",
    params={"owner": "owner_login", "repo": "name"},
    fields=REPOSITORY_COLUMNS,
    known_by="id",  # a name is given up, and taken by another
)
ORGANIZATION = Parent(
    stream="organizations",
    params={"org": "login"},
    fields={"organization_id": "id", "organization": "login"},
    known_by="id",
)


def of_repository(name: str, path: str, permission: str, **more: Any) -> Endpoint:
    """Return the row of a list below a repository; its ids are unique everywhere unless `keys` say otherwise."""
    given: dict[str, Any] = {"keys": ("id",), "pages": LINK, "rules": (), "parents": (REPOSITORY,)} | more
    rules = (*LIMITS, *given.pop("rules"), *ABSENT)
    keys = given.pop("keys")
    return Endpoint(
        name=name,
        path=f"/repos/{{owner}}/{{repo}}{path}",
        keys=keys,
        own_keys="repository_id" not in keys,
        rules=rules,
        scopes=(permission,),
        scopes_help=SCOPES_HELP,
        **given,
    )


def of_organization(name: str, path: str, permission: str, **more: Any) -> Endpoint:
    """Return the row of a list below an organisation."""
    given: dict[str, Any] = {"keys": ("organization_id", "id"), "pages": LINK, "parents": (ORGANIZATION,)} | more
    keys = given.pop("keys")
    return Endpoint(
        name=name,
        path=f"/orgs/{{org}}{path}",
        keys=keys,
        own_keys="organization_id" not in keys,
        rules=(*LIMITS, *ABSENT),
        scopes=(permission,),
        scopes_help=SCOPES_HELP,
        **given,
    )


def below(stream: str, params: dict[str, str], columns: dict[str, str], **more: Any) -> tuple[Parent]:
    """Return the parent of a row two levels below a repository; the repository's columns are handed on."""
    return (Parent(stream=stream, params=_PLACE | params, fields=_HANDED_ON | columns, **more),)


def newest_first(field: str, days: float = 0, **params: str) -> tuple[Bookmark]:
    """Return the bookmark of a list that can only be read from its newest record on, until known ones come."""
    return (Bookmark(field=field, order="desc", params=params, lookback_s=days * _DAY_S),)


def by_parent(field: str) -> tuple[Bookmark]:
    """Return the bookmark of children that come again, all of them, whenever their parent changes."""
    return (Bookmark(field=field, of_parent=True),)


def of_query(
    name: str, query: str, connection: str, permission: str, records: str = "nodes", size: int = MOST, **more: Any
) -> Endpoint:
    """Return the row of a GraphQL connection of a repository, given as `owner` and `repo`."""
    where = f"$.data.repository.{connection}"
    return Endpoint(
        name=name,
        path="../graphql",  # beside the REST API: api.github.com/graphql, HOST/api/graphql
        method="POST",
        body={"query": query, "variables": {"owner": "{owner}", "repo": "{repo}"}},
        pages=GraphQL(page_info=f"{where}.pageInfo", size_param="first", size=size, max_size=MOST),
        records=f"{where}.{records}",
        records_optional=True,
        rules=(*LIMITS, *GRAPHQL),
        parents=(REPOSITORY,),
        scopes=(permission,),
        scopes_help=SCOPES_HELP,
        **more,
    )
