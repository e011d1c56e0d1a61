"""The folder of one stream's batch files in one run: where they are, under which names, and what dead runs left.

Takes a root, a stream and a run; gives paths. Refuses nothing but a disk that refuses; the reader deletes what it has
committed, and what dead runs left is removed after a day.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from singerkit.errors import StoreError
from singerkit.runs import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STALE_AFTER_S = 86_400  # a reader that has not come for a file in a day will not come


class BatchFolder:
    """The folder of one stream in one run: `<root>/<stream>/<run>`, made with the first file."""

    def __init__(self, root: Path, stream: str, run: str) -> None:
        self.parent = root.absolute() / quote(stream, safe=" ")
        self.path = self.parent / run
        self.count = 0

    def next_path(self, suffix: str) -> Path:
        """Return a path that no file has had in this run."""
        with store_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self.count += 1
        return self.path / f"{self.count:05}.{suffix}"

    def remove_stale(self, now_s: float) -> None:
        """Remove the folders of runs that are dead and a day old; one that cannot be removed is left."""
        if not self.parent.is_dir():
            return
        for folder in self.parent.iterdir():
            if now_s - folder.stat().st_mtime > STALE_AFTER_S and not is_alive(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Say of a disk that refuses which path, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"batch files cannot be written: {error.strerror or error}",
            path=path,
            remedy="free the disk or set batch_dir elsewhere",
        ) from error
