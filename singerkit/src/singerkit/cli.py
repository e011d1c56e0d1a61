"""The `singerkit` executable: what is installed, and whether it can be used.

Takes a verb; gives lines of text or JSON on stdout. Refuses with one line and an exit code, as the plugins do.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from singerkit.errors import SingerkitError
from singerkit.plugins import duplicates, plugins

if TYPE_CHECKING:
    from singerkit.plugins import Plugin


LATE = {"state": "singerkit.state.commands:state"}
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


@cli.command("plugins")
@click.option("--verbose", is_flag=True, help="Load each plugin, and say why one is disabled.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def list_plugins(*, verbose: bool, as_json: bool) -> None:
    """List installed taps and targets. Without --verbose nothing of them is imported."""
    found = plugins()
    reasons = [one.reason() if verbose else None for one in found]
    if as_json:
        rows = [asdict(one) | ({"disabled": why} if verbose else {}) for one, why in zip(found, reasons, strict=True)]
        click.echo(json.dumps(rows, indent=2))
    else:
        for one, why in zip(found, reasons, strict=True):
            click.echo(_line(one))
            for detail in _details(one, why) if verbose else ():
                click.echo(f"    {detail}")
    for name in duplicates(found):
        click.echo(f"{name} is claimed by several packages; uninstall all but one", err=True)


def _line(one: Plugin) -> str:
    return f"{one.name:20} {one.version:10} {one.status:8} {one.label}".rstrip()


def _details(one: Plugin, why: str | None) -> list[str]:
    facts = {"class": one.target, "package": one.package, "category": one.category, "docs": one.docs}
    facts |= {"keywords": ", ".join(one.keywords), "disabled": why or ""}
    return [f"{name}: {value}" for name, value in facts.items() if value]


def main() -> None:
    """Run the command line; an error that a person can act on is one line and its exit code."""
    try:
        cli()
    except SingerkitError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
