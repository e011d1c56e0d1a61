"""The folder of one stream's batch files in one run: where they are, under which names, and what dead runs left.

Takes a root, a stream and a run; gives paths. Refuses nothing but a disk that refuses; the reader deletes what it has
committed, and what dead runs left is removed after a day. A reader that is far behind is waited for: a pipe holds back
whoever writes lines, but thousands of messages that name files fit into it.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from singerkit.errors import StoreError
from singerkit.runs import is_alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STALE_AFTER_S = 86_400  # a reader that has not come for a file in a day will not come
MOST_LETTERS = 200  # of the name of a folder; disks take 255


MOST_BYTES = 1 << 30
"""Of files that no reader has removed yet, before the next one waits."""
FEW_FILES = 4
"""So many may always be there: a reader has to have several to make a large step."""
PATIENCE_S = 120.0
"""How long a reader may take to remove the next file; one that takes longer is not waited for again."""
_LOOK_S = 0.05


class BatchFolder:
    """The folder of one stream in one run: `<root>/<stream>/<run>`, made with the first file.

    `look` is called while a reader is waited for, and raises where the run is to stop.
    """

    def __init__(self, root: Path, stream: str, run: str, look: Callable[[], None] = lambda: None) -> None:
        self.parent = root.absolute() / _folder_name(stream)
        self.path = self.parent / run
        self.count = 0
        self._look = look
        self._is_patient = True

    def next_path(self, suffix: str) -> Path:
        """Return a path that no file has had in this run, once the reader is not too far behind."""
        with store_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._wait_for_reader()
        self.count += 1
        return self.path / f"{self.count:05}.{suffix}"

    def _wait_for_reader(self) -> None:
        """Wait while too much lies unread, of a reader that is known to remove what it has read."""
        moved_s, files, size = time.monotonic(), *self._unread()
        while self._is_patient and FEW_FILES < files < self.count and size > MOST_BYTES:
            self._look()
            time.sleep(_LOOK_S)
            before = files
            files, size = self._unread()
            now_s = time.monotonic()
            moved_s = now_s if files < before else moved_s
            self._is_patient = now_s - moved_s < PATIENCE_S

    def _unread(self) -> tuple[int, int]:
        """Return how many files no reader has removed yet, and their bytes."""
        sizes = []
        for file in self.path.iterdir():
            with contextlib.suppress(FileNotFoundError):  # removed just now
                sizes.append(file.stat().st_size)
        return len(sizes), sum(sizes)

    def remove_stale(self, now_s: float) -> None:
        """Remove the folders of runs that are dead and a day old; one that cannot be removed is left."""
        found: list[Path] = []
        with contextlib.suppress(OSError):
            found = [*self.parent.iterdir()]
        for folder in found:
            with contextlib.suppress(OSError):  # another run, or the reader, has just removed it
                if now_s - folder.stat().st_mtime > STALE_AFTER_S and not is_alive(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)


def _folder_name(stream: str) -> str:
    """Return a name that no other stream has; of a long one, in another alphabet say, a piece and a checksum."""
    name = quote(stream, safe=" ")
    if len(name) <= MOST_LETTERS:
        return name
    return f"{name[: MOST_LETTERS // 2]}-{hashlib.sha256(stream.encode()).hexdigest()[:32]}"


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
