"""Verbs beside singer-sdk's own command line: `tap-x --config F` stays as it is, `tap-x check --config F` is ours.

Takes a plugin's command and its verbs; gives one command that has both. Refuses an unknown verb, as click does.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from singerkit.settings.secrets import guarded_stdout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singerkit.settings.read import Reading

FILES = ("config", "catalog")
"""The options of the plugin that its verbs take too."""


@dataclass(frozen=True)
class Given:
    """What a verb works with: the plugin, and the files that stood before the verb or after it.

    A verb whose function is decorated by `click.pass_obj` is handed it.
    """

    plugin: type[Any]
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parse_env: bool = True
    """Whether the variables `TAP_X_*` are read: where `--config ENV` asks for it, and where there is no `--config`."""
    catalog: Mapping[str, Any] | None = field(default=None, repr=False)

    def opened(self, **more: Any) -> Any:
        """Return the plugin with its settings checked as those of a run are."""
        _quieten()
        if self.catalog is not None:
            more["catalog"] = dict(self.catalog)
        return self.plugin(config=dict(self.config), parse_env_config=self.parse_env, validate_config=True, **more)

    def read(self) -> Reading[Any]:
        """Return what the settings say, and what is wrong with them: for a verb that needs only some of them."""
        _quieten()
        found: Reading[Any] = self.plugin.reading(self.config, parse_env=self.parse_env)
        return found


def _quieten() -> None:
    """Let a verb speak for itself: a person sees warnings of the log, and all of it where LOGLEVEL asks for that."""
    log = logging.getLogger()
    if log.level == logging.INFO and "LOGLEVEL" not in os.environ:
        log.setLevel(logging.WARNING)


def with_verbs(command: click.Command, verbs: Mapping[str, click.Command], plugin: type[Any]) -> click.Command:
    """Return the command with verbs. Without one it does what it did.

    `--config` and `--catalog` may stand before the verb, where `meltano invoke tap-x check` puts them, and after it.
    """
    if not verbs:
        return command
    plain = command.callback
    files = [param for param in command.params if param.name in FILES]

    def callback(**options: Any) -> Any:
        if click.get_current_context().invoked_subcommand is None and plain is not None:
            return plain(**options)
        return None

    return click.Group(
        name=command.name,
        callback=callback,
        params=command.params,
        help=command.help,
        commands={name: _taking(verb, files, plugin) for name, verb in verbs.items()},
        invoke_without_command=True,
        subcommand_metavar="[VERB]",
        context_settings=command.context_settings,
    )


def words_of(verbs: Mapping[str, click.Command]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every verb that can be run, with the words that name it: `auth login` has two."""
    for name, verb in verbs.items():
        if isinstance(verb, click.Group):
            yield from (((name, *words), inner) for words, inner in words_of(verb.commands))
        else:
            yield (name,), verb


def given(context: click.Context, plugin: type[Any]) -> Given:
    """Return what the command line says from its first word on; a later file goes first by names, in groups too."""
    from singerkit.shell import merged

    chain = [context]
    while chain[0].parent is not None:
        chain.insert(0, chain[0].parent)
    unsaid = click.core.ParameterSource.DEFAULT
    configs = [at.params["config"] for at in chain if at.get_parameter_source("config") not in {None, unsaid}]
    catalogs = [at.params["catalog"] for at in chain if at.params.get("catalog") is not None]
    return Given(
        plugin,
        config=functools.reduce(merged, (one.config for one in configs), {}),
        parse_env=not configs or any(one.parse_env for one in configs),
        catalog=_content(catalogs[-1]) if catalogs else None,
    )


def _taking(verb: click.Command, files: Sequence[click.Parameter], plugin: type[Any]) -> click.Command:
    """Return a copy of a verb that takes the options for files, and so do the verbs below it."""
    own, plain = copy.copy(verb), verb.callback
    own.params = [*verb.params, *files]

    def callback(**options: Any) -> Any:
        context = click.get_current_context()
        context.obj = given(context, plugin)
        kept = {name: value for name, value in options.items() if name not in FILES}
        with nullcontext() if plugin.answers_are_data else guarded_stdout():
            return plain(**kept) if plain is not None else None

    own.callback = callback
    if isinstance(own, click.Group):
        own.commands = {name: _taking(inner, files, plugin) for name, inner in own.commands.items()}
    return own


def _content(catalog: Any) -> Any:
    import json

    catalog.seek(0)  # a group of verbs has read it, for the verb below it
    return json.load(catalog)
