"""The real Meltano runs tap-rest from a manifest, against an API on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from singerkit.testing.fake_api import Asked, FakeApi, Reply
from singerkit.testing.served import Collection, Row
from tests.e2e.pipelines import Project, lay_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.embedded import Server

pytestmark = pytest.mark.slow

CANARY = "canary-token-4711"
MANIFEST = """
base_url: {url}
auth: {{method: bearer, token: "{{token}}"}}
endpoints:
  - name: forms
    path: /forms
    records: $.data
    keys: [id]
    pages: {{style: cursor, param: cursor, path: $.meta.cursor, size_param: limit, size: 50, max_size: 50}}
    bookmarks: [{{field: updated_at, param: since, order: asc}}]
    schema:
      properties:
        id: {{type: integer}}
        title: {{type: [string, "null"]}}
        updated_at: {{type: string, format: date-time}}
  - name: answers
    path: /forms/{{form_id}}/answers
    keys: [form_id, id]
    pages: {{style: link}}
    parents: [{{stream: forms, params: {{form_id: id}}}}]
    schema: {{properties: {{id: {{type: integer}}, score: {{type: [number, "null"]}}}}}}
"""


def form(number: int, title: str = "a form") -> Row:
    """Return one form; a higher number is a later one."""
    return {"id": number, "title": title, "updated_at": f"2026-01-{number:02}T00:00:00Z"}


def publish(api: FakeApi, forms: list[Row]) -> None:
    """Serve forms, and as many answers to each as its number says; only to who has the token."""
    served = {"/forms": Collection(rows=forms, style="cursor", bookmark="updated_at")}
    for one in forms:
        answers = [{"id": n, "score": n / 8} for n in range(one["id"])]
        served[f"/forms/{one['id']}/answers"] = Collection(rows=answers, style="link")
    for path, collection in served.items():
        api.route(path, signed(collection))


def signed(collection: Collection) -> Callable[[Asked], Reply]:
    """Return what answers only a request with the token."""

    def answer(asked: Asked) -> Reply:
        good = asked.headers.get("authorization") == f"Bearer {CANARY}"
        return collection(asked) if good else Reply({"message": "who are you?"}, 401)

    return answer


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API with nine forms."""
    with FakeApi() as served:
        publish(served, [form(n) for n in range(1, 10)])
        yield served


@pytest.fixture
def rest(tmp_path: Path, installed: Path, server: Server, api: FakeApi) -> Project:
    """A project whose tap-rest reads the API by a manifest in it."""
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


def test_discovery_of_a_manifest(rest: Project) -> None:
    """`meltano invoke tap-rest --discover` prints the catalog of the rows, and no secret."""
    said = rest.meltano("invoke", "tap-rest", "--discover")

    streams = {stream["tap_stream_id"]: stream for stream in json.loads(said)["streams"]}
    assert {name: one["key_properties"] for name, one in streams.items()} == {
        "forms": ["id"],
        "answers": ["form_id", "id"],
    }
    assert CANARY not in said


def test_forms_and_answers_arrive_and_the_next_run_goes_on(rest: Project, api: FakeApi) -> None:
    """Parents by their bookmark, children in full: a changed form is updated, a new one is added, with its answers."""
    rest.meltano("run", "tap-rest", "target-delta")
    first = [row["id"] for row in rest.rows("forms", source="tap-rest")]
    publish(api, [*(form(n) for n in range(1, 9)), form(9, "another title"), form(10)])
    api.asked.clear()

    rest.meltano("run", "tap-rest", "target-delta")

    forms = {row["id"]: row["title"] for row in rest.rows("forms", source="tap-rest")}
    assert first == list(range(1, 10))
    assert forms == dict.fromkeys(range(1, 11), "a form") | {9: "another title"}
    assert len(rest.rows("answers", source="tap-rest")) == sum(range(1, 11))
    assert "2026-01-09T00:00:00Z" in {asked.query.get("since") for asked in api.asked}
    assert rest.state("dev:tap-rest-to-target-delta")["forms"]["replication_key_value"] == "2026-01-10T00:00:00Z"


def test_a_wrong_token_ends_the_run(rest: Project) -> None:
    """`meltano run` fails with the vendor's words, and shows no token."""
    rest.settings["TAP_REST_SECRETS"] = json.dumps({"token": "canary-wrong"})

    said = rest.meltano("run", "tap-rest", "target-delta", code=1)

    assert "canary-wrong" not in said
