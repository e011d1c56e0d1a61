"""The verbs `check` and `preview`, and the words of `--test`: look at a source before anything is loaded from it.

Takes what stood on the command line; gives text or JSON on stdout, and the exit code of the design.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from singerkit.checks.findings import Checked
    from singerkit.verbs import Given


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a tick list.")
@click.option("--deep", is_flag=True, help="Read everything: count rows, look for doubled keys and odd bookmarks.")
@click.pass_obj
def check(given: Given, *, as_json: bool, deep: bool) -> None:
    """Say whether the settings work, and which streams can be read."""
    click.get_current_context().exit(report_check(given, as_json=as_json, deep=deep))


@click.command()
@click.argument("stream")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="So many rows at most.")
@click.pass_obj
def preview(given: Given, stream: str, limit: int) -> None:
    """Show the first rows of a stream: a table on a terminal, JSON lines in a pipe."""
    from singerkit.show.preview import shown

    tap = given.opened(setup_mapper=False)
    try:
        for line in shown(tap, stream, limit):
            click.echo(line)
    finally:
        tap.close()


VERBS: dict[str, click.Command] = {"check": check, "preview": preview}
"""What every tap of ours can do beside a sync."""


def report_check(given: Given, *, as_json: bool = False, deep: bool = False) -> int:
    """Print what a check finds, and return its exit code; settings that are refused are a finding too."""
    checked = _checked(given, deep=deep)
    if as_json:
        click.echo(json.dumps(checked.as_json(), indent=2, ensure_ascii=False))
    else:
        for line in _lines(checked):
            click.echo(line)
    return checked.exit_code


def _checked(given: Given, *, deep: bool) -> Checked:
    from singerkit.checks.findings import Checked, Finding
    from singerkit.checks.run import check as run_check

    try:
        tap = given.opened(setup_mapper=False)
    except SettingsError as error:
        return Checked(given.plugin.name, [Finding.of(error, "settings")])
    return run_check(tap, deep=deep)


def _lines(checked: Checked) -> list[str]:
    from singerkit.checks.findings import MARKS, PLAIN_MARKS

    try:
        "".join(MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return list(checked.lines(PLAIN_MARKS))
    return list(checked.lines())
