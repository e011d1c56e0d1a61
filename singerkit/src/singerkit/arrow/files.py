"""Arrow batches to files that a BATCH message names: Arrow IPC or Parquet, in a folder of this run alone.

Takes batches of one schema; gives the addresses of finished files. Refuses to leave a half-written file under a name
that anyone was told.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from singerkit.batch_folder import store_errors

if TYPE_CHECKING:
    from pathlib import Path

    from singerkit.batch_folder import BatchFolder

Format = Literal["arrow", "parquet"]


class BatchWriter:
    """Gathers batches into one file until the caller finishes it; `rows` and `bytes` say how full it is."""

    def __init__(self, folder: BatchFolder, schema: pa.Schema, file_format: Format) -> None:
        self.folder, self.schema, self.file_format = folder, schema, file_format
        self.rows = self.bytes = 0
        self._writer: Any = None
        self._path: Path | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch to the file that is being gathered."""
        with store_errors(self.folder.path):
            if self._writer is None:
                self._open()
            self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def finish(self) -> str | None:
        """Close the file and return its address, or None where nothing was written."""
        if self._writer is None or self._path is None:
            return None
        with store_errors(self.folder.path):
            self._writer.close()
        address, self._writer = self._path.as_uri(), None
        self.rows = self.bytes = 0
        return address

    def abandon(self) -> None:
        """Close and remove a file that no message will name."""
        if self._writer is not None and self._path is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._writer.close()
            self._path.unlink(missing_ok=True)
            self._writer = None

    def _open(self) -> None:
        self._path = self.folder.next_path(self.file_format)
        if self.file_format == "arrow":
            self._writer = pa.ipc.new_file(str(self._path), self.schema)
        else:
            import pyarrow.parquet as pq

            self._writer = pq.ParquetWriter(self._path, self.schema, compression="zstd", compression_level=1)
