"""How the rows of a stream reach its table: appended, upserted by key, or staged until a full load is complete.

Takes tables of one schema; gives what became of them. Runs beside the reading of input, one call at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from singerkit.errors import SafetyStopError
from target_delta import foreign
from target_delta.collisions import in_table
from target_delta.history import LEFT, MARKS
from target_delta.marks import Places
from target_delta.metadata import DELETED_AT
from target_delta.omitted import folded, with_texts
from target_delta.partition import COLUMN
from target_delta.parts import PartitionedWriter, parts
from target_delta.plan import Change, Upsert
from target_delta.repeats import mark
from target_delta.schema import conform
from target_delta.versions import by_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_delta.commit import Committer
    from target_delta.files import Layout
    from target_delta.omitted import Masks
    from target_delta.past import Past
    from target_delta.resume import Resume
    from target_delta.snapshot import Snapshot
    from target_delta.staging import Progress

NOTHING = Change(())


@dataclass(frozen=True)
class SoFar:
    """What STATE says of the stream at the end of a batch: its bookmark, and how far its full load has come."""

    bookmark: Any = None
    progress: Sequence[Progress] = ()
    marks: Sequence[tuple[Any, int]] = ()
    """The bookmarks that came within the batch, each with the rows of the batch before it; the first at 0."""
    left: bool = False
    """Whether a STATE that names the stream has left the loader."""


class Loader(Protocol):
    """What takes the rows of a stream."""

    streams: bool
    """Whether rows may leave memory before the batch is complete."""

    def write(self, rows: pa.Table) -> None:
        """Take rows; nobody sees them yet."""

    def settle(self, so_far: SoFar) -> Change:
        """Make everything written so far safe, and return what it changed in the table."""

    def abandon(self) -> None:
        """Delete what was written and not settled."""


@dataclass
class Appender:
    """Adds rows as they come; their files are written while the next rows are read."""

    committer: Committer
    schema: pa.Schema
    layout: Layout
    resume: Resume | None = None
    """What leaves out rows that the table has from a run that was cut short."""
    streams = True
    _writer: PartitionedWriter | None = None
    _foreign: list[pa.Table] = field(default_factory=list)
    """Rows of a table that delta-rs itself must write; they wait in memory for their batch."""

    def write(self, rows: pa.Table) -> None:
        """Write rows to files that no log names yet, with the columns that the table has or gets."""
        if self._foreign:
            self._foreign.append(rows)
            return
        if self._writer is None:
            seen = self.committer.ready(self.schema)
            if seen.is_foreign:
                self._foreign.append(rows)
                return
            store = self.committer.table.store
            self._writer = PartitionedWriter(store, seen.schema, seen.partition_by, (), self.layout)
            self._seen, self._places = seen, Places(seen.partition_by)
        self._writer.write(self._fresh(fitted(rows, self._seen)))

    def settle(self, so_far: SoFar) -> Change:
        """Commit the files that were written."""
        if self._foreign:
            rows, self._foreign = pa.concat_tables(self._foreign), []
            return self.committer.delegate(
                self.schema,
                lambda seen, how: foreign.append(_ungenerated(rows, seen), seen, how),
                bookmark=so_far.bookmark,
            ).change
        if self._writer is None:
            return NOTHING
        files = self._writer.finish()
        inserted, partitioning = sum(file.rows for file in files), self._seen.partitioning
        change = Change(files, reusable=True, inserted=inserted, partitioning=partitioning)
        self.committer.commit(self.schema, lambda _: change, bookmark=so_far.bookmark, said=self._said(so_far))
        self._writer = None
        return change

    def _fresh(self, rows: pa.Table) -> pa.Table:
        """Return the rows that do not come again, and note where all of them stand."""
        if self.resume is None:
            return rows
        new = self.resume.are_new(rows, self._seen)
        fresh = rows if new is None else rows.filter(pa.array(new))
        kept = None if new is None else np.flatnonzero(new)
        self._places.add(parts(fresh, self._seen.partition_by), rows.num_rows, kept)
        return fresh

    def _said(self, so_far: SoFar) -> dict[str, Any]:
        """Return where the bookmarks stand in this commit."""
        if self.resume is None:
            return {}
        marks = [(mark(bookmark), rows) for bookmark, rows in so_far.marks]
        return {MARKS: self._places.counted(marks), LEFT: so_far.left}

    def abandon(self) -> None:
        """Delete the files that were not committed."""
        self._foreign = []
        if self._writer is not None:
            self._writer.abandon()


@dataclass
class Upserter:
    """Replaces rows by key; the last one of a key wins."""

    committer: Committer
    schema: pa.Schema
    keys: Sequence[str]
    layout: Layout
    hard_delete: bool = False
    """Whether a row that comes with `_sdc_deleted_at` takes its key out of the table."""
    versions: Sequence[str] = ()
    """The columns by which the last write of a key is known; without them it is the one that came last."""
    past: Past | None = None
    """The history of the table, which is told of every row."""
    streams = False

    def __post_init__(self) -> None:
        self._rows: list[pa.Table] = []

    def write(self, rows: pa.Table) -> None:
        """Keep rows until the batch is complete."""
        self._rows.append(rows)

    def settle(self, so_far: SoFar) -> Change:
        """Commit the last row of every key."""
        if not self._rows:
            return NOTHING
        waiting = by_version(pa.concat_tables(self._rows, promote_options="default"), self.versions)
        rows, omitted = folded(waiting, self.keys)
        self._rows = []
        if self.past is not None:
            self.past.note(waiting)
        if self.committer.ready(self.schema).is_foreign:
            refuse_omitted(omitted, self.committer.table.stream)
            self._refuse_special(rows)
            return self.committer.delegate(
                self.schema,
                lambda seen, how: foreign.merge(_ungenerated(rows, seen), self.keys, seen, how),
                bookmark=so_far.bookmark,
            ).change
        return self.committer.commit(
            self.schema, lambda seen: self._plan(rows, omitted, seen), bookmark=so_far.bookmark
        ).change

    def abandon(self) -> None:
        """Forget the rows."""
        self._rows = []

    def _plan(self, rows: pa.Table, omitted: Masks, snapshot: Snapshot) -> Change:
        store, alive = self.committer.table.store, self.committer.alive
        names = dict(zip(rows.column_names, named_as(rows, snapshot.schema).column_names, strict=True))
        rows = fitted(rows, snapshot)
        omitted = with_texts({names[name]: mask for name, mask in omitted.items()}, rows.column_names)
        immutable = self.committer.table.wanted.holds_still(snapshot.partitioning)
        gone = self._gone(rows)
        upsert = Upsert(store, rows, self.keys, self.layout, alive, omitted, gone, self.versions, immutable)
        return upsert.plan(snapshot)

    def _gone(self, rows: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows take their key out of the table, or None where none does."""
        if not self.hard_delete or DELETED_AT not in rows.column_names:
            return None
        return None if rows[DELETED_AT].null_count == rows.num_rows else rows[DELETED_AT].is_valid()

    def _refuse_special(self, rows: pa.Table) -> None:
        if self.versions or self._gone(rows) is not None:
            raise SafetyStopError(
                "delta-rs itself writes this table, and knows neither hard_delete nor x-version-keys",
                remedy="load the stream into a table without change feed, constraints and generated columns",
                stream=self.committer.table.stream,
            )


class Skipper:
    """Takes rows that the table has already: a full load without keys, sent again after it was swapped in."""

    streams = True

    def write(self, rows: pa.Table) -> None:
        """Leave the rows out."""

    def settle(self, so_far: SoFar) -> Change:  # noqa: ARG002  # a loader's signature
        """Change nothing."""
        return NOTHING

    def abandon(self) -> None:
        """There is nothing to delete."""


def refuse_omitted(omitted: Masks, stream: str) -> None:
    """Stop where delta-rs itself would write NULL in the place of a stored value."""
    if omitted:
        raise SafetyStopError(
            "rows omit columns whose stored value stays, which a table with such features cannot take",
            remedy="load the stream into a table without change feed, constraints and generated columns",
            stream=stream,
            columns=" ".join(omitted),
        )


def fitted(rows: pa.Table, table: Snapshot) -> pa.Table:
    """Return rows with exactly the columns of a table, its partition among them; no value changes on the way."""
    rows = named_as(rows, table.schema)
    if table.partitioning.is_derived:
        refuse_own_partition(rows.schema)
    elif rows.schema.equals(table.schema):
        return rows
    conformed = [conform(batch, table.schema) for batch in rows.to_batches()]
    return table.partitioning.place(pa.Table.from_batches(conformed, schema=table.schema))


def _ungenerated(rows: pa.Table, table: Snapshot) -> pa.Table:
    """Return fitted rows without the generated columns that they do not bring: delta-rs makes those itself."""
    return fitted(rows, table).drop_columns([name for name in table.generated if name not in rows.column_names])


def named_as(rows: pa.Table, table: pa.Schema) -> pa.Table:
    """Return rows whose columns have the names that they have in a table."""
    if set(rows.column_names) <= set(table.names) and not any(field.metadata for field in rows.schema):
        return rows
    return rows.rename_columns(in_table(rows.schema, table).names)


def refuse_own_partition(schema: pa.Schema) -> None:
    """Stop where a SCHEMA fills the column in which a table keeps its partitions."""
    if COLUMN in schema.names:
        raise SafetyStopError(
            f"the SCHEMA has a column {COLUMN}, in which the table keeps its partitions",
            remedy="rename or remove it (stream_maps can do it)",
        )
