"""What came of one stream since its last flush: lines, rows in memory, rows on the disk, and what STATE said meanwhile.

Takes lines and record batches; gives the lines back as one, and the tables of the rows once, in the order in which
they came.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_delta.buffer import Buffer
from target_delta.lines import Records
from target_delta.overflow import Overflow, Spilled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from target_delta.staging import Progress

READ_BYTES, READ_ROWS = 128 << 10, 100  # below either, a read costs more than its rows do
MOST_BYTES = 4 << 20  # of lines that wait, however few rows they are


@dataclass
class Batch:
    """Rows that are committed together, also those that have left memory."""

    received: int = 0
    """The number of the stream's last row in the run."""
    rows: int = 0
    bytes: int = 0
    """Of the rows that were read; what lines cost is in `held`."""
    since: float | None = None
    """When its first row came."""
    marks: list[tuple[Any, int]] = field(default_factory=list)
    """The bookmarks that came, each with the rows before it."""
    progress: list[Progress] = field(default_factory=list)
    consumed: list[Mapping[str, Any]] = field(default_factory=list)
    """BATCH messages that were read to their end."""
    buffer: Buffer = field(default_factory=Buffer)
    _lines: list[Records] = field(default_factory=list)
    """Lines that nobody has read yet, all newer than the rows."""
    unread: int = 0
    """Their bytes."""
    unread_rows: int = 0
    _spilled: list[Spilled] = field(default_factory=list)
    """Rows on the disk, all older than those in memory."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing came that a flush would make safe."""
        return self.since is None and not self.progress and not self.consumed

    @property
    def held(self) -> int:
        """The bytes that are in memory."""
        return self.buffer.bytes + self.unread

    def begin(self, bookmark: Any, now: float) -> None:
        """Note when the first row comes, and behind which bookmark."""
        self.since = now
        self.marks.append((bookmark, 0))

    def put(self, records: Records) -> None:
        """Keep lines until they are read."""
        self.rows += records.rows
        self.unread += len(records.lines)
        self.unread_rows += records.rows
        self._lines.append(records)

    @property
    def is_due(self) -> bool:
        """Whether so many lines wait that a read is worth its own cost, 0.02 ms a column before the first row."""
        return (self.unread >= READ_BYTES and self.unread_rows >= READ_ROWS) or self.unread >= MOST_BYTES

    def lines(self) -> Records | None:
        """Return the lines that were not read, for the rows that they become to be added; None where there are none."""
        if not self._lines:
            return None
        rows = self.unread_rows
        waiting, self._lines, self.unread, self.unread_rows = self._lines, [], 0, 0
        self.rows -= rows
        return Records(waiting[0].stream, b"".join(one.lines for one in waiting), rows)

    def add(self, rows: pa.RecordBatch) -> None:
        """Add rows, which follow all that were added; there are no lines before them any more."""
        self.rows += rows.num_rows
        self.bytes += rows.nbytes
        self.buffer.add(rows)

    def spill(self, overflow: Overflow) -> int:
        """Move the rows in memory to the disk, and return their bytes there; after an OSError they stay in memory."""
        rows = self.buffer.take()
        if rows is None:
            return 0
        try:
            self._spilled.append(overflow.put(rows))
        except OSError:
            for batch in rows.to_batches():
                self.buffer.add(batch)
            raise
        return self._spilled[-1].size

    def take(self) -> Iterator[pa.Table]:
        """Return the rows, piece by piece, and forget them; those on the disk are read when their turn comes."""
        rows = self.buffer.take()
        pieces: deque[Spilled | pa.Table] = deque(self._spilled if rows is None else [*self._spilled, rows])
        self._spilled = []
        return _in_order(pieces)


def _in_order(pieces: deque[Spilled | pa.Table]) -> Iterator[pa.Table]:
    while pieces:  # what was given is not held here
        piece = pieces.popleft()
        yield piece.read() if isinstance(piece, Spilled) else piece
