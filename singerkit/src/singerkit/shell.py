"""The shell around singer-sdk's plugins: checked settings, errors as one line, exit codes that mean something.

Takes a plugin class and a command line; gives an exit code. Refuses to print a traceback for what a user can cause.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

import click

from singerkit.errors import SettingsError, SingerkitError, StoppedError
from singerkit.later import postpone
from singerkit.settings.rows import has_login
from singerkit.settings.schema import settings_schema
from singerkit.settings.secrets import guard_logs, guard_stderr
from singerkit.verbs import with_verbs

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from singerkit.settings.read import Reading


_USAGE = 2
_BROKEN_PIPE = 6


def main(plugin: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of `module:Class` and end the process with the exit code of the design."""
    guard_stderr()
    postpone()  # before anything imports singer-sdk
    code = run(plugin, sys.argv[1:] if argv is None else argv)
    try:
        sys.stdout.flush()
    except OSError:  # the reader is gone; what it missed has been said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(plugin: str, argv: Sequence[str]) -> int:
    """Run the command line of `module:Class` and return its exit code; every error is one line on stderr."""
    module, _, name = plugin.partition(":")
    cls = getattr(importlib.import_module(module), name)
    command: click.Command = cls.cli  # sets up the logs
    guard_logs()
    try:
        with command.make_context(cls.name, [*argv]) as context:  # not main(): it would end a broken pipe with 1
            command.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:  # how singer-sdk ends `--about` of a target
        return end.code if isinstance(end.code, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the one place where every error ends
        return _ended_by(error, cls.logger)
    return 0


def _ended_by(error: BaseException, logger: logging.Logger) -> int:
    """Say in one line what ended the run, and return its exit code; only a bug of ours shows its traceback."""
    match error:
        case SingerkitError():
            logger.error("%s", error)
            return error.exit_code
        case click.ClickException():
            logger.error("%s", error.format_message())
            return _USAGE
        case click.exceptions.Abort() | KeyboardInterrupt():
            return 128 + signal.SIGINT
        case BrokenPipeError():
            logger.error("%s", outcome_of(error))
            return _BROKEN_PIPE
        case _:
            logger.error("a bug of ours ended the run; please report it with these lines", exc_info=error)
            return 1


def outcome_of(error: BaseException) -> str:
    """Return what ended a run, for its report; of a bug only the kind, since its text may hold anything."""
    match error:
        case SingerkitError():
            return str(error)
        case BrokenPipeError():
            return "the reader of this output has gone; see its own message"
        case _:
            return f"a bug: {type(error).__name__}"


class Shell:
    """Mixed in before singer_sdk.Tap or Target: what is slow or unsafe there, overridden here once."""

    name: str
    settings_class: ClassVar[type]
    """What the plugin can be told. Everything that describes its settings is made of this class."""
    settings: Any
    """What it was told: a value of `settings_class`, and all that a plugin reads."""
    config_jsonschema: ClassVar[dict[str, Any]]
    _config: dict[str, Any]
    answers_are_data: ClassVar[bool] = False
    """Whether programs go on with what verbs print, so that it must be word for word; otherwise secrets are masked."""
    stopped_by: int | None = None
    """The signal that asked this run to stop, or None. Looked at between messages, never acted on inside one."""

    def __init_subclass__(cls, **named: Any) -> None:
        """Describe the settings to singer-sdk."""
        super().__init_subclass__(**named)
        if "settings_class" in vars(cls):
            cls.config_jsonschema = settings_schema(cls.settings_class)

    def __init__(self, *args: Any, config: Any = None, parse_env_config: bool = False, **named: Any) -> None:
        """Read the environment by names of nested settings too, and as texts: singer-sdk knows the names at the top."""
        if parse_env_config:
            config = merged(config or {}, self.environment())
        super().__init__(*args, config=config, **named)  # type: ignore[call-arg]  # the plugin's base

    @classmethod
    def environment(cls) -> dict[str, Any]:
        """Return what the environment says of the settings; `.env` of this folder, or above, adds to it."""
        from dotenv import find_dotenv, load_dotenv

        from singerkit.settings.environment import from_environment

        load_dotenv(find_dotenv(usecwd=True))
        schema = cls.config_jsonschema
        cast("Any", cls).append_builtin_config(schema)
        return from_environment(cls.name, schema, os.environ)

    @classmethod
    def print_about(cls, output_format: str | None = None) -> None:
        """Answer `--about`, with what stands inside of groups."""
        from singerkit.settings.about import rendered

        click.echo(rendered(cast("Any", cls)._get_about_info(), output_format))  # noqa: SLF001  # no other way to it

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ARG003  # click's signature
        """Read the configuration files; singer-sdk ends in a traceback where one is missing or broken."""
        from singer_sdk.plugin_base import _ConfigInput

        config: dict[str, Any] = {}
        for path in value:
            if path != "ENV":
                config = merged(config, read_json_object(path, what="config file"))
        return _ConfigInput(config=config, parse_env="ENV" in value)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return singer-sdk's command beside our verbs; `--catalog` and `--state` are checked before anything else."""
        command = cast("click.Command", super().get_singer_command())  # type: ignore[misc]  # the plugin's base has it
        for param in command.params:
            if param.name in {"catalog", "state"}:
                param.type = _JsonObjectFile(f"{param.name} file")
        return with_verbs(command, cls.verbs(), cls)

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """Return what the executable can do beside a sync, by name; a plugin adds its own to what it inherits.

        Where the settings have a login, there is a verb for it.
        """
        if not has_login(cls.settings_class):
            return {}
        from singerkit.connect.verbs import VERBS

        return VERBS

    @classmethod
    def reading(cls, config: Mapping[str, Any], *, parse_env: bool = False) -> Reading[Any]:
        """Return what a configuration says, from now on without its secrets in anything that this process says."""
        from singerkit.settings import read, secrets
        from singerkit.settings.files import Files

        cast("Any", cls).append_builtin_config(cls.config_jsonschema)
        own = settings_schema(cls.settings_class)["properties"]
        builtin = {name: prop for name, prop in cls.config_jsonschema["properties"].items() if name not in own}
        config = merged(config, cls.environment()) if parse_env else config
        found: Reading[Any] = read.read(cls.settings_class, config, Files.of_environment(), beside=builtin)
        secrets.hide(found.secrets)
        return found

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Refuse bad settings all at once and without their values, which singer-sdk would print.

        Where errors are not to be raised (`--discover` of a tap whose streams need no settings), what is wrong or
        missing has its default.
        """
        from singerkit.settings.words import settings_error

        reading = self.reading(self._config)
        if reading.errors and raise_errors:
            raise settings_error(self.name, reading.errors)
        self.settings, self._config = reading.value, dict(reading.config)
        return list(reading.errors)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note the signal; a second one ends the process at once. singer-sdk drains in the handler and exits 0."""
        if self.stopped_by is not None:
            os._exit(128 + signum)
        self.stopped_by = signum

    def raise_if_stopped(self) -> None:
        """Raise StoppedError once a signal has come; called where nothing is half done."""
        if self.stopped_by is not None:
            raise StoppedError(self.stopped_by)


class _JsonObjectFile(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """A path whose file holds a JSON object; singer-sdk, which reads it again, is handed the checked text."""

    name = "filename"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> io.StringIO:  # noqa: ARG002  # click's signature
        return io.StringIO(json.dumps(read_json_object(value, what=self.what)))


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return two configurations as one: the second goes before, name by name, also inside of objects."""
    both = {name: merged(first[name], value) for name, value in second.items() if _are_objects(first.get(name), value)}
    return {**first, **second, **both}


def _are_objects(first: Any, second: Any) -> bool:
    return isinstance(first, dict) and isinstance(second, dict)


def read_json_object(path: str, *, what: str) -> dict[str, Any]:
    """Return the JSON object in a file, or say in one line why there is none."""
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123  # "-" and descriptors are paths here too
            content = json.load(file)
    except OSError as error:
        raise SettingsError(f"{what} cannot be read: {error.strerror}", path=path) from error
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise SettingsError(f"{what} is not valid JSON", path=path, line=line) from error
    if not isinstance(content, dict):
        raise SettingsError(f"{what} must hold a JSON object", path=path)
    return content
