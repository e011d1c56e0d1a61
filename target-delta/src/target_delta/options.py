"""Options of an object store that stand in a file: read again when it changes, so that a run outlives credentials.

Takes the setting and its file; gives a mapping that is always as the file is now. A file that cannot be read, or that
is half written, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from singerkit.settings.files import FileRefusedError, Files
from singerkit.settings.kinds import LARGEST_FILE
from singerkit.settings.secrets import hide

if TYPE_CHECKING:
    from os import stat_result


class FileOptions(Mapping[str, str]):
    """Storage options as their file has them now."""

    def __init__(self, first: Mapping[str, str], written: str) -> None:
        self._options = dict(first)
        self._written = written
        self._files = Files.of_environment()
        self._seen = self._stamp()

    def __getitem__(self, name: str) -> str:
        """Return an option."""
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the options."""
        return iter(self._now())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._now())

    def __repr__(self) -> str:
        """Say nothing of the values: all may be secrets."""
        return f"FileOptions({len(self._options)} options)"

    def _now(self) -> dict[str, str]:
        stamp = self._stamp()
        if stamp != self._seen:
            try:
                found: dict[str, Any] = msgspec.json.decode(self._files.text(self._written, LARGEST_FILE), type=dict)
            except (FileRefusedError, msgspec.MsgspecError):
                return self._options
            self._seen = stamp
            self._options = {name: _text(value) for name, value in found.items() if value is not None}
            hide(self._options.values())
        return self._options

    def _stamp(self) -> tuple[int, int, int] | None:
        """Return what changes when the file does, or None where it is not there."""
        try:
            found: stat_result = self._files.path(self._written).stat()
        except (OSError, FileRefusedError):
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
