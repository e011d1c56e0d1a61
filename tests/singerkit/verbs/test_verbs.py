"""Verbs beside singer-sdk's command line: what they are given, and that nothing of singer-sdk's own changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import click
import pytest
from click.testing import CliRunner

from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings
from singerkit.shell import Shell
from singerkit.verbs import Given, with_verbs, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@settings
class Settings:
    """What the plugin can be told."""

    host: Annotated[str | None, Input("Host", "Where.")] = None
    port: Annotated[int, Input("Port", "Where there.")] = 1


@click.command()
@click.option("--loud", is_flag=True)
@click.pass_obj
def told(given: Given, *, loud: bool) -> None:
    """Say what was given."""
    said = {"config": given.config, "env": given.parse_env, "catalog": given.catalog, "loud": loud}
    click.echo(json.dumps(said))


@click.group()
def deep() -> None:
    """Verbs below a verb."""


deep.add_command(told)


class Plugin(Shell):
    name = "tap-told"
    settings_class = Settings


def command() -> click.Command:
    """The plugin's command as singer-sdk makes it, by the parts that matter here."""
    plain = click.Command(
        "tap-told",
        callback=lambda **options: click.echo("a sync"),
        params=[
            click.Option(["--config"], multiple=True, callback=Plugin.cb_config, is_eager=True),
            click.Option(["--catalog"], type=click.File()),
            click.Option(["--state"], type=click.File()),
        ],
    )
    return with_verbs(plain, {"told": told, "deep": deep}, Plugin)


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, str]:
    contents: dict[str, Any] = {"a": A, "b": B, "c": C, "d": D, "catalog": {"streams": []}}
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    return {name: str(tmp_path / name) for name in contents}


A, B = {"host": "a", "port": 2}, {"host": "b"}
C, D = {"group": {"x": 1, "y": {"z": 1}}}, {"group": {"y": {"w": 2}}}
BOTH = {"group": {"x": 1, "y": {"z": 1, "w": 2}}}
CASES: dict[str, tuple[list[str], Mapping[str, Any]]] = {
    "nothing": (["told"], {"config": {}, "env": True, "catalog": None}),
    "before": (["--config", "{a}", "told"], {"config": A, "env": False, "catalog": None}),
    "after": (["told", "--config", "{a}"], {"config": A, "env": False, "catalog": None}),
    "both": (["--config", "{a}", "told", "--config", "{b}"], {"config": A | B, "env": False, "catalog": None}),
    "several": (["told", "--config", "{b}", "--config", "{a}"], {"config": B | A, "env": False, "catalog": None}),
    "inside of groups": (
        ["told", "--config", "{c}", "--config", "{d}"],
        {"config": BOTH, "env": False, "catalog": None},
    ),
    "groups before and after": (
        ["--config", "{c}", "told", "--config", "{d}"],
        {"config": BOTH, "env": False, "catalog": None},
    ),
    "environment": (["told", "--config", "ENV", "--config", "{a}"], {"config": A, "env": True, "catalog": None}),
    "environment before": (["--config", "ENV", "told"], {"config": {}, "env": True, "catalog": None}),
    "catalog before": (["--catalog", "{catalog}", "told"], {"config": {}, "env": True, "catalog": {"streams": []}}),
    "catalog after": (["told", "--catalog", "{catalog}"], {"config": {}, "env": True, "catalog": {"streams": []}}),
    "below a verb": (["deep", "told", "--config", "{a}"], {"config": A, "env": False, "catalog": None}),
    "between": (["deep", "--config", "{a}", "told"], {"config": A, "env": False, "catalog": None}),
    "as Meltano does": (
        ["--config", "{a}", "--catalog", "{catalog}", "deep", "told"],
        {"config": A, "env": False, "catalog": {"streams": []}},
    ),
}


@pytest.mark.parametrize(("words", "given"), CASES.values(), ids=CASES)
def test_files_stand_before_and_after(words: list[str], given: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """`--config` and `--catalog` go before and after the verb; without a `--config` the environment is read."""
    done = CliRunner().invoke(command(), [word.format(**files) for word in words], catch_exceptions=False)

    assert json.loads(done.output) == {**given, "loud": False}


def test_options_of_the_verb_are_its_own() -> None:
    """A verb keeps its options beside those for files."""
    assert json.loads(CliRunner().invoke(command(), ["told", "--loud"]).output)["loud"] is True


def test_without_a_verb_it_syncs() -> None:
    """Without a verb the command does what it did."""
    assert CliRunner().invoke(command(), []).output == "a sync\n"


def test_unknown_verb() -> None:
    """A word that is no verb is refused, and no sync begins."""
    done = CliRunner().invoke(command(), ["tell"])

    assert done.exit_code == 2
    assert "No such command 'tell'" in done.output
    assert "a sync" not in done.output


def test_verbs_by_their_words() -> None:
    """Every verb that can be run is known by all of its words."""
    assert [words for words, _ in words_of({"told": told, "deep": deep})] == [("told",), ("deep", "told")]
