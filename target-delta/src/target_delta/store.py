"""One table's folder, on a disk or in an object store.

Takes paths relative to the table; gives files, written once. Refuses an address that is none; what fails is an OSError.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from operator import methodcaller
from pathlib import Path
from shutil import rmtree
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pa_fs

from singerkit.errors import SettingsError
from target_delta.faults import is_denied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

_ENCODED = re.compile("%[0-9A-Fa-f]{2}")
_ALMOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one letter is a drive

IMPATIENT = {"max_retries": "3", "retry_timeout": "10s", "timeout": "10s", "connect_timeout": "5s"}
"""For the first question to an object store, so that what is wrong is said within seconds; what the options themselves
say stays. Later questions have the patience of delta-rs: three minutes."""


def checked(uri: str) -> str:
    """Return an address, or refuse one that means something else than it says."""
    _, scheme, rest = uri.partition("://")
    if not scheme and _ALMOST.match(uri):
        why = "an address has two slashes behind its scheme"
    elif scheme and re.search(r"[?#]|(?<=.)//", rest):
        why = "an address has no query, no fragment and no empty folder"
    elif scheme and not rest.partition("/")[0] and not uri.startswith("file:"):
        why = "an address names a bucket"
    else:
        return uri
    raise _no_address(why, uri)


def _no_address(why: str, uri: str) -> SettingsError:
    return SettingsError(f"the path cannot be used: {why}", remedy="correct it, as in s3://bucket/folder", path=uri)


def local_path(uri: str) -> Path | None:
    """Return the folder that an address means on this machine, or None for an object store."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in uri else Path(uri)


class Store:
    """The files of one table; `uri` is what delta-rs opens, so many folders below the root of all tables."""

    def __init__(self, uri: str, options: Mapping[str, str], *, depth: int = 1, hurried: bool = False) -> None:
        root = local_path(checked(uri))
        self.root = root.absolute() if root else None
        if self.root and _ENCODED.search(str(self.root)):
            raise _no_address("delta-rs writes to a folder with % and two digits in its name, and reads another", uri)
        self.uri = str(self.root) if self.root else uri
        self.depth = depth
        self._given = options
        self._patience = IMPATIENT if hurried else {}
        self._asker: tuple[dict[str, str], Any] | None = None
        """What asks an object store, and the options that it was made with: it keeps connections and logins."""

    @property
    def options(self) -> dict[str, str]:
        """The storage options of now: those of a file may have changed since they were read last."""
        return {**self._patience, **self._given}

    def at(self, uri: str, *, hurried: bool = False) -> Store:
        """Return the store of another address, reached by the same options."""
        return Store(uri, self._given, hurried=hurried)

    def create(self, path: str) -> pa.NativeFile:
        """Open a new file for writing; on a disk its folder is made."""
        if self.root is None:
            return pa.PythonFile(_Upload(self._asked(lambda store: store.open_output_stream(path))), mode="w")
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return pa.OSFile(str(target), "wb")

    def open(self, path: str) -> pa.NativeFile:
        """Open a file for reading at any place; on a disk it is mapped into memory."""
        if self.root is None:
            return pa.PythonFile(self._asked(lambda store: store.open_input_file(path)), mode="r")
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
        try:
            if self.root is None:
                return int(self._asked(lambda store: store.open_input_file(path)).size())
            found = (self.root / path).stat()
        except FileNotFoundError:
            return None
        return found.st_size if S_ISREG(found.st_mode) else None

    def names(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, sorted; none where there is no folder."""
        prefix = f"{self.root}/" if self.root else ""
        found = self._listed(folder, recursive=True)
        return sorted(info.path.removeprefix(prefix) for info in found if info.type == pa_fs.FileType.File)

    def folders(self) -> list[str]:
        """Return the names of the folders directly below, sorted; none where there is nothing."""
        found = self._listed("", recursive=False)
        return sorted(info.base_name for info in found if info.type == pa_fs.FileType.Directory)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; one that is already gone is as good."""
        for path in paths:
            with suppress(FileNotFoundError):
                if self.root is None:
                    self._asked(methodcaller("delete_file", path))
                else:
                    (self.root / path).unlink()

    def discard(self, paths: Iterable[str]) -> None:
        """Delete files that no log names; where the store lets none be deleted, they stay until upkeep finds them."""
        with suppress(OSError):
            self.delete(paths)

    def delete_folder(self, folder: str) -> None:
        """Delete a folder of this table with all that is in it."""
        self.delete(self.names(folder))
        if self.root is not None and (self.root / folder).is_dir():
            rmtree(self.root / folder)
            with suppress(OSError):  # another run's folder is still in it
                (self.root / folder).parent.rmdir()

    def _listed(self, folder: str, *, recursive: bool) -> list[pa_fs.FileInfo]:
        if self.root is None:
            how = {"allow_not_found": True, "recursive": recursive}
            found: list[pa_fs.FileInfo] = self._asked(lambda store: store.get_file_info_selector(folder, **how))
            return found
        selector = pa_fs.FileSelector(str(self.root / folder), allow_not_found=True, recursive=recursive)
        return list(pa_fs.LocalFileSystem().get_file_info(selector))

    def _asked(self, act: Callable[[Any], T]) -> T:
        """Ask the object store; where it refuses the credentials and there are newer ones, ask again with those."""
        options, asker = self._asker = self._ready()
        try:
            return act(asker)
        except OSError as error:
            if not is_denied(error) or self.options == options:
                raise
        self._asker = self._ready()
        return act(self._asker[1])

    def _ready(self) -> tuple[dict[str, str], Any]:
        from deltalake._internal import DeltaFileSystemHandler

        options = self.options
        if self._asker is None or self._asker[0] != options:
            return options, DeltaFileSystemHandler(self.uri, options)
        return self._asker

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
