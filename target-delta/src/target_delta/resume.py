"""What a table holds already of what a tap sends again after a run that was cut short.

Takes the bookmark that the tap started from, and a snapshot; gives rows without the repeated ones. Where nothing can be
known it says so in one line and leaves nothing out: a row twice is better than a row lost.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from target_delta.history import LEFT, sent_after, unfinished
from target_delta.repeats import Repeats, mark
from target_delta.scan import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from target_delta.history import Entry
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store

_LOGGER = logging.getLogger("target-delta")
MOST_ROWS = 4_000_000  # of an unfinished run that are compared: about 60 bytes of memory each


class Resume:
    """Finds at the first rows of a run whether the run before was cut short, and leaves out what comes again."""

    def __init__(self, store: Store, stream: str, *, started_ms: int) -> None:
        self.store = store
        self.stream = stream
        self.started_ms = started_ms
        self.is_due = False
        """Whether rows came, so that the table must learn how the run ends."""
        self._bookmark: Any = None
        self._repeats: Repeats | None = None
        self._looked = False

    def start(self, bookmark: Any) -> None:
        """Note the bookmark that stood before the first rows: where the tap started from. Later ones change nothing."""
        if not self.is_due:
            self.is_due, self._bookmark = True, bookmark

    def are_new(self, rows: pa.Table, snapshot: Snapshot) -> NDArray[np.bool_] | None:
        """Return which rows the table has not got from a run that was cut short, or None for all of them."""
        if not self._looked:
            self._looked = True
            self._repeats = self._find(snapshot)
        return None if self._repeats is None else self._repeats.are_new(rows)

    def _find(self, snapshot: Snapshot) -> Repeats | None:
        commits = unfinished(self.store, snapshot.version, before_ms=self.started_ms)
        if not commits:
            return None
        files = sent_after(mark(self._bookmark), commits) or []
        if why := self._doubt(commits, files):
            _LOGGER.warning(
                "the last run was cut short, and rows that come again are added again: %s, stream=%s", why, self.stream
            )
            return None
        repeats = Repeats([snapshot.schema.empty_table(), *self._rows(files, snapshot)])
        _LOGGER.info(
            "the last run was cut short; rows that come again are left out, stream=%s, rows=%d",
            self.stream,
            repeats.rows,
        )
        return repeats

    def _rows(self, files: Sequence[tuple[LiveFile, int]], snapshot: Snapshot) -> Iterator[pa.Table]:
        """Yield the rows, one row group at a time, that are still in the table."""
        live = {file.path for file in snapshot.files}
        for file, skipped in files:
            if file.path not in live:
                continue
            start = 0
            for rows in read(self.store, file, snapshot.schema):
                yield rows.slice(max(0, skipped - start))
                start += rows.num_rows

    def _doubt(self, commits: Sequence[Entry], files: Sequence[tuple[LiveFile, int]]) -> str | None:
        """Return why the repeated rows cannot be told, or None where they can."""
        known = {name for entry in commits for name, _ in entry.marks or ()}
        if mark(self._bookmark) not in known:
            return "the table does not know the STATE that this run starts from"
        if mark(self._bookmark) == mark(None) and any(entry.facts.get(LEFT) for entry in commits):
            return "a STATE had left, and this run starts without one"
        if sum((file.rows or 0) - skipped for file, skipped in files) > MOST_ROWS:
            return "it had written more rows than can be compared"
        return None
