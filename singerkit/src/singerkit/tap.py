"""The shell over singer_sdk.Tap: one stream's failure is its own, a stop is heard, bad catalogs and states are refused.

Takes configuration, catalog and STATE; gives Singer messages, stream by stream. Refuses to end well when a stream has
failed.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import click
import singer_sdk
from singer_sdk.plugin_base import BaseSingerWriter, PluginBase

from singerkit.account import Account
from singerkit.checks.guards import guarded
from singerkit.errors import SettingsError, SingerkitError, StreamsFailedError
from singerkit.report import Report
from singerkit.runs import new_run_id
from singerkit.settings.secrets import guarded_stdout
from singerkit.shell import Shell, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import IO

    from singer_sdk.singerlib import CatalogEntry

    from singerkit.checks.run import Step
    from singerkit.stream import ArrowStream


class ArrowTap(Shell, singer_sdk.Tap):
    """A tap of Arrow streams. Its configuration is needed to discover, so it is checked for `--discover` too."""

    dynamic_catalog = True
    checks_at_once = 4
    """So many streams are looked at side by side by `check`."""

    def __init__(self, *args: Any, catalog: Any = None, state: Any = None, **kwargs: Any) -> None:
        self.run_id = new_run_id(time.time())
        self.report = Report(self.name, self.run_id)
        self.account = Account(self.report, self.raise_if_stopped)
        super().__init__(*args, catalog=normal_catalog(catalog), state=checked_state(state), **kwargs)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add singer-sdk's own settings, without `batch_config`: our files are made of columns, by `output: batch`."""
        PluginBase.append_builtin_config(config_jsonschema)

    @classmethod
    def invoke(cls, *, state: IO[str] | None = None, catalog: IO[str] | None = None, **kwargs: Any) -> None:
        """Run a sync; a broken catalog or state file is refused in one line before anything is connected to."""
        files = {"state": state, "catalog": catalog}
        checked: dict[str, Any] = {name: io.StringIO(checked_json(file, name)) for name, file in files.items() if file}
        super().invoke(**checked, **kwargs)

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """Return what every tap can do beside a sync; a tap adds its own."""
        from singerkit.checks.verbs import VERBS

        return {**super().verbs(), **VERBS}

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Check the source for `--test`, which singer-sdk answers by a sync of one row a stream."""
        from singer_sdk.tap_base import CliTestOptionValue

        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        from singerkit.checks.verbs import report_check
        from singerkit.verbs import given

        with guarded_stdout():
            code = report_check(given(ctx, cls))
        ctx.exit(code)

    def run_discovery(self) -> str:
        """Print what there is, and return the catalog: a table where a person reads it, else JSON."""
        if not sys.stdout.isatty():
            return super().run_discovery()
        from singerkit.show.streams import stream_table

        for line in stream_table(self.catalog_dict, shutil.get_terminal_size().columns):
            click.echo(line)
        return self.catalog_json_text

    @property
    def arrow_streams(self) -> list[ArrowStream]:
        """The streams, sorted by name, as what they are."""
        return cast("list[ArrowStream]", [*self.streams.values()])

    def setup_mapper(self) -> None:
        """Hand the streams' own schemas to the stream maps: those of a catalog have lost our words.

        The source is asked for its streams here, before a sync begins: where that fails, the report says so.
        """
        BaseSingerWriter.setup_mapper(self)
        with self._telling(only_failures=True):
            for stream in self.arrow_streams:
                self.mapper.register_raw_stream_schema(stream.name, stream.selected_schema, stream.primary_keys)

    def sync_all(self) -> None:  # type: ignore[misc]
        """Sync every selected stream; those that fail are named at the end, and the others are complete.

        Marked final in singer-sdk, which ends the run at the first failure and leaves the streams after it unread. An
        error that names its stream is that stream's; any other would meet them all and ends the run at once.
        """
        with self.report.listening(), self.account.shown(), self._telling(), contextlib.closing(self):
            self._reset_state_progress_markers()
            if self.state:
                self._state_writer.write_state(self.state)
            self._sync_selected()

    def _sync_selected(self) -> None:
        """Look at all streams before the first record of any, then sync one after the other."""
        streams = self.in_order([stream for stream in self.arrow_streams if stream.selected])
        warn = self.config.get("duplicate_keys") == "warn"
        guarded(streams, self.config.get("max_rows"), warn=warn, look=self.raise_if_stopped)
        self._sync_each([*self._absent_streams(), *(stream.name for stream in streams)])

    def in_order(self, streams: list[ArrowStream]) -> list[ArrowStream]:
        """Return the streams in the order of their sync: by name, unless a tap knows better."""
        return streams

    def close(self) -> None:
        """Let go of what a run held open; a tap that holds something says what."""

    def connection_checks(self) -> Iterable[Step]:
        """Return the steps that lead to the source, each resting on those before it; `check` takes them one by one."""
        return ()

    def _sync_each(self, names: Sequence[str]) -> None:
        failed = []
        for name in names:
            self.raise_if_stopped()
            try:
                self._sync(name)
            except SingerkitError as error:
                if "stream" not in error.where or len(names) == 1:
                    raise
                self.logger.error("%s", error)  # noqa: TRY400  # one line, by design
                failed.append(name)
        if failed:
            what = f"{len(failed)} of {len(names)} streams failed: {', '.join(failed)}"
            raise StreamsFailedError(what, remedy="the reasons are above; the others are complete")

    def _sync(self, name: str) -> None:
        if name not in self.streams:
            remedy = "it was dropped, renamed, or is hidden by the settings: refresh the catalog or deselect it"
            raise SettingsError("the source has no such stream", stream=name, remedy=remedy)
        self.streams[name].sync()

    def _absent_streams(self) -> list[str]:
        """Return the streams that the catalog selects and the source no longer has."""
        entries: Mapping[str, CatalogEntry] = self.input_catalog or {}
        return [name for name, entry in entries.items() if name not in self.streams and _is_selected(entry)]

    @contextlib.contextmanager
    def _telling(self, *, only_failures: bool = False) -> Iterator[None]:
        """Say at the end of the block what was done, and how it ended."""
        try:
            yield
        except BaseException as error:
            self._tell(outcome_of(error))
            raise
        if not only_failures:
            self._tell("good")

    def _tell(self, outcome: str) -> None:
        """Say what was done: in the log as a table, and in `report_file` as JSON."""
        for line in self.report.lines():
            self.logger.info("%s", line)
        if path := self.config.get("report_file"):
            self.report.write(path, outcome)


def checked_json(file: IO[str], what: str) -> str:
    """Return the text of a file that holds a JSON object, or say in one line why it does not."""
    try:
        text = file.read()
        content = json.loads(text)
    except (OSError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise SettingsError(f"{what} file is not valid JSON", path=file.name, line=line) from error
    if not isinstance(content, dict):
        raise SettingsError(f"{what} file must hold a JSON object", path=file.name)
    return text


def checked_state(state: Any) -> Any:
    """Return the state, or refuse one whose bookmarks are not an object a stream."""
    if isinstance(state, dict):
        bookmarks = state.get("bookmarks", {})
        if not isinstance(bookmarks, dict) or not all(isinstance(entry, dict) for entry in bookmarks.values()):
            raise SettingsError(
                "the state's bookmarks must be an object with one object a stream",
                remedy="see `meltano state get`, or start anew without a state",
            )
    return state


def normal_catalog(catalog: Any) -> Any:
    """Return the catalog with what singer-sdk reads past: `replication-method` and a view's keys in the metadata.

    A replication key that is set without a method asks for INCREMENTAL.
    """
    if not isinstance(catalog, dict):
        return catalog
    streams = catalog.get("streams")
    if not isinstance(streams, list) or not all(isinstance(s, dict) and "tap_stream_id" in s for s in streams):
        raise SettingsError("the catalog must hold a list of streams", remedy="make a new one with --discover")
    return catalog | {"streams": [_normal_entry(stream) for stream in streams]}


def _normal_entry(stream: dict[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for entry in stream.get("metadata", ()):
        if not entry.get("breadcrumb"):
            root |= entry.get("metadata", {})
    method, key = root.get("replication-method"), root.get("replication-key")
    if key and not method:
        method = "INCREMENTAL"
    given = {"replication_method": method, "replication_key": key}
    if not stream.get("key_properties"):
        given["key_properties"] = root.get("table-key-properties") or root.get("view-key-properties")
    return stream | {name: value for name, value in given.items() if value}


def _is_selected(entry: CatalogEntry) -> bool:
    return bool(entry.metadata.resolve_selection().get((), False))
