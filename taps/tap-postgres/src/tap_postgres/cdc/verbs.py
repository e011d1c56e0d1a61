"""`tap-postgres cdc check | setup | status | confirm | teardown`, for a person at a terminal.

Takes settings and a catalog; gives lines on stdout. Refuses to drop anything that was not asked for by name.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import click

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singerkit.verbs import Given
    from tap_postgres.cdc.capture import Capture


@click.group()
def cdc() -> None:
    """Look after change data capture: slot, publication, and what the server may forget."""


@cdc.command()
@click.pass_obj
def check(given: Given) -> None:
    """List what change data capture needs, with a tick or the SQL that mends it; exit 2 where something is missing."""
    from tap_postgres.cdc.requirements import requirements

    with _capture(given) as capture:
        found = list(requirements(capture.catalog.facts(), capture.asked(capture.known())))
    for requirement in found:
        click.echo(requirement.line())
    if missing := [requirement for requirement in found if requirement.stops_a_run]:
        raise SettingsError(f"{len(missing)} requirements are not met", remedy="see the lines with ✗")


@cdc.command()
@click.option("--dry-run", is_flag=True, help="Print the SQL and run none of it.")
@click.pass_obj
def setup(given: Given, *, dry_run: bool) -> None:
    """Make the publication and the slot, and print what only an administrator can do."""
    from tap_postgres.cdc.setup import set_up

    with _capture(given) as capture:
        missing = set_up(capture, dry_run=dry_run, say=click.echo)
    if missing and not dry_run:
        raise SettingsError("an administrator has to do the rest", remedy="run the SQL above, then `cdc check`")


@cdc.command()
@click.pass_obj
def status(given: Given) -> None:
    """Print the slot, how much log it keeps, and the publication, as JSON."""
    from tap_postgres.cdc.setup import status_of

    with _capture(given) as capture:
        click.echo(json.dumps(status_of(capture.catalog.facts()), indent=2))


@cdc.command()
@click.option("--state", "source", required=True, help="A STATE file of the loader, or - for standard input.")
@click.pass_obj
def confirm(given: Given, source: str) -> None:
    """Tell the server that everything before the position in a STATE is stored, as the next run would."""
    from tap_postgres.cdc.setup import confirm_state

    with _capture(given) as capture:
        click.echo(confirm_state(capture, "/dev/stdin" if source == "-" else source))


@cdc.command()
@click.option("--publication", is_flag=True, help="Drop the publication as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def teardown(given: Given, *, publication: bool, yes: bool) -> None:
    """Drop the slot: the server forgets the log behind it, and the next run reads all tables again."""
    from tap_postgres.cdc.setup import tear_down

    with _capture(given) as capture:
        slot = capture.settings.replication_slot
        if not yes:
            click.confirm(f"drop replication slot {slot}?", abort=True)
        for line in tear_down(capture, publication=publication):
            click.echo(line)


VERBS: dict[str, click.Command] = {"cdc": cdc}


@contextlib.contextmanager
def _capture(given: Given) -> Iterator[Capture]:
    """Yield the capture that a run with these settings would make, connected but not begun."""
    from tap_postgres.cdc.capture import Capture, captured

    tap = given.opened()
    capture = Capture(tap, list(captured([*tap.streams.values()])))
    try:
        with contextlib.closing(capture.catalog):
            yield capture
    finally:
        tap.close()
