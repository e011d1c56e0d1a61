"""A tap whose settings have every kind of field; its verb `told` says what became of them."""

import dataclasses
import json
from collections.abc import Mapping

import click
from singer_sdk import Stream, Tap

from singerkit.shell import Shell
from singerkit.verbs import Given
from tests.singerkit.settings.example import Settings


@click.command()
@click.pass_obj
def told(given: Given) -> None:
    """Print the settings as the tap has them; of a key file its names."""
    settings = given.opened().settings
    shown = {**dataclasses.asdict(settings), "option": type(settings.auth).__name__}
    if "key" in shown["auth"]:
        shown["auth"]["key"] = sorted(shown["auth"]["key"])
    click.echo(json.dumps(shown, default=str))


class TapKinds(Shell, Tap):
    """A tap without streams."""

    name = "tap-kinds"
    settings_class = Settings

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """What it can do."""
        return {"told": told}

    def discover_streams(self) -> list[Stream]:
        """No stream."""
        return []

    def setup_mapper(self) -> None:
        """Nothing to map."""
