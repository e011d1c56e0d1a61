"""The shell around singer-sdk's plugins: checked settings, errors as one line, exit codes that mean something.

Takes a plugin class and a command line; gives an exit code. Refuses to print a traceback for what a user can cause.
"""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

import click

from singerkit.errors import SettingsError, SingerkitError, StoppedError
from singerkit.later import postpone
from singerkit.verbs import with_verbs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType


_USAGE = 2
_BROKEN_PIPE = 6


def main(plugin: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of `module:Class` and end the process with the exit code of the design."""
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
    command: click.Command = cls.cli
    try:
        with command.make_context(cls.name, [*argv]) as context:  # not main(): it would end a broken pipe with 1
            command.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
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
            logger.error("the reader of this output has gone; see its own message")
            return _BROKEN_PIPE
        case _:
            logger.error("a bug of ours ended the run; please report it with these lines", exc_info=error)
            return 1


class Shell:
    """Mixed in before singer_sdk.Tap or Target: what is slow or unsafe there, overridden here once."""

    name: str
    config_jsonschema: ClassVar[dict[str, Any]]
    _config: dict[str, Any]
    stopped_by: int | None = None
    """The signal that asked this run to stop, or None. Looked at between messages, never acted on inside one."""

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ARG003  # click's signature
        """Read the configuration files; singer-sdk ends in a traceback where one is missing or broken."""
        from singer_sdk.plugin_base import _ConfigInput

        merged: dict[str, Any] = {}
        for path in value:
            if path != "ENV":
                merged |= read_json_object(path, what="config file")
        return _ConfigInput(config=merged, parse_env="ENV" in value)

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
        """Return what the executable can do beside a sync, by name; a plugin adds its own to what it inherits."""
        return {}

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Refuse bad settings all at once and without their values, which singer-sdk would print."""
        from singer_sdk.plugin_base import JSONSchemaValidator

        from singerkit.settings import fields

        schema = self.config_jsonschema
        cast("Any", self).append_builtin_config(schema)
        hide_secrets(self._config, schema)
        errors = [
            fields.explain(e, schema["properties"]) for e in JSONSchemaValidator(schema).iter_errors(self._config)
        ]
        if group := fields.missing_group(self._config, schema.get("x-settings-groups", ())):
            errors.append(group)
        if errors and raise_errors:
            raise fields.settings_error(self.name, errors)
        return errors

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


def read_json_object(path: str, *, what: str) -> dict[str, Any]:
    """Return the JSON object in a file, or say in one line why there is none."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # "-" and descriptors are paths here too
            content = json.load(file)
    except OSError as error:
        raise SettingsError(f"{what} cannot be read: {error.strerror}", path=path) from error
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise SettingsError(f"{what} is not valid JSON", path=path, line=line) from error
    if not isinstance(content, dict):
        raise SettingsError(f"{what} must hold a JSON object", path=path)
    return content


def hide_secrets(config: dict[str, Any], schema: dict[str, Any]) -> None:
    """Make every log handler of this process replace the secrets of this configuration."""
    from singerkit.settings.secrets import RedactingFilter, secret_values

    if secrets := secret_values(config, schema):
        for handler in logging.getLogger().handlers:
            handler.addFilter(RedactingFilter(secrets))
