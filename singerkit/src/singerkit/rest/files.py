"""Rows of JSON values to files that a BATCH message names: one JSON object a line, as in a RECORD.

Takes rows; gives the addresses of finished files. Refuses to leave a half-written file under a name that anyone was
told. JSON Lines, not Arrow: a value leaves with its own digits, and every target that reads batches knows the format.
"""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Literal

from singerkit.batch_folder import store_errors
from singerkit.rest.output import ENCODER

if TYPE_CHECKING:
    from pathlib import Path

    from singerkit.batch_folder import BatchFolder
    from singerkit.rest.output import Rows


class LinesWriter:
    """Gathers rows into one file until the caller finishes it; `rows` and `bytes` say how full it is."""

    file_format: Literal["jsonl"] = "jsonl"

    def __init__(self, folder: BatchFolder) -> None:
        self.folder = folder
        self.rows = self.bytes = 0
        self._file: IO[bytes] | None = None
        self._path: Path | None = None

    def write(self, batch: Rows) -> None:
        """Append rows to the file that is being gathered."""
        lines = ENCODER.encode_lines(batch.values)
        with store_errors(self.folder.path):
            if self._file is None:
                self._path = self.folder.next_path(self.file_format)
                self._file = self._path.open("wb")
            self._file.write(lines)
        self.rows += batch.num_rows
        self.bytes += len(lines)

    def finish(self) -> str | None:
        """Close the file and return its address, or None where nothing was written."""
        if self._file is None or self._path is None:
            return None
        with store_errors(self.folder.path):
            self._file.close()
        address, self._file = self._path.as_uri(), None
        self.rows = self.bytes = 0
        return address

    def abandon(self) -> None:
        """Close and remove a file that no message will name."""
        if self._file is not None and self._path is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._path.unlink(missing_ok=True)
            self._file = None
