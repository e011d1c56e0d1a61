"""The verbs of target-delta, beside singer-sdk's own command line.

Takes a configuration and options; gives JSON on stdout. Refuses what the settings refuse.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from singer_sdk.plugin_base import _ConfigInput

    from target_delta.settings import Settings


@click.group()
def state() -> None:
    """What the tables know of how far their streams were read."""


@state.command()
@click.option("--path", help="The folder or object store address of the tables, in the place of the setting.")
@click.pass_obj
def export(config: _ConfigInput | None, path: str | None) -> None:
    """Print a Singer STATE made of the newest bookmark of every table."""
    from target_delta.export import exported

    chosen = _settings(config)
    click.echo(json.dumps(exported(path or chosen.path, chosen.storage_options), ensure_ascii=False))


VERBS: dict[str, click.Command] = {"state": state}


def _settings(config: _ConfigInput | None) -> Settings:
    """Return the settings that stood before the verb, checked as a run would check them."""
    from target_delta.settings import settings
    from target_delta.target import TargetDelta

    given: dict[str, Any] = {} if config is None else {"config": config.config, "parse_env_config": config.parse_env}
    return settings(TargetDelta(validate_config=True, **given).config)
