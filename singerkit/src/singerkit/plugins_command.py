"""`singerkit plugins`: what is installed, and whether it can be used.

Takes options; gives lines of text or JSON on stdout. Imports no plugin unless it is asked to.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from singerkit.plugins import duplicates, plugins

if TYPE_CHECKING:
    from singerkit.plugins import Plugin


@click.command("plugins")
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
