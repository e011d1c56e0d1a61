"""Settings that are files: below one folder where an operator says so, and no larger than they should be.

Takes paths as they were written; gives paths and texts. Refuses, without the path, one that leads out of the folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "SINGERKIT_FILE_ROOT"


class FileRefusedError(ValueError):
    """The file may not, or cannot, be read; the text says why and does not name it."""


@dataclass(frozen=True)
class Files:
    """The files that settings may name: anywhere, or below `root`, which relative paths begin at too."""

    root: Path | None = None

    @classmethod
    def of_environment(cls) -> Files:
        """Return the rule that the operator of this machine has set: settings cannot change it."""
        root = os.environ.get(ROOT_VARIABLE)
        return cls(Path(root).resolve() if root else None)

    def path(self, written: str) -> Path:
        """Return the path that was meant; links are followed before it is judged."""
        if "\0" in written:
            raise FileRefusedError("must be the path of a file")
        path = Path(written).expanduser()
        if self.root is None:
            return path
        found = (self.root / path).resolve()
        if not found.is_relative_to(self.root):
            raise FileRefusedError(f"must be a file below the folder of {ROOT_VARIABLE}")
        return found

    def text(self, written: str, max_bytes: int) -> str:
        """Return the text of a file."""
        try:
            with self.path(written).open("rb") as file:
                content = file.read(max_bytes + 1)
        except OSError as error:
            raise FileRefusedError(f"cannot be read: {error.strerror}") from error
        if len(content) > max_bytes:
            raise FileRefusedError(f"must be a file of at most {max_bytes} bytes")
        try:
            return content.decode("utf-8-sig")  # a mark at the beginning is the editor's, not the secret's
        except UnicodeDecodeError as error:
            raise FileRefusedError("must be a file of text in UTF-8") from error
