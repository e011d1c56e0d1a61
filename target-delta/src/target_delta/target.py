"""The shell over singer_sdk.Target: its command line, settings and maps around our own rooms.

Takes Singer messages on stdin; gives STATE on stdout, a report, and an exit code. See docs/explanation/singer-sdk.md.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Target
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.io_base import SingerReader

from singerkit.shell import Shell, outcome_of
from target_delta.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import click

    from singerkit.report import Report
    from target_delta.account import Account
    from target_delta.router import Router


class TargetDelta(Shell, Target):
    """Singer into Delta Lake: exact in values, flat in memory, never loses or doubles a row."""

    name = "target-delta"
    settings_class = Settings
    settings: Settings
    answers_are_data = True  # they come from tables; in a STATE that is exported a masked word would be another word
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.message_reader = _BlockReader(self)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; storage options of a file are read again in the run, whenever it changes."""
        file = self._config.get("storage_options_file")
        errors = super()._validate_config(raise_errors=raise_errors)
        if file and not errors:
            from target_delta.options import FileOptions

            self.settings = replace(
                self.settings, storage_options=FileOptions(self.settings.storage_options, str(file))
            )
        return errors

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add singer-sdk's settings for maps and flattening; not those that this loader has no use for."""
        own = dict(config_jsonschema["properties"])
        super().append_builtin_config(config_jsonschema)
        for name in set(config_jsonschema["properties"]) - set(own):
            if not name.startswith(("stream_map", "flattening", "faker")):
                del config_jsonschema["properties"][name]

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """Return what can be done to tables beside loading them."""
        from target_delta.verbs import VERBS

        return VERBS

    def process_endofpipe(self) -> None:
        """Nothing is left to do: the reader has finished the run. singer-sdk would drain its sinks here."""

    def _write_state_message(self, state: dict[str, Any]) -> None:
        """Print a STATE with every digit of its numbers, as taps print theirs; singer-sdk's own fails at a decimal."""
        from singer_sdk.singerlib.json import serialize_json

        sys.stdout.write(f"{serialize_json(state)}\n")
        sys.stdout.flush()

    def account(self) -> Account:
        """Return the account of one run, under a name that no other has."""
        from singerkit.report import Report
        from target_delta.account import Account

        return Account(Report(self.name, str(uuid.uuid4())), self.raise_if_stopped, self._write_state_message)

    def router(self, account: Account | None = None) -> Router:
        """Return the rooms of one run, wired like the drawing."""
        from target_delta.mapping import Mapping
        from target_delta.router import Router
        from target_delta.run import Run
        from target_delta.worker import Worker

        kept = account or self.account()
        run = Run(
            settings=self.settings,
            id=kept.report.run,
            started=datetime.now(UTC),
            worker=Worker(kept.look, kept.writing),
            report=kept.report,
            clock=time.monotonic,
        )
        mapped = bool(self.config.get("stream_maps") or self.config.get("flattening_enabled"))
        return Router(run, Mapping(self.mapper, active=mapped), kept.told)


class _BlockReader(SingerReader):
    """Reads blocks in the place of lines: singer-sdk makes a dict a record, which costs fifty times more."""

    def __init__(self, target: TargetDelta) -> None:
        super().__init__()
        self.target = target

    def process_lines(
        self,
        file_input: IO[str] | None,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],  # noqa: ARG002  # one message each: not our way
    ) -> Counter[str]:
        """Bring all messages of the input into their tables."""
        from target_delta.source import blocks

        account = self.target.account()
        router = self.target.router(account)
        outcome = "good"
        with account.kept():
            try:
                return self._run(account.waiting(blocks(file_input or sys.stdin)), router, account.look)
            except BaseException as error:
                outcome = outcome_of(error)
                router.abandon()
                raise
            finally:
                router.run.worker.stop()
                account.end(router)
                self._report(account.report, outcome)

    def _run(self, source: Iterable[bytes | None], router: Router, look: Callable[[], None]) -> Counter[str]:
        from target_delta.lines import pieces

        counts: Counter[str] = Counter()
        schemas: dict[str, bytes] = {}
        for block in source:
            look()
            if block is None:
                router.pause()
                continue
            for piece in pieces(block, schemas):
                look()
                counts[router.take(piece)] += getattr(piece, "rows", 1)
        look()
        router.finish()
        return counts

    def _report(self, report: Report, outcome: str) -> None:
        for line in report.lines():
            self.target.logger.info("%s", line)
        if path := self.target.settings.report_file:
            report.write(path, outcome)
