"""Settings as rows: what the JSON Schema says, and what a person is told about a configuration that breaks it."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from singerkit.settings.fields import Setting, explain, missing_group, settings_error, settings_schema

ROWS = [
    Setting("host", "string", "Host", "Where the server is."),
    Setting("port", "integer", "Port", "Its port.", default=5432, schema={"minimum": 1, "maximum": 65535}),
    Setting("password", "string", "Password", "Never shown.", secret=True),
    Setting("output", "options", "Output", "How rows leave.", default="records", options=("records", "batch")),
    Setting("schemas", "array", "Schemas", "Globs.", required=True),
]


def explained(config: dict[str, Any]) -> list[str]:
    schema = settings_schema(ROWS)
    return [explain(error, schema["properties"]) for error in Draft202012Validator(schema).iter_errors(config)]


@pytest.mark.parametrize(
    ("row", "prop"),
    [
        (
            ROWS[1],
            {
                "type": ["integer", "null"],
                "title": "Port",
                "description": "Its port.",
                "default": 5432,
                "minimum": 1,
                "maximum": 65535,
            },
        ),
        (
            ROWS[2],
            {
                "type": ["string", "null"],
                "title": "Password",
                "description": "Never shown.",
                "secret": True,
                "writeOnly": True,
            },
        ),
        (
            ROWS[3],
            {
                "type": ["string", "null"],
                "title": "Output",
                "description": "How rows leave.",
                "enum": ["records", "batch", None],
                "default": "records",
                "x-kind": "options",
            },
        ),
        (
            ROWS[4],
            {
                "type": ["array", "null"],
                "title": "Schemas",
                "description": "Globs.",
                "items": {"type": "string"},
            },
        ),
        (
            Setting("start_date", "date", "Start", "From when."),
            {"type": ["string", "null"], "title": "Start", "description": "From when.", "format": "date-time"},
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else "",
)
def test_a_row_becomes_a_json_schema_property(row: Setting, prop: dict[str, Any]) -> None:
    """Kind, bounds, default, options and secrecy all travel in the schema."""
    assert row.json_schema() == prop


@pytest.mark.parametrize(
    ("config", "texts"),
    [
        ({"schemas": [], "pasword": "canary-7"}, ["pasword: unknown, did you mean password?"]),
        ({"schemas": [], "zzz": 1}, ["zzz: unknown"]),
        ({}, ["schemas: missing"]),
        ({"schemas": [], "port": "canary-7"}, ["port: must be integer"]),
        ({"schemas": [], "port": 0}, ["port: breaks minimum 1"]),
        ({"schemas": [], "output": "canary-7"}, ["output: must be records or batch"]),
        ({"schemas": [1]}, ["schemas.0: must be string"]),
    ],
    ids=["near-name", "unknown", "missing", "type", "bound", "option", "inside-a-list"],
)
def test_every_error_is_said_without_the_value(config: dict[str, Any], texts: list[str]) -> None:
    """A wrong value is never repeated, since it may be a secret in the wrong place."""
    said = explained(config)

    assert said == texts
    assert "canary-7" not in " ".join(said)


def test_all_errors_are_said_at_once() -> None:
    """One run of a plugin is enough to learn everything that is wrong."""
    error = settings_error("tap-x", explained({"port": "a", "output": "b"}))

    assert str(error) == (
        "tap-x cannot use its settings: port: must be integer; output: must be records or batch; schemas: missing; "
        "see tap-x --about"
    )


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"url": "x"}, None),
        ({"host": "h", "database": "d"}, None),
        ({"host": "h", "database": ""}, "one of these sets must be given: url | host + database"),
        ({}, "one of these sets must be given: url | host + database"),
    ],
)
def test_one_group_of_settings_must_be_complete(config: dict[str, Any], text: str | None) -> None:
    """Alternatives are named together where none is complete; an empty text is not a value."""
    assert missing_group(config, [["url"], ["host", "database"]]) == text


def test_a_list_or_an_object_completes_a_group() -> None:
    """Values of any kind count as given."""
    assert missing_group({"endpoints": [{}], "headers": {}}, [["endpoints", "headers"]]) is None
