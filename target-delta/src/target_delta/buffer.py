"""The rows of one stream that are in memory.

Takes record batches; gives one table. Pure.
"""

from __future__ import annotations

import pyarrow as pa


class Buffer:
    """Gathers the batches of one schema in the order in which they came."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.rows = 0
        self.bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if batch.num_rows:
            self._batches.append(batch)
            self.rows += batch.num_rows
            self.bytes += batch.nbytes

    def take(self) -> pa.Table | None:
        """Return all rows and forget them, or None where nothing waits."""
        if not self._batches:
            return None
        tables = [pa.Table.from_batches([batch]) for batch in self._batches]
        table = pa.concat_tables(tables, promote_options="default")  # some say what they omit, others omit nothing
        self._batches, self.rows, self.bytes = [], 0, 0
        return table
