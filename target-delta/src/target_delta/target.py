"""The shell over singer_sdk.Target: its command line, settings and maps around our own rooms.

Takes Singer messages on stdin; gives STATE on stdout, a report, and an exit code. See docs/explanation/singer-sdk.md.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Target
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.io_base import SingerReader

from singerkit.shell import Shell
from target_delta.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import click

    from target_delta.router import Router


class TargetDelta(Shell, Target):
    """Singer into Delta Lake: exact in values, flat in memory, never loses or doubles a row."""

    name = "target-delta"
    settings_class = Settings
    settings: Settings
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

    def router(self) -> Router:
        """Return the rooms of one run, wired like the drawing."""
        from singerkit.report import Report
        from target_delta.mapping import Mapping
        from target_delta.router import Router
        from target_delta.run import Run
        from target_delta.worker import Worker

        run_id = str(uuid.uuid4())
        run = Run(
            settings=self.settings,
            id=run_id,
            started=datetime.now(UTC),
            worker=Worker(self.raise_if_stopped),
            report=Report(self.name, run_id),
            clock=time.monotonic,
        )
        mapped = bool(self.config.get("stream_maps") or self.config.get("flattening_enabled"))
        return Router(run, Mapping(self.mapper, active=mapped), self._write_state_message)


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
        router = self.target.router()
        outcome = "a bug"
        try:
            counts = self._run(file_input or sys.stdin, router)
            outcome = "good"
        except BaseException as error:
            outcome = str(error) or type(error).__name__
            router.abandon()
            raise
        finally:
            router.run.worker.stop()
            self._report(router, outcome)
        return counts

    def _run(self, source: IO[Any], router: Router) -> Counter[str]:
        from target_delta.lines import pieces
        from target_delta.source import blocks

        counts: Counter[str] = Counter()
        schemas: dict[str, bytes] = {}
        for block in blocks(source):
            self.target.raise_if_stopped()
            if block is None:
                router.pause()
                continue
            for piece in pieces(block, schemas):
                self.target.raise_if_stopped()
                counts[router.take(piece)] += getattr(piece, "rows", 1)
        self.target.raise_if_stopped()
        router.finish()
        return counts

    def _report(self, router: Router, outcome: str) -> None:
        report = router.run.report
        for line in report.table():
            self.target.logger.info("%s", line)
        if path := router.run.settings.report_file:
            report.write(path, outcome)
