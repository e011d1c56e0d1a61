"""The `singerkit` executable: tools beside the taps and the loader.

Takes a verb; gives lines of text or JSON on stdout. Refuses with one line and an exit code, as the plugins do.
"""

from __future__ import annotations

import importlib
import sys
from typing import cast

import click

from singerkit.errors import SingerkitError

LATE = {"plugins": "singerkit.plugins_command:list_plugins", "state": "singerkit.state.commands:state"}
"""Verbs that live elsewhere, by name: each is imported when it is asked for."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LATE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LATE:
            return super().get_command(ctx, cmd_name)
        module, _, name = LATE[cmd_name].partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), name))


@click.group(cls=_Verbs)
@click.version_option(package_name="singerkit")
def cli() -> None:
    """Taps and targets of the toolkit, and those that others have added."""


def main() -> None:
    """Run the command line; an error that a person can act on is one line and its exit code."""
    try:
        cli()
    except SingerkitError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
