"""`tap-rest infer` and `import-openapi`: what they propose was seen to work, and runs as it stands."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from singerkit.errors import SettingsError, UnavailableError
from singerkit.rest import manifest
from singerkit.rest.message import Request
from singerkit.testing.fake_api import Asked, FakeApi, Reply
from singerkit.testing.runner import run
from singerkit.testing.served import Collection
from tap_rest import shapes, sizes
from tap_rest.openapi import proposals
from tap_rest.tap import TapRest
from tap_rest.verbs import import_openapi, infer

ROWS = [{"id": n, "name": f"n{n}", "updated_at": f"2024-01-{n:02}T00:00:00Z"} for n in range(1, 8)]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as served:
        yield served


def inferred(api: FakeApi, path: str = "/items", *more: str) -> tuple[dict[str, Any], str]:
    done = CliRunner().invoke(infer, [api.url + path, *more], catch_exceptions=False)
    row: dict[str, Any] = yaml.safe_load(done.output)["endpoints"][0]
    return row, done.output


STYLES = {
    "link": {"style": "link"},
    "next_url": {"style": "next_url", "path": "$.links.next"},
    "cursor": {"style": "cursor", "param": "cursor", "path": "$.meta.cursor"},
    "last_id": {"style": "last_id", "field": "id", "more": "$.has_more"},
    "offset": {"style": "offset", "total": "$.total"},
    "page_number": {"style": "page_number"},
}


@pytest.mark.parametrize("style", STYLES)
def test_a_page_style_is_proposed_that_was_seen_to_work(style: Any, api: FakeApi, tmp_path: Path) -> None:
    """Each style is found from its own evidence, and the manifest reads every record as it stands."""
    api.route("/items", Collection(rows=ROWS, style=style, bookmark="updated_at", most=3))

    row, text = inferred(api)

    assert row["pages"] == {**STYLES[style], "size_param": "limit", "size": 3, "max_size": 3}
    assert "`limit=1` gave 1, 1000 gave 3, and no more" in text
    assert row["keys"] == ["id"]
    assert row["records"] == ("$" if style == "link" else "$.data")
    path = tmp_path / "manifest.yml"
    path.write_text(text)
    assert run(TapRest, {"manifest": str(path), "allow_private_hosts": True}).records("items") == ROWS


def _cut(asked: int) -> int | None:
    return min(asked, 100)


def _refuses(asked: int) -> int | None:
    return asked if asked <= 200 else None


def _falls_back(asked: int) -> int | None:
    return asked if asked <= 50 else 30


@pytest.mark.parametrize(
    ("there", "serves", "words", "said"),
    [
        (2000, _cut, {"size": 100, "max_size": 100}, "1000 gave 100, and no more"),
        (2000, _refuses, {"size": 200, "max_size": 200}, "200 gave 200, and no more"),
        (2000, _falls_back, {"size": 50, "max_size": 50}, "50 gave 50, and no more"),
        (2000, lambda asked: asked, {"size": 1000}, "1000 gave 1000"),
        (70, lambda asked: asked, {"size": 100}, "1000 gave all there are: no maximum was seen"),
        (2000, lambda asked: 30, None, ""),
    ],
    ids=["cut", "refused", "falls back", "as many", "all", "no parameter"],
)
def test_the_length_of_a_page_and_its_maximum(there: int, serves: Any, words: Any, said: str) -> None:
    """A parameter counts that was seen to count; a maximum is what came where more was asked for and is there."""

    def count(request: Request) -> Any:
        size = serves(int(request.params["limit"])) if "limit" in request.params else 30
        return None if size is None else (min(size, there), lambda: size < there)

    found = sizes.sized(count, Request("GET", "http://x/items"), 30)

    assert found == (words and ({"size_param": "limit", **words}, f"`limit=15` gave 15, {said}"))


def test_incremental_only_with_a_filter_in_evidence(api: FakeApi) -> None:
    """A parameter that was seen to filter by a field of every record makes a bookmark; its name is said."""
    api.route("/items", Collection(rows=ROWS, style="link", bookmark="updated_at"))

    row, text = inferred(api)

    assert row["bookmarks"] == [{"field": "updated_at", "param": "since"}]
    assert "# in all 6 records, the same when asked twice; `since` was seen to filter by it" in text


def test_a_field_that_is_never_the_same_is_no_bookmark(api: FakeApi) -> None:
    """A moment that the server makes up for each answer says nothing of the record: the next field is looked at."""
    asked = itertools.count(1)

    def answer(one: Asked) -> Reply:
        now = f"2024-02-{next(asked):02}T00:00:00Z"
        moving = [row | {"created_at": row["updated_at"], "updated_at": now} for row in ROWS]
        return Collection(rows=moving, style="link", bookmark="created_at", size=4)(one)

    api.route("/items", answer)

    row, text = inferred(api)

    assert row["bookmarks"] == [{"field": "created_at", "param": "since"}]
    assert "# bookmarks: updated_at is another one each time its record is asked for" in text


def test_without_a_filter_the_stream_is_full_table(api: FakeApi) -> None:
    """A field with a good name is not enough: the note says what is missing."""
    api.route("/items", Collection(rows=ROWS, style="link"))

    row, text = inferred(api)

    assert "bookmarks" not in row
    assert "# bookmarks: updated_at looks like one, but no parameter filters by it: FULL_TABLE" in text


def test_what_is_not_there_is_said(api: FakeApi) -> None:
    """One page, no key, no moment: three notes, and a server that refuses unknown parameters is asked on."""

    def strict(asked: Asked) -> Reply:
        return Reply({"message": "unknown parameter"}, 400) if asked.query else Reply([{"a": 1}, {"a": 1}])

    api.route("/things", strict)

    row, text = inferred(api, "/things")

    assert row == {"name": "things", "path": "/things", "records": "$", "schema": shapes.schema_of([{"a": 1}])}
    assert "# pages: no way to a second page was found" in text
    assert "# keys: no field with a key's name is unique in 2 records" in text
    assert "# bookmarks: no field holds a moment in every record: FULL_TABLE" in text


def test_a_token_stays_in_the_environment(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest names the secret, and does not hold it."""
    monkeypatch.setenv("MY_TOKEN", "canary-123")
    api.route("/items", ROWS)

    _, text = inferred(api, "/items", "--token-env", "MY_TOKEN")

    assert api.asked[0].headers["authorization"] == "Bearer canary-123"
    assert "canary" not in text
    assert yaml.safe_load(text)["auth"] == {"method": "bearer", "token": "{token}"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "this is no address; write it like https://api.example.com/v1/items"),
        (["http://127.0.0.1:1/x", "--token-env", "NOT_SET_EVER"], "the environment variable of the token is not set"),
    ],
)
def test_bad_arguments(arguments: list[str], said: str) -> None:
    """What cannot be asked is said in one line."""
    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(infer, [*arguments], catch_exceptions=False)


def test_an_answer_without_records(api: FakeApi) -> None:
    """Nothing is proposed where nothing looks like records."""
    api.route("/items", {"status": "fine"})

    with pytest.raises(
        SettingsError, match=r"no list of records is in the answer \(path=/items\); write the row by hand"
    ):
        inferred(api)


@pytest.mark.slow  # two waits
def test_an_answer_that_is_no_json(api: FakeApi) -> None:
    """A page for people is said after a few tries: somebody sits and waits."""
    api.route("/items", b"<html>Welcome</html>")

    with pytest.raises(UnavailableError, match="its answer is not JSON, or is cut"):
        inferred(api)

    assert len(api.asked) == 3


def test_addresses_on_two_hosts(api: FakeApi, tmp_path: Path) -> None:
    """Paths are below the first address' host; one on another host keeps its own, and gets no credentials."""
    with FakeApi() as other:
        other.route("/things", [{"id": 2}])
        api.route("/items", [{"id": 1}])

        done = CliRunner().invoke(infer, [f"{api.url}/items", f"{other.url}/things"], catch_exceptions=False)

        (tmp_path / "manifest.yml").write_text(done.output)
        ran = run(TapRest, {"manifest": str(tmp_path / "manifest.yml"), "allow_private_hosts": True})
        assert yaml.safe_load(done.output)["endpoints"][1]["path"] == f"{other.url}/things"
        assert ran.records("items") + ran.records("things") == [{"id": 1}, {"id": 2}]


def test_an_address_that_leads_to_a_metadata_service(api: FakeApi) -> None:
    """What an answer names is judged like everything that a tap is led to."""
    api.route("/items", {"data": [{"id": 1}], "next": "http://169.254.169.254/latest"})

    with pytest.raises(SettingsError, match=r"169\.254\.169\.254"):
        inferred(api)


OPENAPI = """
openapi: 3.0.0
servers: [{url: "https://api.example.com/v2"}]
paths:
  /forms:
    get:
      summary: List forms
      parameters:
        - {name: page_token, in: query, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer, maximum: 200}}
        - {name: updated_since, in: query, schema: {type: string, format: date-time}}
      responses:
        "200":
          content:
            application/json:
              schema:
                type: object
                properties:
                  data: {type: array, items: {$ref: "#/components/schemas/Form"}}
                  next_page_token: {type: string}
  /forms/{form_id}/answers:
    get:
      parameters: [{name: page, in: query}]
      responses:
        "200":
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Answer"}}}}
  /forms/{form_id}:
    get: {responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Form"}}}}}}
  /login:
    post: {responses: {"200": {description: fine}}}
components:
  schemas:
    Form:
      type: object
      properties:
        id: {type: integer}
        updated_at: {type: string, format: date-time}
        parent: {$ref: "#/components/schemas/Form"}
    Answer:
      allOf:
        - type: object
          properties: {id: {type: string}}
        - type: object
          properties: {score: {type: number}}
"""


def test_openapi_becomes_rows(tmp_path: Path) -> None:
    """Lists become streams, a path below another becomes its child, and what is documented is the evidence."""
    file = tmp_path / "openapi.yml"
    file.write_text(OPENAPI)

    text = CliRunner().invoke(import_openapi, [str(file)], catch_exceptions=False).output

    found = yaml.safe_load(text)
    forms, answers = ({k: v for k, v in row.items() if k != "schema"} for row in found["endpoints"])
    assert found["base_url"] == "https://api.example.com/v2"
    assert forms == {
        "name": "forms",
        "path": "/forms",
        "records": "$.data",
        "keys": ["id"],
        "pages": {
            "style": "cursor",
            "param": "page_token",
            "path": "next_page_token",
            "size_param": "limit",
            "size": 200,
            "max_size": 200,
        },
        "bookmarks": [{"field": "updated_at", "param": "updated_since"}],
        "description": "List forms",
    }
    assert answers == {
        "name": "forms_answers",
        "path": "/forms/{form_id}/answers",
        "records": "$",
        "keys": ["form_id", "id"],
        "pages": {"style": "page_number"},
        "parents": [{"stream": "forms", "params": {"form_id": "id"}}],
    }
    assert "# parameter updated_since and property updated_at" in text
    assert manifest.read(found, where="here").endpoints[1].keys == ("form_id", "id")


BROKEN = {
    "not-there": (None, "the document cannot be read: No such file or directory (path={file})"),
    "cut": (b"a: [", "the document is neither YAML nor JSON (path={file})"),
    "no-text": (b"\xff\xfe\x00", "the document is neither YAML nor JSON (path={file})"),
    "nowhere": (
        b"openapi: 3.0.0\npaths: {/x: {get: {responses: {default: {$ref: '#/no/such'}}}}}",
        (
            "a reference of the document leads nowhere (at=#/no/such); "
            "bundle the document into one file, or correct the reference"
        ),
    ),
    "circle": (
        b"openapi: 3.0.0\npaths: {/x: {get: {responses: {default: {$ref: '#/a'}}}}}\na: {$ref: '#/a'}",
        "a reference of the document leads to itself (at=#/a)",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_document_that_cannot_be_used(case: str, tmp_path: Path) -> None:
    """Each way a document can be broken is said in one line, with the file or the place in it."""
    content, said = BROKEN[case]
    file = tmp_path / "openapi.yml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        CliRunner().invoke(import_openapi, [str(file)], catch_exceptions=False)

    assert str(caught.value) == said.format(file=file)


def test_a_schema_that_is_made_of_itself() -> None:
    """Documents describe trees by schemas that hold themselves: each is followed so deep and no deeper."""
    tree = {"type": "object", "properties": {"id": {"type": "integer"}}, "allOf": [{"$ref": "#/tree"}]}
    answer = {"content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/tree"}}}}}
    paths = {"/trees": {"get": {"responses": {"200": answer}}}}

    _, found = proposals({"openapi": "3.0.0", "paths": paths, "tree": tree})

    assert found[0].row["keys"] == ["id"]


def test_what_is_no_openapi_document() -> None:
    """Other documents are refused by what is missing."""
    with pytest.raises(SettingsError, match="no OpenAPI document; give a file with `openapi` or `swagger` and `paths`"):
        proposals({"hello": 1})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None], {"type": ["integer", "null"]}),
        ([1, 1.5], {"type": ["number", "null"]}),
        ([1, "a"], {"type": ["integer", "string", "null"]}),
        ([True], {"type": ["boolean", "null"]}),
        ([None], {"type": ["string", "null"]}),
        (["2024-01-31"], {"type": ["string", "null"], "format": "date"}),
        (["2024-01-31T00:00:00Z", "2024-01-31 10:00"], {"type": ["string", "null"], "format": "date-time"}),
        (["2024-01-31", "x"], {"type": ["string", "null"]}),
        ([[]], {"type": ["array", "null"], "items": {}}),
        ([{"a": 1}], {"type": ["object", "null"], "properties": {"a": {"type": ["integer", "null"]}}}),
    ],
)
def test_a_schema_fits_its_samples(values: list[Any], expected: dict[str, Any]) -> None:
    """What differs from record to record may be either."""
    assert shapes.property_of(values) == expected
