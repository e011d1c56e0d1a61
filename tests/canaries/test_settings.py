"""Settings of every plugin that are good, bad or in the wrong place: none of them is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .commands import ABOUT, installed, options_of, verbs_of
from .marks import by_file, key, mark, marked

if TYPE_CHECKING:
    from .conftest import Line

pytestmark = pytest.mark.slow
PLUGINS = [pytest.param(plugin, id=plugin.name) for plugin in installed()]


def misnamed(plugin: type[Any]) -> dict[str, Any]:
    """Each secret under a name that no setting has, and the nearest of which is its own."""
    return {f"{name}_": value for name, value in marked(plugin.config_jsonschema).items()}


def mistyped(plugin: type[Any]) -> dict[str, Any]:
    """Each secret as a kind of value that the setting does not take."""
    config = marked(plugin.config_jsonschema)
    return {name: [value] if isinstance(value, dict) else {"x": value} for name, value in config.items()}


def misplaced(plugin: type[Any]) -> dict[str, Any]:
    """A secret in the place of each number, switch and choice."""
    strict = {"integer", "number", "boolean"}
    found = plugin.config_jsonschema["properties"].items()
    return {name: mark(name) for name, prop in found if "enum" in prop or strict & {*prop.get("type", ())}}


def twice(plugin: type[Any]) -> dict[str, Any]:
    """Each secret as a value and in a file that is not there."""
    config = marked(plugin.config_jsonschema)
    return config | {f"{name}_file": f"/nowhere/{mark(name)}" for name in config}


BAD = {"misnamed": misnamed, "mistyped": mistyped, "misplaced": misplaced, "twice": twice}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_what_a_plugin_says_of_itself(plugin: type[Any], line: Line) -> None:
    """`--about` in all formats, `--version` and `--help` show no value of a configuration."""
    for words in ABOUT:
        assert line(plugin, marked(plugin.config_jsonschema), *words) == 0


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_bad_settings(plugin: type[Any], bad: Any, line: Line) -> None:
    """What is wrong is said by names alone, by every option and every verb, and nothing else is tried."""
    config = bad(plugin)
    assert config  # every plugin has a setting that can be wrong in this way
    for words in (*options_of(plugin), *verbs_of(plugin)):
        assert line(plugin, config, *words) in ({0, 2, 5} if words else {2})


@pytest.mark.parametrize("plugin", PLUGINS)
def test_secrets_from_files_that_are_wrong(plugin: type[Any], line: Line) -> None:
    """A secret that a file holds is as secret as one that stands in the settings."""
    config = by_file(marked(plugin.config_jsonschema), line.folder)
    (line.folder / "key.secret").write_text(key("a key in a file"))
    for words in (*options_of(plugin), *verbs_of(plugin)):
        line(plugin, {**config, "unknown": "x"}, *words)
