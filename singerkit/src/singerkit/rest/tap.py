"""The shell of every REST tap: settings that all share, one client for the run, a stream for each row.

Takes a source, its rows and a configuration; gives streams. Refuses rows that break their own rules. What reads is
imported when something is read: `--help` and `--about` need neither a client nor Arrow.
"""

from __future__ import annotations

import importlib.resources
import sys
import tempfile
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singerkit.rest.settings import RestSettings
from singerkit.settings.secrets import masked
from singerkit.tap import ArrowTap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable

    from singerkit.checks.run import Step
    from singerkit.rest.client import Client
    from singerkit.rest.endpoint import Endpoint, Source
    from singerkit.rest.files import LinesWriter
    from singerkit.rest.login import StoredLogin
    from singerkit.rest.parents import ParentRows
    from singerkit.rest.probe import Probe
    from singerkit.rest.reader import Run
    from singerkit.rest.stream import RestStream
    from singerkit.rest.unchanged import Unchanged
    from singerkit.stream import ArrowStream
    from singerkit.webhooks.drain import Drain
    from singerkit.webhooks.events import Hooks


_DELETED_AT = {"type": ["string", "null"], "format": "date-time", "description": "When a webhook said it was deleted."}


class RestTap(ArrowTap):
    """A tap whose streams are rows."""

    settings_class: ClassVar[type[RestSettings]] = RestSettings
    settings: RestSettings
    dynamic_catalog = False  # the rows are known without settings, so `--discover` needs none
    source_row: ClassVar[Source]
    endpoints: ClassVar[Sequence[Endpoint]]
    hooks: ClassVar[Hooks | None] = None
    """What the tap's vendor sends by webhooks, or None."""

    @cached_property
    def now(self) -> datetime:
        """The moment that this run takes for the present."""
        return datetime.now(UTC)

    @property
    def start_date(self) -> datetime | None:
        """Where streams in time begin, or None."""
        text = self.settings.start_date
        moment = datetime.fromisoformat(text) if text else None
        if moment is None or moment.tzinfo is None:
            return moment and moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC)  # a server's own format may have no place for an offset
        except OverflowError:  # the first or the last day of the calendar
            return moment.replace(tzinfo=UTC)

    @property
    def state_every_s(self) -> float:
        """Seconds between STATE messages at least."""
        return self.settings.state_interval_s

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """What fills the `{names}` of rows: the settings."""
        given = {one.name: getattr(self.settings, one.name) for one in fields(self.settings)}
        return {name: value for name, value in given.items() if value is not None}

    @cached_property
    def rows(self) -> Mapping[str, Endpoint]:
        """All rows by the name of their stream."""
        size = self.settings.page_size
        return {row.name: replace(row, pages=row.pages.at_most(size)) for row in self.endpoint_rows()}

    @property
    def redact(self) -> Callable[[str], str]:
        """Masks the secrets of this configuration in a text."""
        return masked

    @cached_property
    def source(self) -> Source:
        """The source with its settings filled in; what the settings say about patience and pace comes first."""
        from singerkit.rest.fill import filled

        row: Source = filled(self.plain_source(), self.values)
        chosen = self.settings
        patience = {"attempts": "max_attempts", "deadline_s": "retry_deadline_s", "base_s": "retry_base_s"}
        pace = {"concurrency": "concurrency", "rate_limit": "rate_limit"}
        said = {word: value for word, name in patience.items() if (value := getattr(chosen, name)) is not None}
        told = {word: value for word, name in pace.items() if (value := getattr(chosen, name)) is not None}
        return replace(row, policy=replace(row.policy, **said), **told)

    @cached_property
    def client(self) -> Client:
        """The client of this run."""
        return self.client_of(self.source, timeout_s=self.settings.request_timeout_s)

    def client_of(self, source: Source, *, timeout_s: float) -> Client:
        """Return a client that sends as the settings say, to a source that may be less patient than a run's."""
        from singerkit.connect import sockets
        from singerkit.rest.client import Client

        guard = sockets.guard(allow_private_hosts=self.settings.allow_private_hosts)
        return Client(source, redact=self.redact, guard=guard, timeout_s=timeout_s, unchanged=self.unchanged)

    def stored_login(self) -> StoredLogin:
        """Return the way to sign by the login that the settings have: what `auth login` has kept."""
        from singerkit.connect import sockets
        from singerkit.connect.logins import application, login_in
        from singerkit.rest.login import StoredLogin

        found = login_in(self.settings)
        if found is None:
            raise TypeError(f"{type(self.settings).__name__} has no login")
        guard = sockets.guard(allow_private_hosts=self.settings.allow_private_hosts)
        return StoredLogin(access=application(self.name, *found, guard).access())

    @cached_property
    def unchanged(self) -> Unchanged | None:
        """The answers that the server may call unchanged; a tap whose settings name a folder for them has it."""
        return None

    @cached_property
    def drain(self) -> Drain | None:
        """The deliveries of webhooks that are to become rows, where the tap takes any and the settings name a spool."""
        folder = getattr(self.settings, "webhook_spool", None)
        if self.hooks is None or folder is None:
            return None
        from singerkit.webhooks.drain import Drain
        from singerkit.webhooks.spool import Spool

        return Drain(Spool(folder), self.hooks)

    def sync_all(self) -> None:  # type: ignore[misc]  # see ArrowTap.sync_all
        """Forget the deliveries that the STATE covers, now that it has come back; then sync."""
        if self.drain is not None:
            reading = [
                one.name for one in self.arrow_streams if one.selected and one.replication_method == "INCREMENTAL"
            ]
            gone = self.drain.forget(self.state.get("bookmarks", {}), reading)
            self.logger.info("deliveries that the STATE covers are forgotten count=%d", gone)
        super().sync_all()

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

    def in_order(self, streams: list[ArrowStream]) -> list[ArrowStream]:
        """Return parents before their children, which then need not walk them again."""
        return sorted(streams, key=lambda stream: (self._depth(stream.name), stream.name))

    def _depth(self, name: str) -> int:
        return 1 + max((self._depth(parent.stream) for parent in self.rows[name].parents), default=0)

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
            max_rows=self.settings.max_rows,
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
        size = self.settings.page_size
        check.check_rows(self.plain_source(), self.endpoint_rows(), self.known_names(), schemas, size)
        for name in self.hooks.streams() & schemas.keys() if self.drain and self.hooks else ():
            schemas[name]["properties"] |= {"_sdc_deleted_at": _DELETED_AT}
        return [RestStream(self, row, schemas[name]) for name, row in self.rows.items()]

    def lines_writer(self, stream: str) -> LinesWriter:
        """Return the writer of a stream's batch files, in a folder of this run."""
        import time

        from singerkit.batch_folder import BatchFolder
        from singerkit.rest.files import LinesWriter

        root = self.settings.batch_dir or Path(tempfile.gettempdir()) / "singer-batches"
        folder = BatchFolder(root, stream, self.run_id, self.raise_if_stopped)
        folder.remove_stale(time.time())
        return LinesWriter(folder)
