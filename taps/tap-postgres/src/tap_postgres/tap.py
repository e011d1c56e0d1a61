"""The tap: settings to connection to tables to streams."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from singerkit.connect.routed import Routed
from singerkit.errors import SingerkitError, StreamsFailedError
from singerkit.tap import ArrowTap
from tap_postgres.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import click

    from singerkit.checks.run import Step
    from tap_postgres.connect import BulkReader
    from tap_postgres.look import Lookout
    from tap_postgres.stream import PostgresStream


class TapPostgres(Routed, ArrowTap):
    """Reads tables and views of one PostgreSQL database."""

    name = "tap-postgres"
    package_name = "tap-postgres"
    settings_class = Settings
    settings: Settings

    @cached_property
    def bulk(self) -> BulkReader:
        """The connection that all streams read their rows from."""
        from tap_postgres.connect import BulkReader

        return BulkReader(self.settings, self.route)

    def discover_streams(self) -> Sequence[PostgresStream]:
        """Return a stream for every table that the settings let through."""
        from tap_postgres.connect import catalog_connection
        from tap_postgres.discover import discover
        from tap_postgres.stream import PostgresStream

        with catalog_connection(self.settings, self.open_route()) as connection:
            tables = discover(connection, self.settings)
        return [PostgresStream(self, table, self.settings, self.bulk) for table in tables]

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """Return what can be done beside a sync."""
        from tap_postgres.cdc.verbs import VERBS

        return {**super().verbs(), **VERBS}

    def _sync_each(self, names: Sequence[str]) -> None:
        """Sync the streams; those whose changes are captured share one pass over the log, after the others."""
        chosen = [cast("PostgresStream", self.streams[name]) for name in names if name in self.streams]
        captured = [stream for stream in chosen if stream.is_captured]
        others = [name for name in names if name not in {stream.name for stream in captured}]
        failed: SingerkitError | None = None
        try:
            super()._sync_each(others)
        except SingerkitError as error:
            if not isinstance(error, StreamsFailedError) and "stream" not in error.where:
                raise
            failed = error
        if captured:
            from tap_postgres.cdc.capture import Capture

            Capture(self, captured).run()
        if failed is not None:
            raise failed

    @cached_property
    def lookout(self) -> Lookout:
        """What looks at the server before a sync."""
        from tap_postgres.look import Lookout

        return Lookout(self.settings, self.route)

    def connection_checks(self) -> Iterable[Step]:
        """Return the steps to the server."""
        return self.lookout.steps()

    def close(self) -> None:
        """Close the connections, and the tunnel."""
        self.bulk.close()
        self.lookout.close()
        self.close_route()
