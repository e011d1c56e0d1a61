"""How batches of one stream leave a tap: as RECORD lines, as files, or row by row through singer-sdk's stream maps.

Takes conformed Arrow batches; gives messages on stdout, and counts the rows told, so that the caller knows which STATE
may follow.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from singerkit.arrow.lines import record_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa

STATE_EVERY_S = 5.0
"""At most so often a STATE goes between RECORD lines: each one makes a loader think of committing."""
FILE_S = 60.0
"""The rows of a slow source wait no longer for their file to be full."""
FEW_ROWS = 1_000
"""Fewer rows than that are sooner sent as lines than put into a file of their own."""
FIRST_FILE_S = 5.0
"""The first file comes early: `meltano config test` ends with it."""


class Output(Protocol):
    """Where the batches of one stream go: `rows` were taken, of which `told` have been named in messages.

    `bytes` have been written, to stdout or to files; singer-sdk's own lines are not counted.
    """

    rows: int
    told: int
    bytes: int
    state_every_s: float

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""

    def finish(self) -> None:
        """Tell what is still held back."""

    def abandon(self) -> None:
        """Drop what is held back: the run has failed."""


class Writer(Protocol):
    """What gathers batches into one file until it is finished; `rows` and `bytes` say how full it is."""

    rows: int
    bytes: int

    @property
    def file_format(self) -> str:
        """The format's name in a BATCH message."""

    def write(self, batch: Any) -> None:
        """Append a batch to the file that is being gathered."""

    def finish(self) -> str | None:
        """Close the file and return its address, or None where nothing was written."""

    def abandon(self) -> None:
        """Close and remove a file that no message will name."""


class Lines:
    """RECORD lines, rendered a column at a time and never held back."""

    state_every_s = STATE_EVERY_S

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.rows = self.told = self.bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the batch at once; the time of extraction is that of the batch."""
        self.bytes += write_blocks(record_lines(self.stream, batch, dt.datetime.now(dt.UTC)))
        self.rows = self.told = self.rows + batch.num_rows

    def finish(self) -> None:
        """Nothing is held back."""

    def abandon(self) -> None:
        """Nothing is held back."""


class LinesOrFiles(Lines):
    """RECORD lines where a batch has few rows, a file of its own where it has many; never held back.

    For batches of one stream that do not all have the same columns: `open_writer` makes a file for the schema of one.
    """

    def __init__(self, stream: str, open_writer: Callable[[pa.Schema], Writer]) -> None:
        super().__init__(stream)
        self.open_writer = open_writer

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the batch at once, and name its file in a BATCH message."""
        if batch.num_rows < FEW_ROWS:
            super().write(batch)
            return
        writer = self.open_writer(batch.schema)
        try:
            writer.write(batch)
            self.bytes += writer.bytes
            address = writer.finish()
        except BaseException:
            writer.abandon()
            raise
        if address:
            write_message(batch_message(self.stream, writer.file_format, address))
        self.rows = self.told = self.rows + batch.num_rows


class MappedRows(Lines):
    """Rows one by one through `emit`, which applies stream maps and flattening: exact, and as slow as singer-sdk is."""

    def __init__(self, stream: str, emit: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(stream)
        self.emit = emit

    def write(self, batch: pa.RecordBatch) -> None:
        """Emit each row as the very values that its RECORD line would hold."""
        for row in rows_of(self.stream, batch):
            self.emit(row)
        self.rows = self.told = self.rows + batch.num_rows


class Files:
    """Files named by BATCH messages; a file is closed when it is full by rows or bytes, or old."""

    state_every_s = 0.0  # a file is a large step already

    def __init__(
        self,
        stream: str,
        writer: Writer,
        *,
        full_rows: int,
        full_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream, self.writer = stream, writer
        self.full_rows, self.full_bytes = full_rows, full_bytes
        self.rows = self.told = self.bytes = 0
        self._clock, self._close_at_s = clock, clock() + FIRST_FILE_S

    def write(self, batch: Any) -> None:
        """Append to the file at hand; a batch that would overfill it by rows is cut."""
        while batch.num_rows:
            taken = batch.slice(0, self.full_rows - self.writer.rows)
            self.writer.write(taken)
            self.rows += taken.num_rows
            batch = batch.slice(taken.num_rows)
            if self._is_due():
                self.finish()
                self._close_at_s = self._clock() + FILE_S

    def finish(self) -> None:
        """Close the file at hand and name it in a BATCH message."""
        self.bytes += self.writer.bytes
        if address := self.writer.finish():
            write_message(batch_message(self.stream, self.writer.file_format, address))
        self.told = self.rows

    def abandon(self) -> None:
        """Remove the file at hand."""
        self.writer.abandon()

    def _is_due(self) -> bool:
        full = self.writer.rows >= self.full_rows or self.writer.bytes >= self.full_bytes
        return full or self._clock() >= self._close_at_s


def rows_of(stream: str, batch: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    """Yield each row as the JSON values of its RECORD line, decimals exact."""
    for block in record_lines(stream, batch, dt.datetime.now(dt.UTC)):
        for line in io.BytesIO(memoryview(block)):
            yield json.loads(line, parse_float=Decimal)["record"]


def batch_message(stream: str, file_format: str, address: str) -> dict[str, Any]:
    """Return the BATCH message of one file, which its reader deletes once it has committed the rows."""
    encoding = {"format": file_format, "compression": None}
    names = {"type": "BATCH", "stream": stream, "encoding": encoding, "manifest": [address]}
    return {**names, "x-delete-after-commit": True}


def write_message(message: Mapping[str, Any]) -> None:
    """Write one message as a line."""
    write_blocks([json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"])


def write_blocks(blocks: Iterable[Any]) -> int:
    """Write blocks of whole lines to stdout, after whatever singer-sdk has written there as text; return their size."""
    sys.stdout.flush()
    size = 0
    for block in blocks:
        sys.stdout.buffer.write(block)
        size += memoryview(block).nbytes
    sys.stdout.buffer.flush()
    return size
