"""What came of one stream since its last flush: rows in memory, rows on the disk, and what STATE said meanwhile.

Takes record batches; gives their tables once, in the order in which they came.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_delta.buffer import Buffer
from target_delta.overflow import Overflow, Spilled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from target_delta.staging import Progress


@dataclass
class Batch:
    """Rows that are committed together, also those that have left memory."""

    received: int = 0
    """The number of the stream's last row in the run."""
    rows: int = 0
    bytes: int = 0
    since: float | None = None
    """When its first row came."""
    marks: list[tuple[Any, int]] = field(default_factory=list)
    """The bookmarks that came, each with the rows before it."""
    progress: list[Progress] = field(default_factory=list)
    consumed: list[Mapping[str, Any]] = field(default_factory=list)
    """BATCH messages that were read to their end."""
    buffer: Buffer = field(default_factory=Buffer)
    _spilled: list[Spilled] = field(default_factory=list)
    """Rows on the disk, all older than those in memory."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing came that a flush would make safe."""
        return not (self.rows or self.progress or self.consumed)

    def add(self, rows: pa.RecordBatch, now: float) -> None:
        """Add rows."""
        self.rows += rows.num_rows
        self.bytes += rows.nbytes
        if self.since is None:
            self.since = now
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
