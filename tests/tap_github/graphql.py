"""The GraphQL side of the account on loopback: pull requests with their reviews, under the names that a query gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from singerkit.testing.fake_api import Asked, Reply

if TYPE_CHECKING:
    from tests.tap_github.account import Account, Repository, Row

MOST_INSIDE = 100
MISSING = {
    "data": {"repository": None},
    "errors": [{"type": "NOT_FOUND", "message": "Could not resolve to a Repository with the name 'octo/gone'."}],
}


def answer(account: Account, asked: Asked) -> Reply:
    """Answer a query about the reviews of a repository; cursors are values, so that what moves shifts no page."""
    variables = asked.body["variables"]
    name = f"{variables['owner']}/{variables['repo']}"
    one = next((found for found in account.repositories.values() if found.name == name), None)
    if one is None:
        return Reply(MISSING)
    pulls = sorted(one.lists["pulls"], key=_cursor, reverse=True)
    rest = [pull for pull in pulls if _cursor(pull) < variables.get("after", "~")]
    page = rest[: variables["first"]]
    info = {"hasNextPage": len(page) < len(rest), "endCursor": _cursor(page[-1]) if page else None}
    found = {"pageInfo": info, "nodes": [_node(one, pull) for pull in page]}
    return Reply({"data": {"repository": {"pullRequests": found}}})


def _cursor(pull: Row) -> str:
    return f"{pull['updated_at']}|{pull['id']:012}"


def _node(one: Repository, pull: Row) -> dict[str, Any]:
    reviews = [row for row in one.lists.get(f"pulls/{pull['number']}/reviews", []) if row["state"] != "PENDING"]
    info = {"hasNextPage": len(reviews) > MOST_INSIDE}
    nodes = [_review(row) for row in reviews[:MOST_INSIDE]]
    held = {"fullDatabaseId": str(pull["id"]), "number": pull["number"], "updatedAt": pull["updated_at"]}
    return {**held, "reviews": {"pageInfo": info, "nodes": nodes}}


def _review(row: Row) -> dict[str, Any]:
    user = row["user"] and {name: row["user"][name] for name in ("login", "id", "type", "site_admin")}
    same = {name: row[name] for name in ("node_id", "body", "state", "submitted_at")}
    return {**same, "id": str(row["id"]), "user": user, "commit": {"oid": row["commit_id"]}}


_ARGUMENTS = re.compile(r"\([^()]*\)")
_WORDS = re.compile(r"\.{3}\s*on\s+\w+|(?:\w+\s*:\s*)?\w+|[{}]")


def selected(query: str) -> Row:
    """Return the names that the answer to a query has, as a tree; what is asked of one type counts for all."""
    words = _WORDS.findall(_ARGUMENTS.sub("", query))[1:]  # the first is `query` itself
    open_ones: list[Row] = []
    top: Row = {}
    field = top
    for word in words:
        if word == "{":
            open_ones.append(field)
        elif word == "}":
            field = open_ones.pop()
        elif word.startswith("..."):
            field = open_ones[-1]
        else:
            field = open_ones[-1].setdefault(word.partition(":")[0].strip(), {})
    return top


def at(tree: Any, path: str) -> Any:
    """Return the part of a tree at a path, or None where the path leads nowhere."""
    for name in path.removeprefix("$.").split("."):
        tree = tree.get(name) if tree is not None else None
    return tree
