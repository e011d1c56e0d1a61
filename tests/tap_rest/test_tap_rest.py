"""tap-rest: rows from settings and manifests, every mistake with its line, schemas given or made of samples."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from singerkit.errors import SettingsError
from singerkit.rest import manifest, words
from singerkit.rest.auth import Bearer
from singerkit.rest.pages import Cursor
from singerkit.testing.fake_api import FakeApi
from singerkit.testing.runner import Run
from singerkit.testing.runner import run as run_tap
from singerkit.testing.served import Collection
from tap_rest.tap import TapRest

FORMS: list[dict[str, Any]] = [
    {"id": n, "title": f"form {n}", "updated_at": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 6)
]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as served:
        served.route("/forms", Collection(rows=FORMS, style="cursor", bookmark="updated_at"))
        for form in FORMS:
            answers = [{"token": f"t{k}", "score": 1.5, "tags": ["a"]} for k in range(form["id"])]
            served.route(f"/forms/{form['id']}/answers", Collection(rows=answers, style="link"))
        yield served


def run(tap: type[TapRest], config: dict[str, Any], **more: Any) -> Run:
    return run_tap(tap, {"allow_private_hosts": True, **config}, **more)


def written(folder: Path, text: str) -> Path:
    path = folder / "manifest.yml"
    path.write_text(text)
    return path


MANIFEST = """
base_url: {url}
auth: {{method: bearer, token: "{{token}}"}}
endpoints:
  - name: forms
    path: /forms
    records: $.data
    keys: [id]
    pages: {{style: cursor, param: cursor, path: meta.cursor}}
    bookmarks: [{{field: updated_at, param: since, order: asc}}]
  - name: answers
    path: /forms/{{form_id}}/answers
    keys: [form_id, token]
    pages: {{style: link}}
    parents: [{{stream: forms, params: {{form_id: id}}}}]
"""


def test_a_manifest_is_read_and_schemas_are_made_of_samples(api: FakeApi, tmp_path: Path) -> None:
    """Two streams, one a child, without code and without schemas: every record comes, with a schema it fits."""
    path = written(tmp_path, MANIFEST.format(url=api.url))

    done = run(TapRest, {"manifest": str(path), "secrets": {"token": "canary"}})

    assert done.error is None
    assert done.records("forms") == FORMS
    assert len(done.records("answers")) == 15
    assert done.schema("answers")["properties"] == {
        "token": {"type": ["string"]},
        "score": {"type": ["number", "null"]},
        "tags": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "form_id": {"type": ["integer"]},
    }
    assert api.asked[0].headers["authorization"] == "Bearer canary"
    assert "canary" not in done.log + done.stdout


def test_a_schema_of_the_catalog_stays(api: FakeApi, tmp_path: Path) -> None:
    """A stream that was discovered keeps its columns from run to run: nothing is sampled again."""
    config: dict[str, Any] = {
        "allow_private_hosts": True,
        "manifest": str(written(tmp_path, MANIFEST.format(url=api.url))),
        "secrets": {"token": "t"},
    }
    catalog = json.loads(TapRest(config=config).catalog_json_text)
    api.asked.clear()

    done = run(TapRest, config, catalog=catalog)

    assert done.error is None
    assert [asked.path for asked in api.asked].count("/forms") == 3  # for the stream and for its children


def test_the_same_words_as_settings(api: FakeApi) -> None:
    """What stands in meltano.yml needs no file; settings come before the file's words."""
    rows = [{"name": "forms", "path": "/forms", "pages": {"style": "cursor", "param": "cursor", "path": "meta.cursor"}}]
    config = {"base_url": api.url, "endpoints": rows, "defaults": {"records": "data", "keys": ["id"]}}

    done = run(TapRest, config)

    assert done.records("forms") == FORMS


def test_every_mistake_at_once_with_its_line(tmp_path: Path) -> None:
    """Unknown names are answered with the nearest known one, or with all of them."""
    path = written(
        tmp_path,
        """base_url: http://x
auth: {method: bearr}
endpoints:
  - name: forms
    keyes: [id]
    pages: {style: cursor, path: 5}
    max_pages: many
  - path: /x
    params: [a]
    bookmarks:
      - field: a
        order: up
  - 7
""",
    )

    with pytest.raises(SettingsError) as caught:
        manifest.read_file(path)

    assert str(caught.value) == (
        "the manifest cannot be used: line 2: auth.method: bearr is unknown, did you mean bearer?; "
        "line 5: endpoints.0.keyes: unknown, did you mean keys?; "
        "line 6: endpoints.0.pages: param is missing; "
        "line 6: endpoints.0.pages.path: must be text; "
        "line 7: endpoints.0.max_pages: must be an integer; "
        "line 8: endpoints.1: name is missing; "
        "line 9: endpoints.1.params: must be an object; "
        "line 12: endpoints.1.bookmarks.0.order: up is unknown (known: asc, desc); "
        f"line 13: endpoints.2: must be an object (path={path}); all words: docs/reference/rest-endpoints.md"
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "manifest: must be an object"),
        ({}, "manifest: base_url is missing"),
        ({"base_url": "http://x", "endpoints": {}}, "endpoints: must be a list"),
        ({"base_url": "http://x", "concurrency": True}, "concurrency: must be an integer"),
        ({"base_url": "http://x", "auth": {}}, "auth: must be an object with method: one of none, api_key, bearer"),
        (
            {"base_url": "http://x", "endpoints": [{"name": "a", "zzz": 1}]},
            "endpoints.0.zzz: unknown (known: body, bookmarks,",
        ),
    ],
)
def test_settings_have_no_lines(data: Any, said: str) -> None:
    """The same words, without a line, where the rows come from settings."""
    with pytest.raises(SettingsError) as caught:
        manifest.read(data, where="settings")

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "the manifest cannot be read: No such file or directory (path={path})"),
        (
            b"a: [",
            "the manifest is no YAML: expected the node content, but found '<stream end>' (path={path}, line=1)",
        ),
        (b"\xff\xfe\x00", "the manifest is no text in UTF-8 (path={path}, byte=0)"),
        (
            b"a: '\x01'",
            "the manifest is no YAML: special characters are not allowed (path={path}, character=4)",
        ),
    ],
    ids=["not-there", "cut", "no-text", "control-character"],
)
def test_a_file_that_is_no_manifest(text: bytes | None, said: str, tmp_path: Path) -> None:
    """A missing or broken file is one line with its path and the place in it."""
    path = tmp_path / "manifest.yml"
    if text is not None:
        path.write_bytes(text)

    with pytest.raises(SettingsError) as caught:
        manifest.read_file(path)

    assert str(caught.value) == said.format(path=path)


def test_a_secret_in_a_manifest_is_refused(api: FakeApi) -> None:
    """A manifest is shared; a credential in it says where it belongs."""
    config = {"base_url": api.url, "endpoints": [], "auth": {"method": "bearer", "token": "sk-123"}}

    done = run(TapRest, config)

    assert str(done.error) == (
        "a secret is written into the manifest (at=auth.token); "
        "write {token} there, and its value into the setting `secrets`"
    )


def test_a_stream_without_records_needs_a_schema(api: FakeApi) -> None:
    """Nothing is guessed from nothing."""
    api.route("/empty", [])
    rows = [{"name": "empty", "path": "/empty"}]

    done = run(TapRest, {"base_url": api.url, "endpoints": rows})

    assert "the stream has no records to make a schema of (stream=empty); give the row a `schema`" in str(done.error)


def test_a_manifest_is_rows() -> None:
    """The words are those of the rows themselves."""
    found = manifest.read(
        {
            "base_url": "http://x",
            "auth": {"method": "bearer", "token": "{t}"},
            "endpoints": [
                {
                    "name": "a",
                    "path": "/a",
                    "pages": {"style": "cursor", "param": "c", "path": "p"},
                    "parents": [
                        {"stream": "b", "params": {"x": "id"}, "only_if": [{"field": "n", "is": ">", "value": 0}]}
                    ],
                }
            ],
        },
        where="here",
    )

    assert found.auth == Bearer(token="{t}")
    assert found.endpoints[0].pages == Cursor(param="c", path="p")
    assert found.endpoints[0].parents[0].only_if[0].is_ == ">"


def test_the_editors_schema_accepts_what_the_reader_accepts() -> None:
    """The JSON Schema for editors is made of the same types."""
    from jsonschema import Draft202012Validator

    schema = words.json_schema(words.Manifest)
    good = {"base_url": "x", "endpoints": [{"name": "a", "path": "/a", "pages": {"style": "link"}}]}
    bad = {"base_url": "x", "endpoints": [{"nam": "a"}]}

    assert Draft202012Validator(schema).is_valid(good)
    assert not Draft202012Validator(schema).is_valid(bad)


@pytest.mark.slow
def test_the_executable_ends_with_one_line(tmp_path: Path) -> None:
    """A broken manifest is exit 2 and one line, for the tap and for its verbs."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"manifest": str(tmp_path / "none.yml")}))
    command = [sys.executable, "-m", "tap_rest"]

    for arguments in (["--config", str(config), "--discover"], ["import-openapi", str(tmp_path / "none.json")]):
        ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 2
        assert "cannot be read: No such file or directory" in ended.stderr.splitlines()[-1]
        assert "Traceback" not in ended.stderr
