"""A settings class as JSON Schema: types, defaults, options as `oneOf`, and the marks of secrets and files."""

from collections.abc import Mapping
from typing import Annotated, Any

import pytest

from singerkit.settings.kinds import FileUpload, Input, Select
from singerkit.settings.rows import rows, settings
from singerkit.settings.schema import flat, required, settings_schema
from tests.singerkit.settings.example import Settings

NULL = {"type": "null"}
SCHEMA = settings_schema(Settings)

PROPERTIES: list[tuple[str, dict[str, Any]]] = [
    (
        "url",
        {
            "type": ["string", "null"],
            "title": "Address",
            "description": "All in one.",
            "format": "uri",
            "examples": ["https://acme.example"],
        },
    ),
    (
        "port",
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
        "size",
        {
            "type": ["integer", "null"],
            "title": "Size",
            "description": "How many.",
            "enum": [1, 5, 10, None],
            "x-kind": "options",
            "x-labels": {"1": "one"},
        },
    ),
    (
        "streams",
        {"type": ["array", "null"], "title": "Streams", "description": "Globs.", "items": {"type": "string"}},
    ),
    (
        "nested",
        {
            "type": ["string", "object", "null"],
            "title": "Nested",
            "description": "By stream.",
            "anyOf": [
                {"type": "string", "enum": ["a", "b"]},
                {"type": "object", "additionalProperties": {"type": "string", "enum": ["a", "b"]}},
                {"type": "null"},
            ],
        },
    ),
    (
        "extra",
        {
            "type": ["object", "null"],
            "title": "Extra",
            "description": "Words for others.",
            "secret": True,
            "writeOnly": True,
        },
    ),
    (
        "extra_file",
        {
            "type": ["string", "null"],
            "title": "Extra: file",
            "description": "File that holds `extra`, in its place.",
            "x-kind": "file",
        },
    ),
    (
        "recent",
        {
            "type": ["object", "null"],
            "title": "Recent",
            "description": "Newer rows too.",
            "x-kind": "switch_group",
            "properties": {
                "enabled": {
                    "type": ["boolean", "null"],
                    "title": "Use: Recent",
                    "description": "Whether the settings below are read.",
                    "default": True,
                }
            },
            "oneOf": [
                {"title": "off", "properties": {"enabled": {"enum": [False]}}, "required": ["enabled"]},
                {
                    "title": "on",
                    "properties": {
                        "enabled": {"enum": [True, None]},
                        "days": {
                            "type": ["integer", "null"],
                            "title": "Days",
                            "description": "How far back.",
                            "default": 1,
                            "minimum": 1,
                        },
                        "since": {
                            "type": ["string", "null"],
                            "title": "Since",
                            "description": "From when.",
                            "format": "date-time",
                        },
                    },
                    "required": [],
                    "additionalProperties": False,
                },
            ],
        },
    ),
]


@pytest.mark.parametrize(("name", "prop"), PROPERTIES, ids=[name for name, _ in PROPERTIES])
def test_a_field_becomes_a_property(name: str, prop: dict[str, Any]) -> None:
    """Type, bounds, default, choices, secrecy and words for a person all travel in the schema."""
    assert SCHEMA["properties"][name] == prop


def test_an_option_with_settings_of_its_own_is_a_branch() -> None:
    """A Select of dataclasses is `oneOf`; a secret may stand in a file instead, so neither name alone is required."""
    auth = SCHEMA["properties"]["auth"]

    assert [branch["title"] for branch in auth["oneOf"]] == ["A token", "An application"]
    assert [branch["properties"]["method"]["enum"] for branch in auth["oneOf"]] == [["token"], ["app"]]
    assert auth["properties"]["method"]["enum"] == ["token", "app", None]
    assert [branch["required"] for branch in auth["oneOf"]] == [["method"], ["app_id", "key", "method"]]
    assert [[(one["required"], one["properties"]) for one in rule["anyOf"]] for rule in auth["oneOf"][0]["allOf"]] == [
        [(["token"], {"token": {"not": NULL}}), (["token_file"], {"token_file": {"not": NULL}})]
    ]
    assert auth["propertyNames"] == {"enum": ["app_id", "key", "method", "token", "token_file"]}


def test_the_whole_configuration_is_closed() -> None:
    """Unknown names are refused, what is required is said, and so are the groups of which one must be complete."""
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["required"] == ["auth"]
    assert SCHEMA["x-settings-groups"] == [["url"], ["host", "user"]]


def test_a_field_without_a_kind_is_a_mistake_in_the_code() -> None:
    """No setting is without a label and a sentence."""

    @settings
    class Bare:
        host: str

    with pytest.raises(TypeError, match=r"^Bare.host says no kind of field: write Annotated\[..., Input\(...\)\]$"):
        rows(Bare)


@pytest.mark.parametrize("kind", [Input("Token", "A token."), FileUpload("Key", "A key.")], ids=["text", "file"])
def test_a_secret_must_be_stated(kind: Any) -> None:
    """A name that sounds like a secret says whether it is one: forgetting the mark would put it into logs."""

    @settings
    class Silent:
        api_token: Annotated[Mapping[str, Any], kind]

    with pytest.raises(TypeError, match=r"^Silent.api_token sounds like a secret: state secret=True or secret=False$"):
        rows(Silent)


def test_an_option_must_say_its_value() -> None:
    """What is written on the wire for an option is said by the option."""

    @settings
    class Plain:
        name: Annotated[str, Input("Name", "A name.")]

    @settings
    class Choice:
        how: Annotated[Plain | None, Select("How", "How.")] = None

    with pytest.raises(TypeError, match=r"^Plain is an option of a Select: write option: ClassVar = Option"):
        settings_schema(Choice)


def test_single_settings_have_dotted_names() -> None:
    """What stands in a group or an option is a setting of its own to Meltano, to the environment and in the docs."""
    found = flat(SCHEMA)

    assert [name for name in found if "." in name] == [
        "auth.method",
        "auth.token",
        "auth.token_file",
        "auth.app_id",
        "auth.key",
        "history.enabled",
        "history.days",
        "history.since",
        "recent.enabled",
        "recent.days",
        "recent.since",
    ]
    assert found["recent.days"][0]["default"] == 1
    assert found["auth.token"][0]["secret"] is True


def test_what_may_stand_in_a_file_is_required_all_the_same() -> None:
    """A required secret is required under one of its two names."""

    @settings
    class Login:
        user: Annotated[str, Input("User", "Who.")]
        password: Annotated[str, Input("Password", "Which.", secret=True)]

    assert required(settings_schema(Login)) == ["user", "password"]
