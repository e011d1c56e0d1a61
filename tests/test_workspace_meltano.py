"""meltano.yml says what the plugins say of themselves, and keeps the promises of its comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from singerkit.settings.meltano import kind, settings
from singerkit.settings.schema import flat
from tools.meltano_settings import PROJECT, about, commands, described, renewed

if TYPE_CHECKING:
    from pathlib import Path

TEXT = PROJECT.read_text(encoding="utf-8")
MELTANO: dict[str, Any] = yaml.safe_load(TEXT)
PLUGINS = {plugin["name"]: plugin for plugins in MELTANO["plugins"].values() for plugin in plugins}


@pytest.mark.slow
@pytest.mark.parametrize("plugin", described(TEXT))
def test_settings_are_those_of_the_plugin(plugin: str) -> None:
    """Names, kinds, defaults and secrets agree with --about; where this fails: python -m tools.meltano_settings."""
    assert renewed(TEXT, {plugin: about(plugin)}) == TEXT


@pytest.mark.slow
@pytest.mark.parametrize("plugin", described(TEXT))
def test_secrets_are_sensitive(plugin: str) -> None:
    """Meltano keeps what is secret out of meltano.yml and out of its own output."""
    secret = {name for name, (prop, _) in flat(about(plugin)["settings"]).items() if prop.get("secret")}

    sensitive = {row["name"] for row in PLUGINS[plugin]["settings"] if row.get("sensitive")}

    assert secret == sensitive


KINDS = [
    ({"type": ["string", "null"]}, "string"),
    ({"type": "string"}, "string"),
    ({"type": ["null", "integer"]}, "integer"),
    ({"type": ["number", "null"]}, "decimal"),
    ({"type": ["boolean", "null"]}, "boolean"),
    ({"type": ["array", "null"], "items": {"type": "string"}}, "array"),
    ({"type": ["object", "null"]}, "object"),
    ({"type": ["string", "null"], "format": "date-time"}, "date_iso8601"),
    ({"type": ["string", "null"], "enum": ["a", None]}, "options"),
    ({"type": ["integer", "null"], "enum": [1, 5, None]}, "integer"),
    ({"type": "boolean", "enum": [True, False]}, "boolean"),
    ({"type": ["string", "null"], "x-kind": "file"}, "file"),
    ({"anyOf": [{"type": "string"}, {"type": "object"}]}, "string"),
]


@pytest.mark.parametrize(("prop", "word"), KINDS, ids=[word for _, word in KINDS])
def test_kind_follows_from_the_type(prop: dict[str, Any], word: str) -> None:
    """Each JSON Schema type has one Meltano kind."""
    assert kind(prop) == word


def test_setting_keeps_all_that_meltano_knows() -> None:
    """A default becomes the value, a secret is sensitive, an enum its options without null."""
    schema = {
        "properties": {
            "key": {"type": ["string", "null"], "title": "Key", "description": "A\n key.", "secret": True},
            "mode": {"type": ["string", "null"], "enum": ["a", "b", None], "default": "a"},
        }
    }

    assert list(settings(schema)) == [
        {"name": "key", "label": "Key", "kind": "string", "sensitive": True, "description": "A key."},
        {
            "name": "mode",
            "kind": "options",
            "value": "a",
            "options": [{"label": "a", "value": "a"}, {"label": "b", "value": "b"}],
        },
    ]


def test_comments_survive_a_renewal() -> None:
    """meltano.yml belongs to people: a tool changes what it owns and leaves the rest, comments too."""
    text = "# ours\nplugins:\n  extractors:\n  - name: tap-x  # the one\n    executable: tap-x\n    select: ['*.*']\n"
    said = {"capabilities": ["state", "about"], "settings": {"properties": {"n": {"type": "integer"}}}}

    written = renewed(text, {"tap-x": said})

    assert written.startswith("# ours\n")
    assert "- name: tap-x  # the one" in written
    assert yaml.safe_load(written)["plugins"]["extractors"][0] == {
        "name": "tap-x",
        "executable": "tap-x",
        "select": ["*.*"],
        "capabilities": ["about", "state"],
        "settings": [{"name": "n", "kind": "integer"}],
    }


def test_nothing_is_asked_of_meltanos_servers() -> None:
    """No telemetry, no version check, and a namespace on each plugin of its own: without one Meltano asks its hub."""
    assert MELTANO["send_anonymous_usage_stats"] is False
    assert MELTANO["cli"]["disable_version_check"] is True
    assert [
        name for name, plugin in PLUGINS.items() if "namespace" not in plugin and "inherit_from" not in plugin
    ] == []


def test_every_schedule_has_a_job_and_every_job_its_plugins() -> None:
    """A name in a task is a plugin, a job in a schedule is a job."""
    jobs = {job["name"]: " ".join(job["tasks"]).split() for job in MELTANO["jobs"]}

    assert {schedule["job"] for schedule in MELTANO["schedules"]} <= set(jobs)
    assert {name for names in jobs.values() for name in names} <= set(PLUGINS)


def test_example_of_the_environment_names_real_settings(root: Path) -> None:
    """Each variable of .env.example is one that Meltano reads for a plugin of ours."""
    names = [line.partition("=")[0] for line in (root / ".env.example").read_text().splitlines() if "=" in line]
    parents = {name: PLUGINS[plugin.get("inherit_from", name)] for name, plugin in PLUGINS.items()}
    known = {
        f"{name}_{row['name']}".replace("-", "_").upper()
        for name, plugin in parents.items()
        for row in plugin["settings"]
    }

    assert set(names) <= known


def test_verbs_are_commands() -> None:
    """Each verb is a command of Meltano, by its words with dashes between them."""
    found = commands("target-delta")

    assert found["state-export"] == {
        "args": "state export",
        "description": "Print a Singer STATE made of the newest bookmark of every table.",
    }
    assert {"check", "preview"} <= set(PLUGINS["tap-postgres"]["commands"])
