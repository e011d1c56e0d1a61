"""The verbs of tap-rest: they write manifests to stdout, for a person to read and keep.

Takes a command line; gives YAML. Refuses nothing that the rooms below do not refuse.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from singerkit.rest.auth import Auth


_ATTEMPTS = 3  # somebody sits and waits


@click.command()
@click.argument("urls", nargs=-1, required=True)
@click.option("--token-env", help="Environment variable that holds a bearer token.")
@click.option("--header", "headers", multiple=True, help="A header, as `Name: value`.")
def infer(urls: tuple[str, ...], token_env: str | None, headers: tuple[str, ...]) -> None:
    """Ask each address a handful of questions and propose a row, with the evidence beside each word."""
    from singerkit.connect import sockets
    from singerkit.rest.client import Client
    from singerkit.rest.endpoint import Source
    from singerkit.rest.retry import Policy
    from tap_rest.infer import Inference
    from tap_rest.proposal import manifest_text

    base_url = _base(urls[0])
    patience = Policy(attempts=_ATTEMPTS, base_s=0.5)
    source = Source(base_url=base_url, auth=_auth(token_env), headers=_headers(headers), policy=patience)
    client = Client(
        source, guard=sockets.guard(allow_private_hosts=True)
    )  # the person named the host, not what it names
    found = [Inference(client, url).proposal() for url in urls]
    click.echo(manifest_text(base_url, _said(token_env), found), nl=False)


@click.command("import-openapi")
@click.argument("file", type=click.Path(path_type=Path))
def import_openapi(file: Path) -> None:
    """Propose a row for each list that an OpenAPI document describes."""
    import yaml

    from tap_rest.openapi import proposals
    from tap_rest.proposal import manifest_text

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the document cannot be read: {error.strerror}", path=file) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError("the document is neither YAML nor JSON", path=file) from error
    base_url, found = proposals(data)
    click.echo(manifest_text(base_url, None, found), nl=False)


VERBS: dict[str, click.Command] = {"infer": infer, "import-openapi": import_openapi}


def _base(url: str) -> str:
    from singerkit.rest.message import origin

    scheme, host, port = origin(url)
    if scheme not in {"http", "https"} or not host:
        raise SettingsError("this is no address", remedy="write it like https://api.example.com/v1/items")
    usual = port in {80, 443, None}
    return f"{scheme}://{host}" if usual else f"{scheme}://{host}:{port}"


def _auth(token_env: str | None) -> Auth:
    from singerkit.rest.auth import Bearer, NoAuth

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
