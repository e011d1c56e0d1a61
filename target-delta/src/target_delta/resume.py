"""What a table holds already of what a tap sends again after a run that was cut short.

Takes the bookmark that the tap started from, and a snapshot; gives rows without the repeated ones. Where nothing can be
known it says so in one line and leaves nothing out: a row twice is better than a row lost.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from target_delta.history import LEFT, sent_after, unfinished
from target_delta.repeats import Repeats, mark
from target_delta.scan import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from target_delta.history import Entry
    from target_delta.schema import StreamSchema
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store

_LOGGER = logging.getLogger("target-delta")
MOST_ROWS = 4_000_000  # of an unfinished run that are compared: about 60 bytes of memory each


SORT = "x-sort"
_ORDERED = frozenset({"integer", "decimal", "double", "instant", "local", "date"})
"""What every source orders as Arrow does; texts have collations."""


def sorted_by(schema: StreamSchema) -> str | None:
    """Return the replication key in whose rising order the tap says that rows come, or None."""
    kinds = {column.name: column.kind for column in schema.columns}
    if schema.hints.get(SORT) != "asc" or len(schema.bookmarks) != 1:
        return None
    return schema.bookmarks[0] if kinds.get(schema.bookmarks[0]) in _ORDERED else None


class Resume:
    """Finds at the first rows of a run whether the run before was cut short, and leaves out what comes again."""

    def __init__(self, store: Store, stream: str, *, started_ms: int, sorted_by: str | None = None) -> None:
        self.store = store
        self.stream = stream
        self.started_ms = started_ms
        self.sorted_by = sorted_by
        """The column in whose rising order the tap says that rows come, or None."""
        self.is_due = False
        """Whether rows came, so that the table must learn how the run ends."""
        self._bookmark: Any = None
        self._repeats: Repeats | None = None
        self._looked = False

    def start(self, bookmark: Any) -> None:
        """Note the bookmark that stood before the first rows: where the tap started from. Later ones change nothing."""
        if not self.is_due:
            self.is_due, self._bookmark = True, bookmark

    def forget(self) -> None:
        """A full load has replaced the table: nothing is in it any more that could come again."""
        self._looked, self._repeats = True, None

    def are_new(self, rows: pa.Table, snapshot: Snapshot) -> NDArray[np.bool_] | None:
        """Return which rows the table has not got from a run that was cut short, or None for all of them."""
        if not self._looked:
            self._looked = True
            self._repeats = self._find(snapshot, rows)
        return None if self._repeats is None else self._repeats.are_new(rows)

    def _find(self, snapshot: Snapshot, first: pa.Table) -> Repeats | None:
        commits = unfinished(self.store, snapshot.version, before_ms=self.started_ms)
        if not commits:
            return None
        files, least, why = sent_after(mark(self._bookmark), commits), None, self._unknown(commits)
        if why and self.sorted_by in snapshot.schema.names:
            least = pc.min(first[self.sorted_by])  # what comes from here on comes again, wherever the tap began
            if least.is_valid:
                files, why = [(file, 0) for entry in commits for file in entry.adds], None
        if sum((file.rows or 0) - skipped for file, skipped in files) > MOST_ROWS:
            why = "it had written more rows than can be compared"
        if why:
            self._warn(why)
            return None
        if {file.path for file, _ in files} - {file.path for file in snapshot.files}:
            self._warn("files with some of its rows were rewritten since")
        repeats = Repeats([snapshot.schema.empty_table(), *self._rows(files, snapshot, least)])
        _LOGGER.info(
            "the last run was cut short; rows that come again are left out, stream=%s, rows=%d",
            self.stream,
            repeats.rows,
        )
        return repeats

    def _warn(self, why: str) -> None:
        _LOGGER.warning(
            "the last run was cut short, and rows that come again are added again: %s, stream=%s", why, self.stream
        )

    def _rows(
        self, files: Sequence[tuple[LiveFile, int]], snapshot: Snapshot, least: pa.Scalar | None
    ) -> Iterator[pa.Table]:
        """Yield the rows, one row group at a time; with a least value of the sorted column, those from there on."""
        live = {file.path for file in snapshot.files}
        for file, skipped in files:
            if file.path not in live:
                continue
            start = 0
            for rows in read(self.store, file, snapshot.schema):
                some = rows.slice(max(0, skipped - start))
                yield some if least is None else some.filter(pc.greater_equal(some[self.sorted_by], least))
                start += rows.num_rows

    def _unknown(self, commits: Sequence[Entry]) -> str | None:
        """Return why the STATE that this run starts from does not tell what is repeated, or None where it does."""
        known = {name for entry in commits for name, _ in entry.marks or ()}
        if mark(self._bookmark) not in known:
            return "the table does not know the STATE that this run starts from"
        if mark(self._bookmark) == mark(None) and any(entry.facts.get(LEFT) for entry in commits):
            return "a STATE had left, and this run starts without one"
        return None
