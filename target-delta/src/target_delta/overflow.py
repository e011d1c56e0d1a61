"""Rows that find no room in memory, on the disk until their batch is complete.

Takes tables; gives them back once. The files have no name: the system deletes them when the process ends, however it
ends, so there is nothing to clean after a kill. They lie in the folder for temporary files (TMPDIR).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

import pyarrow as pa

FILE_BYTES = 64 << 20  # at which the next file begins: a file's space is free once all its rows were read
_PACKED = pa.ipc.IpcWriteOptions(compression="lz4")  # a third of the bytes for a tenth of what parsing the rows cost


class Overflow:
    """The rows of all streams that wait on the disk."""

    def __init__(self) -> None:
        self.usable = True
        """Whether the disk took all that was put so far; after a failure batches are committed early instead."""
        self._file: _File | None = None

    def put(self, rows: pa.Table) -> Spilled:
        """Write rows to the disk. OSError where that cannot be done; nothing is kept then."""
        packed = pa.BufferOutputStream()
        with pa.ipc.new_stream(packed, rows.schema, options=_PACKED) as writer:
            writer.write_table(rows)
        content, self.usable = packed.getvalue(), False
        if self._file is None or self._file.size >= FILE_BYTES:
            self._file = _File()
        start = self._file.size
        self._file.append(memoryview(content))
        self.usable = True
        return Spilled(self._file, start, len(content))


@dataclass(frozen=True)
class Spilled:
    """A table on the disk."""

    file: _File
    start: int
    size: int

    def read(self) -> pa.Table:
        """Return the rows as they were put."""
        content = os.pread(self.file.descriptor, self.size, self.start)
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            return reader.read_all()


class _File:
    """A file without a name; its space is free once nobody holds it."""

    def __init__(self) -> None:
        self._open = tempfile.TemporaryFile(prefix="target-delta-", buffering=0)  # noqa: SIM115 - see __del__
        self.descriptor = self._open.fileno()
        self.size = 0

    def append(self, content: memoryview) -> None:
        """Write all of the content at the end."""
        while content:  # a disk that is almost full takes a part
            written = self._open.write(content)
            content = content[written:]
            self.size += written

    def __del__(self) -> None:
        if hasattr(self, "_open"):  # not where the folder took no file
            self._open.close()
