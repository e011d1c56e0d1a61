"""Where the rows of a stream go in this run: RECORD lines, or files that BATCH messages name.

Takes the settings; gives outputs. All files of a stream lie in one folder a run, whoever writes them: no name comes
twice, also where a table is read again while the loader has yet to come for the files of the first time.
"""

from __future__ import annotations

import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from singerkit.arrow.files import BatchWriter
from singerkit.batch_folder import BatchFolder
from singerkit.output import Files, Lines, LinesOrFiles

if TYPE_CHECKING:
    import pyarrow as pa

    from singerkit.output import Output
    from singerkit.tap import ArrowTap
    from tap_postgres.settings import Settings


class Outlet:
    """The outputs of one stream in one run."""

    def __init__(self, stream: str, tap: ArrowTap, settings: Settings) -> None:
        self.stream, self._tap, self._settings = stream, tap, settings

    def of_rows(self, schema: pa.Schema) -> Output:
        """Return what takes the rows of a SELECT, which all have this schema."""
        if self._settings.output == "records":
            return Lines(self.stream)
        full_rows, full_bytes = self._settings.batch_size_rows, self._settings.batch_size_bytes
        return Files(self.stream, self._writer(schema), full_rows=full_rows, full_bytes=full_bytes)

    def of_changes(self) -> Output:
        """Return what takes the rows of the log: each batch says for itself which columns it has."""
        return Lines(self.stream) if self._settings.output == "records" else LinesOrFiles(self.stream, self._writer)

    def _writer(self, schema: pa.Schema) -> BatchWriter:
        return BatchWriter(self._folder, schema, self._settings.batch_format)

    @cached_property
    def _folder(self) -> BatchFolder:
        root = self._settings.batch_dir or Path(tempfile.gettempdir(), "singer-batches", self._tap.name)
        folder = BatchFolder(Path(root), self.stream, self._tap.run_id, self._tap.raise_if_stopped)
        folder.remove_stale(time.time())
        return folder
