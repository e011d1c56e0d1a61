"""Arrow batches to files that a BATCH message names: Arrow IPC or Parquet, in a folder of this run alone.

Takes batches of one schema; gives the addresses of finished files. Refuses to leave a half-written file under a name
that anyone was told. The reader deletes what it has committed; what dead runs left is removed after a day.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pyarrow as pa

from singerkit.errors import StoreError
from singerkit.runs import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Format = Literal["arrow", "parquet"]
STALE_AFTER_S = 86_400  # a reader that has not come for a file in a day will not come


class BatchFolder:
    """The folder of one stream in one run: `<root>/<stream>/<run>`, made with the first file."""

    def __init__(self, root: Path, stream: str, run: str) -> None:
        self.parent = root.absolute() / quote(stream, safe=" ")
        self.path = self.parent / run
        self.count = 0

    def next_path(self, suffix: str) -> Path:
        """Return a path that no file has had in this run."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(error, self.path) from error
        self.count += 1
        return self.path / f"{self.count:05}.{suffix}"

    def remove_stale(self, now_s: float) -> None:
        """Remove the folders of runs that are dead and a day old; one that cannot be removed is left."""
        if not self.parent.is_dir():
            return
        for folder in self.parent.iterdir():
            if now_s - folder.stat().st_mtime > STALE_AFTER_S and not is_alive(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


class BatchWriter:
    """Gathers batches into one file until the caller finishes it; `rows` and `bytes` say how full it is."""

    def __init__(self, folder: BatchFolder, schema: pa.Schema, file_format: Format) -> None:
        self.folder, self.schema, self.file_format = folder, schema, file_format
        self.rows = self.bytes = 0
        self._writer: Any = None
        self._path: Path | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch to the file that is being gathered."""
        with self._store_errors():
            if self._writer is None:
                self._open()
            self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def finish(self) -> str | None:
        """Close the file and return its address, or None where nothing was written."""
        if self._writer is None or self._path is None:
            return None
        with self._store_errors():
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

    @contextlib.contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unwritable(error, self.folder.path) from error


def _unwritable(error: OSError, path: Path) -> StoreError:
    reason = error.strerror or str(error)
    return StoreError(
        f"batch files cannot be written: {reason}", path=path, remedy="free the disk or set batch_dir elsewhere"
    )
