"""The rows of one stream that are in memory.

Takes record batches; gives one table. Pure.
"""

from __future__ import annotations

import pyarrow as pa

TOGETHER = 16  # small batches that are made one
SMALL = 4096  # bytes a column below which a batch is small
COLUMN_BYTES = 512  # measured: what a column of a batch costs beside its values


class Buffer:
    """Gathers the batches of one schema in the order in which they came.

    With 300 streams, or 1,000 columns, a block of input is a few rows a stream, and a batch costs several times what
    its values do. So small batches are made one, sixteen at a time, and sixteen of those again.
    """

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._levels: list[list[pa.RecordBatch]] = [[]]
        """Small batches, all newer than `_batches`; those of a level are newer than those of the next."""
        self.rows = 0
        self.bytes = 0
        """What the rows cost in memory."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if batch.num_rows:
            self.rows += batch.num_rows
            self.bytes += _cost(batch)
            self._levels[0].append(batch)
            self._gather(0)

    def take(self) -> pa.Table | None:
        """Return all rows and forget them, or None where nothing waits."""
        self._settle()
        if not self._batches:
            return None
        tables = [pa.Table.from_batches([batch]) for batch in self._batches]
        table = pa.concat_tables(tables, promote_options="default")  # some say what they omit, others omit nothing
        self._batches, self.rows, self.bytes = [], 0, 0
        return table

    def _gather(self, level: int) -> None:
        """Make the batches of a level one where they are small, else leave them as they are for good."""
        batches = self._levels[level]
        if batches[-1].nbytes >= SMALL * batches[-1].num_columns or batches[0].schema != batches[-1].schema:
            self._settle()
        elif len(batches) == TOGETHER:
            self._levels[level] = []
            if level + 1 == len(self._levels):
                self._levels.append([])
            one = pa.concat_batches(batches)
            self._levels[level + 1].append(one)
            self.bytes += _cost(one) - sum(map(_cost, batches))
            self._gather(level + 1)

    def _settle(self) -> None:
        for level in reversed(self._levels):
            self._batches += level
        self._levels = [[]]


def _cost(batch: pa.RecordBatch) -> int:
    size: int = batch.nbytes + COLUMN_BYTES * batch.num_columns
    return size
