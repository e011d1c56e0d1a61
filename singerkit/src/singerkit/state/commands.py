"""`singerkit state`: explain, diff and rewind, as commands.

Takes files, or `-` for standard input; gives lines, or a STATE on standard output and the lines on standard error.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from singerkit.shell import read_json_object
from singerkit.state import explain as words
from singerkit.state.rewind import rewind as back

_FILE = click.argument("file")
_STDIN = "/dev/stdin"


@click.group()
def state() -> None:
    """Read a Singer STATE in a person's words, and go back in it."""


@state.command()
@_FILE
def explain(file: str) -> None:
    """Say what the next run will do with the STATE in FILE."""
    for line in words.explain(_read(file), datetime.now(UTC)):
        click.echo(line)


@state.command()
@click.argument("before")
@click.argument("after")
def diff(before: str, after: str) -> None:
    """Say what changed from the STATE in BEFORE to the one in AFTER."""
    for line in words.diff(_read(before), _read(after)):
        click.echo(line)


@state.command()
@_FILE
@click.option("--stream", required=True, help="The stream that is to be read again.")
@click.option("--to", required=True, help="From where: a date, a time, or a number, as the bookmark is.")
def rewind(file: str, stream: str, to: str) -> None:
    """Print the STATE in FILE with one stream back at an earlier place."""
    changed, lines = back(_read(file), stream, to)
    for line in lines:
        click.echo(line, err=True)
    click.echo(json.dumps(changed, ensure_ascii=False))


def _read(file: str) -> dict[str, Any]:
    return read_json_object(_STDIN if file == "-" else file, what="STATE")
