"""A GitHub of our own on loopback: organisations whose repositories change between runs, served as the vendor serves.

Pages with Link headers, `since`, both orders, envelopes, 409 for the empty, 301 for the renamed, 404 for the vanished,
ETags, and a count of every request.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from singerkit.testing.fake_api import Asked, FakeApi, Reply
from tap_github.loopback import repository
from tests.tap_github import graphql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
ENVELOPES = {"actions/runs": "workflow_runs"}
_PLACE = re.compile(r"/(?:repos/([^/]+/[^/]+)|repositories/(\d+))(?:/(.*))?$")


def moment(minutes: float) -> str:
    """Return a moment so many minutes after the account began, as the vendor writes it."""
    return (BEGIN + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(number: int) -> Row:
    """Return a person as records name them."""
    name = f"person-{number % 7}"
    return {"login": name, "id": number % 7, "node_id": name, "type": "User", "site_admin": False}


@dataclass
class Repository:
    """One repository and its lists; `lists` are by the path that they are served at."""

    row: Row
    lists: dict[str, list[Row]] = field(default_factory=dict)
    empty: bool = False

    @property
    def name(self) -> str:
        """Owner and name, which a rename changes."""
        return str(self.row["full_name"])


class Account:
    """Organisations with repositories; every change is told by a method, so that a test reads as a story."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.repositories: dict[int, Repository] = {}
        self.former: dict[str, int] = {}
        self.serial = 1000
        self.minute = 0.0
        self.bodies = 0
        api.route("/*", self.answer)

    def now(self) -> str:
        """Return the next moment of the account."""
        self.minute += 1
        return moment(self.minute)

    def found(self, org: str, name: str, *, empty: bool = False, issues: int = 0, **counts: int) -> Repository:
        """Make a repository with so many issues, and other records."""
        self.serial += 1
        one = Repository(repository(self.serial, org, name), empty=empty)
        self.repositories[self.serial] = one
        one.lists = {path: [] for path in ("issues", "issues/comments", "pulls", "commits", "labels", "actions/runs")}
        for _ in range(issues):
            self.open_issue(one)
        for path, count in counts.items():
            for _ in range(count):
                self.add(one, path)
        return one

    def open_issue(self, one: Repository) -> Row:
        """Open an issue with a comment on each third."""
        at = self.now()
        issue = self._row(one, "issues", number=len(one.lists["issues"]) + 1, title="an issue", body=None, state="open")
        issue |= {"created_at": at, "updated_at": at, "user": user(self.serial), "comments": 0, "labels": []}
        if issue["number"] % 3 == 0:
            self.comment(one, issue)
        return issue

    def comment(self, one: Repository, issue: Row) -> Row:
        """Comment on an issue, which changes it."""
        at = self.now()
        issue |= {"updated_at": at, "comments": issue["comments"] + 1}
        more = {"created_at": at, "updated_at": at, "body": "so it is", "user": user(self.serial)}
        address = f"https://api.github.com/repos/{one.name}/issues/{issue['number']}"
        return self._row(one, "issues/comments", issue_url=address, author_association="NONE", **more)

    def edit(self, row: Row, **changes: Any) -> None:
        """Change a record."""
        row |= {**changes, "updated_at": self.now()}

    def add(self, one: Repository, path: str) -> Row:
        """Add a record of another list: pulls, commits, labels or runs."""
        return {"pulls": self._pull, "commits": self._commit, "labels": self._label, "runs": self._run}[path](one)

    def review(self, one: Repository, pull: Row, state: str = "APPROVED") -> Row:
        """Review a pull request, which changes it."""
        pull["updated_at"] = at = self.now()
        path = f"pulls/{pull['number']}/reviews"
        one.lists.setdefault(path, [])
        return self._row(one, path, state=state, body="", submitted_at=at, user=user(self.serial), commit_id="c")

    def rename(self, one: Repository, name: str) -> None:
        """Give a repository another name; the old address leads to the new one."""
        self.former[one.name] = one.row["id"]
        owner = one.row["owner"]["login"]
        one.row |= {"name": name, "full_name": f"{owner}/{name}"}

    def vanish(self, one: Repository) -> None:
        """Delete a repository, or hide it: nobody can tell."""
        del self.repositories[one.row["id"]]

    # -- what is compared ----------------------------------------------------------------------------------------------

    def rows(self, path: str) -> dict[tuple[Any, ...], Row]:
        """Return the records of all repositories at a path, or below it, by repository and id."""
        found: dict[tuple[Any, ...], Row] = {}
        for one in self.repositories.values():
            for at, rows in one.lists.items():
                if re.fullmatch(path, at) and not (one.empty and at == "commits"):
                    found |= {(one.row["id"], row.get("id", row.get("sha"))): row for row in rows}
        return found

    # -- serving -------------------------------------------------------------------------------------------------------

    def asked(self) -> Counter[str]:
        """Return how often each repository and list was asked for, and forget it."""
        counted = Counter(_asked_for(asked) for asked in self.api.asked)
        self.api.asked.clear()
        return counted

    def answer(self, asked: Asked) -> Reply:
        """Answer one request, with 304 where nothing has changed for who knows."""
        reply = self._answer(asked)
        if reply.status != 200:
            return reply
        tag = f'W/"{hashlib.sha256(json.dumps(reply.body, sort_keys=True, default=str).encode()).hexdigest()[:32]}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(b"", 304, {"ETag": tag, **reply.headers})
        self.bodies += 1
        return Reply(reply.body, 200, {"ETag": tag, **reply.headers})

    def _answer(self, asked: Asked) -> Reply:
        if asked.path == "/graphql":
            return graphql.answer(self, asked)
        if match := re.fullmatch(r"/(?:orgs|users)/([^/]+)/repos", asked.path):
            rows = [one.row for one in self.repositories.values() if one.row["owner"]["login"] == match[1]]
            return _page(asked, rows)
        if match := re.fullmatch(r"/orgs/([^/]+)", asked.path):
            return Reply({"login": match[1], "id": len(match[1]), "type": "Organization", "created_at": moment(0)})
        if match := _PLACE.match(asked.path):
            return self._of_repository(asked, match[1], match[2], match[3] or "")
        return Reply({"message": "Not Found"}, 404)

    def _of_repository(self, asked: Asked, name: str | None, number: str | None, path: str) -> Reply:
        if name in self.former:
            there = f"http://{asked.headers['host']}/repositories/{self.former[name]}/{path}".rstrip("/")
            return Reply({"message": "Moved Permanently"}, 301, {"Location": there})
        one = next((r for r in self.repositories.values() if r.name == name or str(r.row["id"]) == number), None)
        if one is None:
            return Reply({"message": "Not Found"}, 404)
        if path == "":
            return Reply(one.row)
        if path == "commits" and one.empty:
            return Reply({"message": "Git Repository is empty."}, 409)
        rows = one.lists.get(path)
        if rows is None:
            return Reply([] if path.endswith("/reviews") else {"message": "Not Found"}, 200 if "/" in path else 404)
        envelope = "jobs" if path.endswith("/jobs") else ENVELOPES.get(path)
        return _page(asked, _ordered(asked, rows), envelope)

    # -- records -------------------------------------------------------------------------------------------------------

    def _row(self, one: Repository, path: str, **values: Any) -> Row:
        self.serial += 1
        row = {"id": self.serial, "node_id": f"N{self.serial}", **values}
        one.lists[path].append(row)
        return row

    def _pull(self, one: Repository) -> Row:
        at, number = self.now(), len(one.lists["pulls"]) + 1
        more: Row = {"created_at": at, "updated_at": at, "merged_at": None, "user": user(self.serial), "labels": []}
        return self._row(one, "pulls", number=number, title="a change", state="open", draft=False, **more)

    def _commit(self, one: Repository) -> Row:
        at = self.now()
        sha = hashlib.sha256(at.encode()).hexdigest()[:40]
        who = {"name": "A", "email": "a@example.com", "date": at}
        row = {"sha": sha, "node_id": sha, "commit": {"author": who, "committer": who, "message": "work"}}
        one.lists["commits"].append(row)
        return row

    def _label(self, one: Repository) -> Row:
        name = f"label-{len(one.lists['labels'])}"
        return self._row(one, "labels", name=name, color="ffffff", default=False, description=None)

    def _run(self, one: Repository) -> Row:
        at = self.now()
        more = {"created_at": at, "updated_at": at, "run_started_at": at, "run_attempt": 1, "head_sha": "c"}
        run = self._row(one, "actions/runs", name="build", status="queued", conclusion=None, workflow_id=1, **more)
        one.lists[f"actions/runs/{run['id']}/jobs"] = []
        self._row(one, f"actions/runs/{run['id']}/jobs", run_id=run["id"], created_at=at, started_at=at, steps=[])
        return run


def _asked_for(asked: Asked) -> str:
    """Return what a request asks for: its path, and for GraphQL the repository too."""
    variables = asked.body["variables"] if asked.path == "/graphql" else {}
    return f"/repos/{variables['owner']}/{variables['repo']}/graphql" if variables else asked.path


_TIMES: dict[str, Callable[[Row], str]] = {
    "updated": lambda row: str(row["updated_at"]),
    "created": lambda row: str(row.get("created_at") or row.get("submitted_at") or row["id"]),
    "committed": lambda row: str(row["commit"]["committer"]["date"]),
    "none": lambda row: str(row["id"]).rjust(12),
}


def _ordered(asked: Asked, rows: list[Row]) -> list[Row]:
    """Return the rows that the filters let through, in the order of the vendor's documentation."""
    if asked.path.endswith("/labels"):
        return rows
    by = "committed" if asked.path.endswith("/commits") else asked.query.get("sort", "created")
    time = _TIMES[by]
    since = asked.query.get("since", "")
    wanted = [row for row in rows if _TIMES["updated" if by != "committed" else by](row) >= since] if since else rows
    ascending = asked.query.get("direction", "asc" if asked.path.endswith("/reviews") else "desc") == "asc"
    return sorted(wanted, key=time, reverse=not ascending)


def _page(asked: Asked, rows: list[Row], envelope: str | None = None) -> Reply:
    size, number = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
    cut = rows[(number - 1) * size : number * size]
    body: Any = {"total_count": len(rows), envelope: cut} if envelope else cut
    return Reply(body, headers=_link(asked, number) if number * size < len(rows) else {})


def _link(asked: Asked, number: int) -> dict[str, str]:
    query = "&".join(f"{name}={value}" for name, value in {**asked.query, "page": str(number + 1)}.items())
    return {"Link": f'<http://{asked.headers["host"]}{asked.path}?{query}>; rel="next"'}


def numbered(count: int, prefix: str = "repo") -> Iterator[str]:
    """Yield names of repositories."""
    yield from (f"{prefix}-{number:02}" for number in range(count))
