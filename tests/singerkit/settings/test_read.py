"""A configuration becomes one typed value, or all that is wrong with it at once, never with a value in the text."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from singerkit.settings.files import Files
from singerkit.settings.read import read
from singerkit.settings.schema import settings_schema
from singerkit.settings.texts import typed
from tests.singerkit.settings.example import GOOD, App, History, Settings, Token

CANARY = "canary-7"
SCHEMA = settings_schema(Settings)


def test_a_configuration_becomes_one_value() -> None:
    """Defaults are filled in, groups that are off are None, and the chosen option is its own type."""
    reading = read(Settings, GOOD)

    assert reading.errors == ()
    assert reading.value == Settings(auth=Token(token="canary-token"), url="https://acme.example")
    assert reading.value.history is None
    assert reading.value.recent == History(days=1)


TYPED = [
    ({"port": "22"}, "port", 22),
    ({"share": ".25"}, "share", 0.25),
    ({"share": 1}, "share", 1),
    ({"loud": "yes"}, "loud", True),
    ({"loud": "OFF"}, "loud", False),
    ({"size": "5"}, "size", 5),
    ({"size": ""}, "size", None),
    ({"port": ""}, "port", 5432),
    ({"mode": "Exact"}, "mode", "exact"),
    ({"streams": "a, b"}, "streams", ("a", "b")),
    ({"streams": "a, b,"}, "streams", ("a", "b")),
    ({"streams": ["a", ""]}, "streams", ("a", "")),
    ({"sizes": "1, 5"}, "sizes", (1, 5)),
    ({"sizes": '["1", 5]'}, "sizes", (1, 5)),
    ({"note": "-----BEGIN KEY-----\\nabc\\n-----END KEY-----"}, "note", "-----BEGIN KEY-----\nabc\n-----END KEY-----"),
    ({"note": "C:\\new"}, "note", "C:\\new"),
    ({"streams": '["a,b"]'}, "streams", ("a,b",)),
    ({"nested": "a"}, "nested", "a"),
    ({"nested": '{"*": "b"}'}, "nested", {"*": "b"}),
    ({"extra": '{"k": 1}'}, "extra", {"k": 1}),
    ({"folder": "a/b"}, "folder", Path("a/b")),
    ({"host": " h \n"}, "host", "h"),
    ({"note": " h \n"}, "note", " h "),
    ({"history": {"enabled": True}}, "history", History()),
    ({"history": {"enabled": "true", "days": "3"}}, "history", History(days=3)),
    ({"history": '{"enabled": true}'}, "history", History()),
    ({"history": {"enabled": False, "days": 0, "nonsense": 1}}, "history", None),
    ({"history": {}}, "history", None),
    ({"recent": {"enabled": False}}, "recent", None),
    ({"recent": {"days": 2}}, "recent", History(days=2)),
    (
        {"history": {"enabled": True, "since": "2026-01-31"}},
        "history",
        History(since=datetime(2026, 1, 31, tzinfo=UTC)),
    ),
    (
        {"auth": {"method": "app", "app_id": "7", "key": '{"id": "x"}', "token": "of another option"}},
        "auth",
        App(app_id=7, key={"id": "x"}),
    ),
]


@pytest.mark.parametrize(("change", "name", "value"), TYPED)
def test_texts_become_what_their_setting_is(change: dict[str, Any], name: str, value: Any) -> None:
    """Meltano and the environment hand over texts, and empty ones for what is not set."""
    reading = read(Settings, GOOD | change)

    assert reading.errors == ()
    assert getattr(reading.value, name) == value


WRONG = [
    ({"prot": CANARY}, ["prot: unknown, did you mean port?"]),
    ({"zzz": CANARY}, ["zzz: unknown"]),
    ({"port": CANARY}, ["port: must be an integer"]),
    ({"port": 1.5}, ["port: must be an integer"]),
    ({"port": True}, ["port: must be an integer"]),
    ({"port": 0}, ["port: must be at least 1"]),
    ({"port": 65536}, ["port: must be at most 65535"]),
    ({"share": "0"}, ["share: must be more than 0"]),
    ({"loud": CANARY}, ["loud: must be true or false"]),
    ({"size": CANARY}, ["size: must be 1 or 5 or 10"]),
    ({"mode": CANARY}, ["mode: must be fast or exact"]),
    ({"mail": CANARY}, ["mail: must be an address like ada@example.com"]),
    ({"url": CANARY}, ["url: must be an address like https://host/path"]),
    ({"at": CANARY}, ["at: must be a time of the day like 09:30"]),
    ({"streams": {}}, ["streams: must be a list"]),
    ({"sizes": f"1, {CANARY}"}, ["sizes.1: must be an integer"]),
    ({"streams": [CANARY, 1]}, ["streams.1: must be a text"]),
    ({"nested": CANARY}, ["nested: must be a or b or an object whose values are a or b"]),
    ({"nested": 5}, ["nested: must be a or b or an object whose values are a or b"]),
    ({"nested": {"*": CANARY}}, ["nested: must be a or b or an object whose values are a or b"]),
    ({"extra": CANARY}, ["extra: must be an object"]),
    ({"history": CANARY}, ["history: must be an object"]),
    ({"history": {"enabled": CANARY}}, ["history.enabled: must be true or false"]),
    ({"history": {"enabled": True, "dys": CANARY}}, ["history.dys: unknown, did you mean days?"]),
    (
        {"history": {"enabled": True, "since": CANARY}},
        ["history.since: must be a date or a time like 2026-01-31 or 2026-01-31T09:30:00Z"],
    ),
    ({"auth": None}, ["auth: missing"]),
    ({"auth": {}}, ["auth.method: missing"]),
    ({"auth": {"method": CANARY}}, ["auth.method: must be token or app"]),
    ({"auth": {"method": "token"}}, ["auth.token: missing"]),
    ({"auth": {"method": "token", "tken": CANARY, "token": "x"}}, ["auth.tken: unknown, did you mean token?"]),
    (
        {"auth": {"method": "app", "app_id": 1, "key": {"kid": CANARY}}},
        ["auth.key.kid: unknown, did you mean kind?", "auth.key.id: missing"],
    ),
    ({"url": None, "host": "h"}, ["one of these sets must be given: url | host + user"]),
    ({"loud": True, "mode": "exact"}, ["loud: not with mode exact"]),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=lambda value: str(value)[:50])
def test_every_error_is_said_without_the_value(change: dict[str, Any], said: list[str]) -> None:
    """A wrong value is never repeated, since it may be a secret in the wrong place."""
    reading = read(Settings, GOOD | change)

    assert list(reading.errors) == said


def test_all_errors_are_said_at_once() -> None:
    """One run of a plugin is enough to learn everything that is wrong, also inside of groups."""
    reading = read(Settings, {"port": "a", "mode": "b", "history": {"enabled": True, "days": 0}, "recent": 1})

    assert reading.errors == (
        "auth: missing",
        "port: must be an integer",
        "mode: must be fast or exact",
        "history.days: must be at least 1",
        "recent: must be an object",
        "one of these sets must be given: url | host + user",
    )


class TestFiles:
    """Values may stand in files of their own."""

    def read(self, tmp_path: Path, change: dict[str, Any], *, root: bool = True) -> Any:
        (tmp_path / "token").write_text("canary-of-a-file\n")
        (tmp_path / "marked").write_bytes(b"\xef\xbb\xbfcanary-of-a-file\r\n")
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        (tmp_path / "large").write_bytes(b"x" * (1 << 20) + b"x")
        (tmp_path / "extra.json").write_text('{"k": "canary-k"}')
        (tmp_path / "key.json").write_text('{"id": "canary-id"}')
        (tmp_path / "list.json").write_text("[]")
        (tmp_path / "out").symlink_to("/etc/hostname")
        return read(Settings, GOOD | change, Files(tmp_path.resolve()) if root else Files())

    @pytest.mark.parametrize(
        ("change", "name", "value"),
        [
            ({"auth": {"method": "token", "token_file": "token"}}, "auth", Token(token="canary-of-a-file")),
            ({"note_file": "token"}, "note", "canary-of-a-file"),
            ({"auth": {"method": "token", "token_file": "marked"}}, "auth", Token(token="canary-of-a-file")),
            ({"extra_file": "extra.json"}, "extra", {"k": "canary-k"}),
            (
                {"auth": {"method": "app", "app_id": 1, "key": "key.json"}},
                "auth",
                App(app_id=1, key={"id": "canary-id"}),
            ),
        ],
    )
    def test_a_value_may_stand_in_a_file(self, tmp_path: Path, change: Any, name: str, value: Any) -> None:
        """Every secret has a setting `..._file`; the end of the last line is not part of the value."""
        reading = self.read(tmp_path, change)

        assert reading.errors == ()
        assert getattr(reading.value, name) == value

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"note_file": "absent"}, "note_file: cannot be read: No such file or directory"),
            ({"note_file": "."}, "note_file: cannot be read: Is a directory"),
            ({"note_file": "bytes"}, "note_file: must be a file of text in UTF-8"),
            ({"note_file": "large"}, "note_file: must be a file of at most 1048576 bytes"),
            ({"note_file": "token", "note": "x"}, "note: give it or note_file, not both"),
            ({"note_file": "../token"}, "note_file: must be a file below the folder of SINGERKIT_FILE_ROOT"),
            ({"note_file": "/etc/hostname"}, "note_file: must be a file below the folder of SINGERKIT_FILE_ROOT"),
            ({"note_file": "out"}, "note_file: must be a file below the folder of SINGERKIT_FILE_ROOT"),
            ({"note_file": "a\0b"}, "note_file: must be the path of a file"),
            ({"folder": "/etc"}, "folder: must be a file below the folder of SINGERKIT_FILE_ROOT"),
            (
                {"auth": {"method": "app", "app_id": 1, "key": "token"}},
                "auth.key: must be a file of JSON",
            ),
            (
                {"auth": {"method": "app", "app_id": 1, "key": "list.json"}},
                "auth.key: must be a file that holds a JSON object",
            ),
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_a_file_that_cannot_be_used_is_named_by_its_setting(self, tmp_path: Path, change: Any, said: str) -> None:
        """Missing, too large, no text, out of the operator's folder: by name or by a link; the path is not repeated."""
        assert list(self.read(tmp_path, change).errors) == [said]

    def test_relative_paths_begin_at_the_root(self, tmp_path: Path) -> None:
        """The folder of a plugin that is told to stay in it."""
        assert self.read(tmp_path, {"folder": "a/../b"}).value.folder == tmp_path.resolve() / "b"

    def test_without_a_root_any_file_may_be_named(self, tmp_path: Path) -> None:
        """A person on their own machine."""
        change = {"note_file": str(tmp_path / "token")}

        assert self.read(tmp_path, change, root=False).value.note == "canary-of-a-file"

    def test_the_operator_sets_the_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It stands in the environment, which settings cannot change."""
        monkeypatch.setenv("SINGERKIT_FILE_ROOT", str(tmp_path))

        assert Files.of_environment() == Files(tmp_path.resolve())


def test_secrets_are_known_wherever_they_stand(tmp_path: Path) -> None:
    """Inline, in options, in objects, in files: all of them are to be masked."""
    (tmp_path / "token").write_text("canary-1\n")
    (tmp_path / "key.json").write_text('{"id": "canary-2"}')
    token = {"method": "token", "token_file": str(tmp_path / "token")}
    key = {"method": "app", "app_id": 1, "key": str(tmp_path / "key.json")}

    secrets = [
        read(Settings, GOOD | {"auth": auth, "extra": {"a": ["canary-3", 77], "b": True}}).secrets
        for auth in (token, key)
    ]

    assert secrets == [{"canary-1", "canary-3", "77"}, {str(tmp_path / "key.json"), "canary-2", "canary-3", "77"}]


def test_a_settings_value_does_not_show_its_secrets() -> None:
    """`repr` ends up in tracebacks and logs."""
    shown = repr(read(Settings, GOOD | {"extra": {"k": "canary-k"}}).value)

    assert "canary" not in shown
    assert "auth=Token(token=***)" in shown
    assert "extra=***" in shown


NUMBERS = st.one_of(st.integers(-3, 70000), st.floats(-2, 2), st.booleans(), st.none(), st.just("x"))
GROUPS = st.fixed_dictionaries({}, optional={"enabled": st.booleans() | st.none(), "days": NUMBERS, "dys": NUMBERS})
AUTH = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["token", "app", "none", None]),
        "token": st.sampled_from(["t", None, 1]),
        "app_id": NUMBERS,
        "key": st.just({"id": "x"}),
        "more": st.just(1),
    },
)
CONFIGS = st.fixed_dictionaries(
    {"url": st.just("https://acme.example")},
    optional={
        "auth": AUTH | st.none(),
        "port": NUMBERS,
        "share": NUMBERS,
        "loud": st.sampled_from([True, False, None, 1]),
        "size": NUMBERS,
        "streams": st.lists(st.sampled_from(["a", 1]), max_size=2),
        "nested": st.one_of(st.sampled_from(["a", "c"]), st.dictionaries(st.just("*"), st.sampled_from(["a", "c"]))),
        "history": GROUPS | st.none(),
        "recent": GROUPS,
        "nonsense": st.none(),
    },
)


@given(CONFIGS)
@example({"url": "https://acme.example", "auth": {"method": "token", "token": None}})
@example({"url": "https://acme.example", "auth": {"method": "app", "app_id": None, "key": {"id": "x"}}})
@example({"url": None})
def test_the_schema_and_the_plugin_refuse_the_same(config: dict[str, Any]) -> None:
    """Whoever checks a configuration by the schema of `--about`, a form for instance, is never told otherwise later."""
    accepted = Draft202012Validator(SCHEMA).is_valid(config)

    assert accepted == (read(Settings, config).errors == ())


@given(st.text(max_size=30), st.sampled_from([*SCHEMA["properties"].values()]))
def test_any_text_is_coerced_or_kept(text: str, prop: dict[str, Any]) -> None:
    """Coercion ends in a value of the setting's types or in a text, whatever is written."""
    value = typed(text, prop)

    assert value is None or isinstance(value, str | int | float | bool | list | dict)
