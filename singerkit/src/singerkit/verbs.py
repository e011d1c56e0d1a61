"""Verbs beside singer-sdk's own command line: `tap-x --config F` stays as it is, `tap-x --config F check` is ours.

Takes a plugin's command and verbs; gives one command that has both. Refuses an unknown verb, as click does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_verbs(command: click.Command, verbs: Mapping[str, click.Command]) -> click.Group:
    """Return the command with verbs. Without one it does what it did; before one its `--config` is the verb's too.

    Meltano puts the plugin's options before the verb: `meltano invoke tap-x check` is `tap-x --config F check`.
    """
    plain = command.callback

    def callback(**options: Any) -> Any:
        context = click.get_current_context()
        if context.invoked_subcommand is None and plain is not None:
            return plain(**options)
        context.obj = options.get("config")
        return None

    return click.Group(
        name=command.name,
        callback=callback,
        params=command.params,
        help=command.help,
        commands=dict(verbs),
        invoke_without_command=True,
        subcommand_metavar="[VERB]",
        context_settings=command.context_settings,
    )
