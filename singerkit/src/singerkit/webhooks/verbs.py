"""The verb `webhook` of a tap that takes any: serve the receiver; register, look at and remove it at the vendor.

Takes what stands on the command line; gives lines for a person. No secret is in them.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singerkit.verbs import Given


class Registrar(Protocol):
    """A vendor's side of webhooks: what a tap with them offers as `registrar()`."""

    def register(self, url: str) -> Iterator[str]:
        """Have deliveries sent to an address, as wanted now; yield lines."""

    def status(self, url: str) -> Iterator[str]:
        """Yield what the vendor says of an address."""

    def remove(self, url: str) -> Iterator[str]:
        """Have nothing more sent to an address; yield lines."""


@click.group()
def webhook() -> None:
    """Take what the vendor sends, and tell it where to."""


@webhook.command()
@click.option("--spool", type=click.Path(file_okay=False, path_type=Path), help="Folder; else the setting.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; TLS is the proxy's matter.")
@click.option("--port", default=8787, show_default=True, help="Port to listen at.")
@click.pass_obj
def serve(given: Given, *, spool: Path | None, host: str, port: int) -> None:
    """Take deliveries until a signal comes: each is proved, and on the disk before it is answered."""
    from singerkit.webhooks.receiver import Receiver
    from singerkit.webhooks.spool import Spool

    # a receiver needs no credentials of the API: what is missing of them is not looked at
    settings = given.plugin(config=dict(given.config), parse_env_config=given.parse_env, validate_config=False).settings
    folder = spool or settings.webhook_spool
    if folder is None:
        raise SettingsError("there is no spool", remedy="say --spool DIR, or set webhook_spool")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Receiver(Spool(folder), given.plugin.hooks, settings.webhook_secret or "", host=host, port=port) as receiver:
        click.echo(f"listening at {receiver.url}, spool {folder}", err=True)
        stop.wait()


@webhook.command()
@click.option("--url", required=True, help="Where the vendor is to send to, as it reaches it: https://...")
@click.pass_obj
def register(given: Given, *, url: str) -> None:
    """Have the vendor send what the streams need; again where it does so already, with the secret of now."""
    tap = given.opened()
    if not tap.settings.webhook_secret:
        raise SettingsError("deliveries cannot be proved without a secret", remedy="set webhook_secret")
    _say(tap.registrar().register(url))


@webhook.command()
@click.option("--url", required=True, help="The address that was registered.")
@click.pass_obj
def status(given: Given, *, url: str) -> None:
    """Say what the vendor knows of the address: whether it sends, what, and how the last delivery went."""
    _say(given.opened().registrar().status(url))


@webhook.command()
@click.option("--url", required=True, help="The address that was registered.")
@click.pass_obj
def remove(given: Given, *, url: str) -> None:
    """Have the vendor send nothing more there."""
    _say(given.opened().registrar().remove(url))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


VERBS = {"webhook": webhook}
