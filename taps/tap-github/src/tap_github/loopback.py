"""What the contract suite needs beside the rows: which repositories to read, and the lists that reads.py asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.testing.fake_api import Reply

if TYPE_CHECKING:
    from singerkit.testing.fake_api import FakeApi

EXAMPLE = {"organizations": ["octo"], "users": ["ada"], "skip_archived": True}


def repository(number: int, owner: str, name: str, **more: Any) -> dict[str, Any]:
    """Return a repository as the vendor's lists hold it, with the fields that the tap itself looks at."""
    account = {"login": owner, "id": 100 + number, "type": "Organization"}
    fixed = {"node_id": f"R_{number}", "private": False, "html_url": f"https://github.com/{owner}/{name}"}
    return {"id": number, "name": name, "full_name": f"{owner}/{name}", "owner": account, **fixed, **more}


def serve(api: FakeApi) -> None:
    """Serve an organisation with a repository that is read and one that is passed over, and a person."""
    before = api.routes["/*"]
    lists = {
        "/orgs/octo/repos": [repository(1, "octo", "hello"), repository(2, "octo", "old", archived=True)],
        "/users/ada/repos": [],
        "/orgs/octo": {"id": 1, "login": "octo", "created_at": "2024-01-01T00:00:00Z"},
        "/users/ada": {"id": 2, "login": "ada", "type": "User"},
    }
    api.route("/*", lambda asked: Reply(lists[asked.path]) if asked.path in lists else before(asked))
