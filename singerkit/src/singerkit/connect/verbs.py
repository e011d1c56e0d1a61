"""The verb `auth` of every executable whose settings have a login: log in, say who is logged in, log out.

Takes what stands on the command line; gives lines for a person. Reads no more of the settings than the login needs, so
that a person can log in before anything else is set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singerkit.connect.logins import Application
    from singerkit.verbs import Given


@click.group()
def auth() -> None:
    """Log in at the source, say who is logged in, log out."""


@auth.command()
@click.option("--paste", is_flag=True, help="Open no browser: paste the address that one on another machine ends on.")
@click.pass_obj
def login(given: Given, *, paste: bool) -> None:
    """Log in: a browser opens, a person agrees, and the tokens are kept on this machine."""
    from singerkit.connect import auth as rooms

    _say(rooms.login(_application(given), paste=sys.stdin.readline if paste else None))


@auth.command()
@click.pass_obj
def status(given: Given) -> None:
    """Say who is logged in, with which scopes and until when; without a login this ends with exit code 5."""
    from singerkit.connect import auth as rooms

    _say(rooms.status(_application(given)))


@auth.command()
@click.pass_obj
def logout(given: Given) -> None:
    """Give the tokens back where the service takes them, and remove them here in any case."""
    from singerkit.connect import auth as rooms

    _say(rooms.logout(_application(given)))


def _application(given: Given) -> Application:
    """Return the application, or raise what is wrong with the settings that it needs."""
    from singerkit.connect import sockets
    from singerkit.connect.logins import Login, application, login_fields, login_in
    from singerkit.settings.words import settings_error

    reading = given.read()
    path, field = next(login_fields(given.plugin.settings_class))
    if errors := [one for one in reading.errors if one.startswith((f"{path}.", f"{path}:", "allow_private_hosts:"))]:
        raise settings_error(given.plugin.name, errors)
    guard = sockets.guard(allow_private_hosts=bool(getattr(reading.value, "allow_private_hosts", False)))
    field, chosen = login_in(reading.value) or (field, Login())
    return application(given.plugin.name, field, chosen, guard)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


VERBS: dict[str, click.Command] = {"auth": auth}
