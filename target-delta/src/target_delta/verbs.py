"""The verbs of target-delta, beside singer-sdk's own command line.

Takes a configuration and options; gives JSON on stdout. Refuses what the settings refuse.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from target_delta.upkeep import verbs as upkeep

if TYPE_CHECKING:
    from singerkit.verbs import Given


@click.group()
def state() -> None:
    """What the tables know of how far their streams were read."""


@state.command()
@click.option("--path", help="The folder or object store address of the tables, in the place of the setting.")
@click.pass_obj
def export(given: Given, path: str | None) -> None:
    """Print a Singer STATE made of the newest bookmark of every table."""
    from target_delta.export import exported

    chosen = given.opened().settings
    click.echo(json.dumps(exported(path or chosen.path, chosen.storage_options), ensure_ascii=False))


VERBS: dict[str, click.Command] = {"state": state, **upkeep.VERBS}
