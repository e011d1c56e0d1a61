"""The shell of every REST tap: settings that all share, one client for the run, a stream for each row.

Takes a source, its rows and a configuration; gives streams. Refuses rows that break their own rules. What reads is
imported when something is read: `--help` and `--about` need neither a client nor Arrow.
"""

from __future__ import annotations

import importlib.resources
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singerkit.settings.fields import Setting
from singerkit.settings.secrets import redact, secret_values
from singerkit.tap import ArrowTap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable

    import pyarrow as pa

    from singerkit.arrow.files import BatchWriter
    from singerkit.checks.run import Step
    from singerkit.rest.client import Client
    from singerkit.rest.endpoint import Endpoint, Source
    from singerkit.rest.parents import ParentRows
    from singerkit.rest.probe import Probe
    from singerkit.rest.reader import Run
    from singerkit.rest.stream import RestStream

_AT_LEAST_ONE: Mapping[str, Any] = {"minimum": 1}

SETTINGS: tuple[Setting, ...] = (
    Setting("start_date", "date", "Start date", "Without a bookmark, streams that have one in time begin here."),
    Setting(
        "output",
        "options",
        "Output",
        "records: RECORD lines, for any target. batch: files named by BATCH messages, for a target that reads them.",
        "records",
        options=("records", "batch"),
    ),
    Setting("batch_dir", "string", "Batch folder", "Where batch files are written. Unset: the temporary folder."),
    Setting("batch_size_rows", "integer", "Batch rows", "Rows of a batch file.", 100_000, schema=_AT_LEAST_ONE),
    Setting("batch_size_bytes", "integer", "Batch bytes", "Bytes of a batch file.", 128 << 20, schema=_AT_LEAST_ONE),
    Setting(
        "max_rows", "integer", "Row limit", "Rows of each stream at most; the next run goes on.", schema=_AT_LEAST_ONE
    ),
    Setting(
        "page_size",
        "integer",
        "Page size",
        "Records of a page at most. Unset: as each stream's row says. Above a vendor's maximum: refused.",
        schema=_AT_LEAST_ONE,
    ),
    Setting(
        "concurrency",
        "integer",
        "Concurrency",
        "Requests under way at once at most. Unset: as the source's row says, 4 where it says nothing.",
        schema={"minimum": 1, "maximum": 64},
    ),
    Setting(
        "rate_limit",
        "number",
        "Rate limit",
        "Requests a second at most. Unset: as the source's row says.",
        schema={"exclusiveMinimum": 0},
    ),
    Setting(
        "request_timeout_s", "number", "Request timeout", "Seconds to wait for an answer.", 60, schema=_AT_LEAST_ONE
    ),
    Setting(
        "max_attempts",
        "integer",
        "Attempts",
        "How often a request is sent at most. Unset: as the source's row says, 8 where it says nothing.",
        schema=_AT_LEAST_ONE,
    ),
    Setting(
        "retry_deadline_s",
        "number",
        "Retry deadline",
        "Seconds that one request may take with its repeats. Unset: as the source's row says, 900 by default.",
    ),
    Setting(
        "retry_base_s",
        "number",
        "First wait",
        "Seconds before the first repeat; it doubles each time. Unset: as the source's row says, 1 by default.",
    ),
    Setting(
        "state_interval_s",
        "number",
        "STATE interval",
        "Seconds between STATE messages at least.",
        5,
        schema={"minimum": 0},
    ),
    Setting(
        "allow_private_hosts",
        "boolean",
        "Private hosts",
        "Whether hosts of private networks may be reached.",
        default=False,
    ),
    Setting("report_file", "string", "Report file", "Where the run's report is written, as JSON."),
)
"""Settings that all REST taps share; a tap adds its own."""


class RestTap(ArrowTap):
    """A tap whose streams are rows."""

    dynamic_catalog = False  # the rows are known without settings, so `--discover` needs none
    source_row: ClassVar[Source]
    endpoints: ClassVar[Sequence[Endpoint]]

    @cached_property
    def now(self) -> datetime:
        """The moment that this run takes for the present."""
        return datetime.now(UTC)

    @property
    def start_date(self) -> datetime | None:
        """Where streams in time begin, or None."""
        text = self.config.get("start_date")
        moment = datetime.fromisoformat(text) if text else None
        return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def state_every_s(self) -> float:
        """Seconds between STATE messages at least."""
        return float(self.config["state_interval_s"])

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """What fills the `{names}` of rows: the settings."""
        return dict(self.config)

    @cached_property
    def rows(self) -> Mapping[str, Endpoint]:
        """All rows by the name of their stream."""
        size = self.config.get("page_size")
        return {row.name: replace(row, pages=row.pages.at_most(size)) for row in self.endpoint_rows()}

    @cached_property
    def redact(self) -> Callable[[str], str]:
        """Masks the secrets of this configuration in a text."""
        secrets = secret_values(dict(self.config), self.config_jsonschema)
        return lambda text: redact(text, secrets)

    @cached_property
    def source(self) -> Source:
        """The source with its settings filled in; what the settings say about patience and pace comes first."""
        from singerkit.rest.fill import filled

        row: Source = filled(self.plain_source(), self.values)
        config = self.config
        patience = {"attempts": "max_attempts", "deadline_s": "retry_deadline_s", "base_s": "retry_base_s"}
        pace = {"concurrency": "concurrency", "rate_limit": "rate_limit"}
        said = {word: config[name] for word, name in patience.items() if config.get(name) is not None}
        told = {word: config[name] for word, name in pace.items() if config.get(name) is not None}
        return replace(row, policy=replace(row.policy, **said), **told)

    @cached_property
    def client(self) -> Client:
        """The client of this run."""
        return self.client_of(self.source, timeout_s=self.config["request_timeout_s"])

    def client_of(self, source: Source, *, timeout_s: float) -> Client:
        """Return a client that sends as the settings say, to a source that may be less patient than a run's."""
        from singerkit.connect import sockets
        from singerkit.rest.client import Client

        guard = sockets.guard(allow_private_hosts=self.config["allow_private_hosts"])
        return Client(source, redact=self.redact, guard=guard, timeout_s=timeout_s)

    @cached_property
    def lookout(self) -> Probe:
        """What looks at streams before a sync."""
        from singerkit.rest.probe import Probe

        return Probe(self)

    def connection_checks(self) -> Iterable[Step]:
        """Return the steps to the server; streams are asked for as many at once as its row allows."""
        self.checks_at_once = self.source.concurrency
        return self.lookout.steps()

    @cached_property
    def parents(self) -> ParentRows:
        """Parents' rows, for every child of the run."""
        from singerkit.rest.parents import ParentRows

        return ParentRows(self.source.parents_kept)

    def run_of(self, client: Client) -> Run:
        """Return what this run gives to a stream that sends by this client."""
        from singerkit.rest.reader import Run

        return Run(
            client=client,
            source=self.source,
            rows=self.rows,
            values=self.values,
            now=self.now,
            parents=self.parents,
            start_date=self.start_date,
            max_rows=self.config.get("max_rows"),
        )

    def plain_source(self) -> Source:
        """Return the source as its row says; a tap whose source comes from settings answers from them."""
        return self.source_row

    def endpoint_rows(self) -> Sequence[Endpoint]:
        """Return the rows; a tap whose rows come from settings answers from them."""
        return self.endpoints

    def known_names(self) -> Collection[str]:
        """Return the names that rows may ask for: the settings."""
        names: Collection[str] = self.config_jsonschema["properties"]
        return names

    def schema_folder(self) -> Traversable | None:
        """Return the folder that schema files are below: the tap's own package, or None for a tap without one."""
        package = type(self).__module__.partition(".")[0]
        return importlib.resources.files(package) if hasattr(sys.modules[package], "__path__") else None

    def discover_streams(self) -> Sequence[RestStream]:
        """Return a stream for each row; wrong rows are refused all at once."""
        from singerkit.rest import check, schema
        from singerkit.rest.stream import RestStream

        schemas = schema.schemas(self.rows, self.schema_folder())
        size = self.config.get("page_size")
        check.check_rows(self.plain_source(), self.endpoint_rows(), self.known_names(), schemas, size)
        return [RestStream(self, row, schemas[name]) for name, row in self.rows.items()]

    def batch_writer(self, stream: str, columns: pa.Schema) -> BatchWriter:
        """Return the writer of a stream's batch files, in a folder of this run."""
        import time

        from singerkit.arrow.files import BatchFolder, BatchWriter

        root = Path(self.config.get("batch_dir") or Path(tempfile.gettempdir()) / "singer-batches")
        folder = BatchFolder(root, stream, self.run_id)
        folder.remove_stale(time.time())
        return BatchWriter(folder, columns, "arrow")
