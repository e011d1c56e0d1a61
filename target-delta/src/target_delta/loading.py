"""How the rows of one stream reach its table, by the settings and its SCHEMA.

Takes a run and a stream's store; gives loaders. Refuses a method that needs keys for a stream without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from singerkit.errors import SettingsError
from target_delta.files import layout
from target_delta.full_load import Stager
from target_delta.loaders import Appender, Loader, Upserter
from target_delta.stale import Stale
from target_delta.versions import version_keys

if TYPE_CHECKING:
    import pyarrow as pa

    from target_delta.commit import Committer
    from target_delta.files import Layout
    from target_delta.past import Past
    from target_delta.resume import Resume
    from target_delta.run import Run
    from target_delta.schema import StreamSchema
    from target_delta.settings import LoadMethod
    from target_delta.staging import Staging


@dataclass(frozen=True)
class Loading:
    """Makes the loaders of one stream."""

    run: Run
    committer: Committer
    method: LoadMethod
    resume: Resume | None
    """What leaves out rows that the table has from a run that was cut short."""

    @property
    def overwrites(self) -> bool:
        """Whether the rows of the run replace the table even if no ACTIVATE_VERSION says so."""
        return self.method in {"overwrite", "overwrite-stale"}

    def into_table(self, schema: StreamSchema, columns: pa.Schema, past: Past | None = None) -> Loader:
        """Return what takes rows of these columns into the table itself, and notes them for its history."""
        if self.method != "upsert":
            return Appender(self.committer, columns, layout(self.run.settings), self.resume)
        self._refuse_no_keys(schema)
        hard = self.run.settings.hard_delete
        versions = version_keys(schema) if past is None else past.order
        return Upserter(self.committer, columns, schema.keys, layout(self.run.settings), hard, versions, past)

    def aside(self, schema: StreamSchema, columns: pa.Schema, staging: Staging, *, whole: bool) -> Stager:
        """Return what stages rows of a full load; `whole` where every row of it comes this way."""
        how, hard = layout(self.run.settings), self.run.settings.hard_delete
        seen = self.committer.table.snapshot()
        columns = self.committer.contract.of_load(seen.schema if seen else None, columns)
        stale = self._stale(schema, how) if self.method == "overwrite-stale" else None
        return Stager(self.committer, columns, schema.keys, how, staging, whole, hard, stale)

    def _stale(self, schema: StreamSchema, how: Layout) -> Stale:
        self._refuse_no_keys(schema)
        chosen, store, alive = self.run.settings, self.committer.table.store, self.run.worker.alive
        threshold, hard = chosen.stale_threshold, chosen.hard_delete
        return Stale(store, schema.stream, schema.keys, how, alive, threshold, hard, self.run.started)

    def _refuse_no_keys(self, schema: StreamSchema) -> None:
        if not schema.keys:
            raise SettingsError(
                f"load_method is {self.method} for a stream that has no keys",
                remedy="give it append-only by its name: load_method: {<stream>: append-only}",
                stream=schema.stream,
            )
