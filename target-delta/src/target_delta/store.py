"""One table's folder, on a disk or in an object store.

Takes paths relative to the table; gives files, written once. Refuses nothing: what fails is an OSError.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pa_fs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def local_path(uri: str) -> Path | None:
    """Return the folder that an address means on this machine, or None for an object store."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in uri else Path(uri)


class Store:
    """The files of one table; `uri` is what delta-rs opens, so many folders below the root of all tables."""

    def __init__(self, uri: str, options: Mapping[str, str], *, depth: int = 1) -> None:
        root = local_path(uri)
        self.root = root.absolute() if root else None
        self.uri = str(self.root) if self.root else uri
        self.options = dict(options)
        self.depth = depth

    def create(self, path: str) -> pa.NativeFile:
        """Open a new file for writing; on a disk its folder is made."""
        if self.root is None:
            return pa.PythonFile(_Upload(self._upload(path)), mode="w")
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return pa.OSFile(str(target), "wb")

    def open(self, path: str) -> pa.NativeFile:
        """Open a file for reading at any place; on a disk it is mapped into memory."""
        if self.root is None:
            return self._files().open_input_file(path)
        return pa.memory_map(str(self.root / path))

    def read(self, path: str) -> bytes:
        """Return a small file whole."""
        with self.open(path) as file:
            return bytes(file.read())

    def publish(self, path: str, content: bytes) -> None:
        """Write a small file so that a reader sees all of it or nothing, also after a power cut."""
        if self.root is None:
            with self.create(path) as file:
                file.write(content)
            return
        draft = f"{path}.draft"
        with self.create(draft) as file:
            file.write(content)
        self.sync([draft])
        (self.root / draft).replace(self.root / path)
        _sync_path((self.root / path).parent)

    def sync(self, paths: Iterable[str]) -> None:
        """Force files and their folders to the disk; an object store has done so when a file closes."""
        if self.root is None:
            return
        targets = [self.root / path for path in paths]
        for target in targets:
            _sync_path(target)
        for folder in {parent for target in targets for parent in self._within(target)}:
            _sync_path(folder)

    def sync_root(self) -> None:
        """Force to the disk that the table's folder exists."""
        if self.root is not None:
            _sync_path(self.root.parent)

    def is_on_disk(self, path: str) -> bool:
        """Return whether a file is there that `sync` can force to the disk."""
        return self.root is not None and (self.root / path).is_file()

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, or None where there is none."""
        info = self._files().get_file_info(self._full(path))
        return None if info.type != pa_fs.FileType.File else int(info.size)

    def names(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, sorted; none where there is no folder."""
        selector = pa_fs.FileSelector(self._full(folder), allow_not_found=True, recursive=True)
        prefix = f"{self.root}/" if self.root else ""
        found = self._files().get_file_info(selector)
        return sorted(info.path.removeprefix(prefix) for info in found if info.type == pa_fs.FileType.File)

    def folders(self) -> list[str]:
        """Return the names of the folders directly below, sorted; none where there is nothing."""
        selector = pa_fs.FileSelector(self._full("").rstrip("/") or "/", allow_not_found=True)
        found = self._files().get_file_info(selector)
        return sorted(info.base_name for info in found if info.type == pa_fs.FileType.Directory)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; one that is already gone is as good."""
        for path in paths:
            try:
                self._files().delete_file(self._full(path))
            except FileNotFoundError:
                continue

    def delete_folder(self, folder: str) -> None:
        """Delete a folder of this table with all that is in it."""
        self.delete(self.names(folder))
        if self.root is not None and (self.root / folder).is_dir():
            self._files().delete_dir(self._full(folder))
            with suppress(OSError):  # another run's folder is still in it
                (self.root / folder).parent.rmdir()

    def _full(self, path: str) -> str:
        return path if self.root is None else f"{self.root}/{path}"

    def _files(self) -> pa_fs.FileSystem:
        if self.root is not None:
            return pa_fs.LocalFileSystem()
        return pa_fs.PyFileSystem(self._remote())

    def _remote(self) -> Any:
        from deltalake.fs import DeltaStorageHandler

        return DeltaStorageHandler(self.uri, self.options)

    def _upload(self, path: str) -> Any:
        from deltalake._internal import DeltaFileSystemHandler

        return DeltaFileSystemHandler(self.uri, self.options).open_output_stream(path)

    def _within(self, path: Path) -> Iterable[Path]:
        for parent in path.parents:
            yield parent
            if parent == self.root:
                return


class _Upload:
    """delta-rs takes bytes only where pyarrow hands over buffers."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, content: Any) -> int:
        self.stream.write(bytes(content))
        return len(content)

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.stream.close()


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
