"""The real Meltano runs verbs of plugins, as its commands and behind the name of the plugin, and tests a tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from singerkit.testing.fake_api import FakeApi, Reply
from tests.e2e.pipelines import Project, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.embedded import Server

pytestmark = pytest.mark.slow

CANARY = "canary-token-4711"
MANIFEST = """
base_url: {url}
auth: {{method: bearer, token: "{{token}}"}}
defaults: {{keys: [id], schema: {{properties: {{id: {{type: integer}}}}}}}}
endpoints:
  - {{name: a_forbidden, path: /forbidden, scopes: ["a:read"]}}
  - {{name: b_empty, path: /empty}}
  - {{name: forms, path: /forms}}
"""


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API whose first stream is forbidden, and whose second is empty."""
    with FakeApi() as served:
        served.route("/forbidden", Reply({"message": "not yours"}, 403))
        served.route("/empty", [])
        served.route("/forms", [{"id": n} for n in range(1, 6)])
        yield served


@pytest.fixture
def project(tmp_path: Path, installed: Path, server: Server, api: FakeApi) -> Project:
    """A project whose tap-rest reads that API."""
    folder = tmp_path / "project"
    lay_out(folder)
    (folder / ".meltano").mkdir(exist_ok=True)
    for kind in ("extractors", "loaders"):
        (folder / ".meltano" / kind).symlink_to(installed / ".meltano" / kind)
    (folder / "forms.yml").write_text(MANIFEST.format(url=api.url))
    settings = {
        "TAP_REST_MANIFEST": str(folder / "forms.yml"),
        "TAP_REST_SECRETS": json.dumps({"token": CANARY}),
        "TAP_REST_ALLOW_PRIVATE_HOSTS": "true",
    }
    return Project(folder, server, settings)


def test_commands_and_verbs(project: Project) -> None:
    """`tap-x:check` reads the environment, `tap-x check` the files that Meltano puts before the verb: both work."""
    as_command = json.loads(project.meltano("invoke", "tap-rest:check", "--json"))
    as_verb = json.loads(project.meltano("invoke", "tap-rest", "check", "--json"))

    assert as_command == as_verb
    assert {one["name"]: one["outcome"] for one in as_command["streams"]} == {
        "a_forbidden": "bad",
        "b_empty": "remark",
        "forms": "good",
    }
    shown = project.meltano("invoke", "tap-rest:preview", "forms", "--limit", "2")
    assert [json.loads(line) for line in shown.splitlines()] == [{"id": 1}, {"id": 2}]


def test_meltano_tests_a_tap(project: Project) -> None:
    """`meltano config test` succeeds where the first stream is forbidden and the second is empty."""
    assert "Plugin configuration is valid" in project.meltano("config", "test", "tap-rest")


def test_a_check_that_fails_fails_in_meltano(project: Project, api: FakeApi) -> None:
    """A credential that nobody knows makes the command fail with its own exit code, and is not shown."""
    api.routes.clear()
    api.route("/*", lambda asked: Reply({"message": f"who is {asked.headers.get('authorization')}"}, 401))

    said = project.meltano("invoke", "tap-rest:check", code=5)

    assert "who is Bearer ***" in said
    assert CANARY not in said
