"""What can be asked of any plugin: its options, its verbs and their flags, made of what the plugin itself says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from singerkit.plugins import plugins
from singerkit.verbs import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WAITING = frozenset({("auth", "login"), ("webhook", "serve")})
"""Verbs that wait for a person or a signal: tried with what ends them at once."""
OPTIONS = ((), ("--discover",), ("--test",), ("--test=schema",))
"""What singer-sdk does with settings; a target knows the first alone."""
ABOUT = (("--about",), ("--about", "--format=json"), ("--about", "--format=markdown"), ("--version",), ("--help",))


def installed() -> list[type[Any]]:
    """Return the classes of all plugins of this machine, those of other packages too."""
    return [one.load() for one in plugins(hidden=True) if one.reason() is None]


def options_of(plugin: type[Any]) -> Sequence[Sequence[str]]:
    """Return the command lines without a verb that look at settings."""
    known = {name for param in plugin.get_singer_command().params for name in param.opts}
    return [words for words in OPTIONS if not words or words[0].partition("=")[0] in known]


def verbs_of(plugin: type[Any], stream: str = "x") -> Iterator[Sequence[str]]:
    """Yield every verb with what it must be given, and again with each of its flags."""
    for words, verb in words_of(plugin.verbs()):
        needed = [*words, *(word for param in verb.params for word in _needed(param, stream))]
        if words == ("auth", "login"):
            needed.append("--paste")
        if words != ("webhook", "serve"):
            yield needed
        for param in verb.params:
            if isinstance(param, click.Option) and param.is_flag and words not in WAITING:
                yield [*needed, param.opts[0]]


def _needed(param: click.Parameter, stream: str) -> Sequence[str]:
    if not param.required:
        return ()
    if isinstance(param, click.Argument):
        return (stream,)
    return (param.opts[0], "https://hooks.example/in" if "--url" in param.opts else "1")
