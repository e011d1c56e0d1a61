"""The verbs of tap-rest: they write manifests to stdout, for a person to read and keep.

Takes a command line; gives YAML. Refuses nothing that the rooms below do not refuse.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, ClassVar

import click
import yaml

from singerkit.errors import SettingsError
from singerkit.rest.auth import Auth, Bearer, NoAuth
from singerkit.rest.client import Client
from singerkit.rest.endpoint import Source
from singerkit.rest.message import origin
from tap_rest.infer import Inference
from tap_rest.openapi import proposals
from tap_rest.proposal import manifest_text


@click.group()
def cli() -> None:
    """Write a manifest, from samples or from a document."""


@cli.command()
@click.argument("urls", nargs=-1, required=True)
@click.option("--token-env", help="Environment variable that holds a bearer token.")
@click.option("--header", "headers", multiple=True, help="A header, as `Name: value`.")
def infer(urls: tuple[str, ...], token_env: str | None, headers: tuple[str, ...]) -> None:
    """Ask each address a handful of questions and propose a row, with the evidence beside each word."""
    base_url = _base(urls[0])
    source = Source(base_url=base_url, auth=_auth(token_env), headers=_headers(headers))
    client = Client(source)
    found = [Inference(client, url).proposal() for url in urls]
    click.echo(manifest_text(base_url, _said(token_env), found), nl=False)


@cli.command("import-openapi")
@click.argument("file", type=click.Path(path_type=Path))
def import_openapi(file: Path) -> None:
    """Propose a row for each list that an OpenAPI document describes."""
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the document cannot be read: {error.strerror}", path=file) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError("the document is neither YAML nor JSON", path=file) from error
    base_url, found = proposals(data)
    click.echo(manifest_text(base_url, None, found), nl=False)


class Verbs:
    """What the shell runs: a name, a command and a logger."""

    name: ClassVar[str] = "tap-rest"
    cli: ClassVar[click.Command] = cli
    logger: ClassVar[logging.Logger] = logging.getLogger("tap-rest")


def _base(url: str) -> str:
    scheme, host, port = origin(url)
    if scheme not in {"http", "https"} or not host:
        raise SettingsError("this is no address", remedy="write it like https://api.example.com/v1/items")
    usual = port in {80, 443, None}
    return f"{scheme}://{host}" if usual else f"{scheme}://{host}:{port}"


def _auth(token_env: str | None) -> Auth:
    if token_env is None:
        return NoAuth()
    if not os.environ.get(token_env):
        raise SettingsError("the environment variable of the token is not set", name=token_env)
    return Bearer(token=os.environ[token_env])


def _said(token_env: str | None) -> dict[str, Any] | None:
    return {"method": "bearer", "token": "{token}"} if token_env else None


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [header.partition(":") for header in given]
    return {name.strip(): value.strip() for name, _, value in pairs}
