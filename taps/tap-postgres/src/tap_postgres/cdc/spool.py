"""Where the pieces of a transaction wait that has not committed: in memory first, in a temporary file beyond a size.

Takes raw messages, each with the (sub)transaction that wrote it; gives them back in order. Refuses a full disk.
"""

from __future__ import annotations

import struct
import tempfile
from typing import TYPE_CHECKING

from singerkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY_BYTES = 16 << 20
"""Beyond it a transaction goes to the disk."""
_HEAD = struct.Struct(">II")


class Spool:
    """The messages of one transaction, less those of its parts that were rolled back."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115  # closed by `close`
        self._dropped: set[int] = set()

    def add(self, xid: int, message: bytes) -> None:
        """Keep a message of a (sub)transaction."""
        try:
            self._file.write(_HEAD.pack(xid, len(message)) + message)
        except OSError as error:
            raise StoreError(
                f"a transaction that is still open cannot be kept aside: {error.strerror}",
                path=tempfile.gettempdir(),
                remedy="free the disk, or set TMPDIR elsewhere",
            ) from error

    def drop(self, xid: int) -> None:
        """Forget what a subtransaction wrote."""
        self._dropped.add(xid)

    def messages(self) -> Iterator[bytes]:
        """Yield what was kept, in order."""
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            xid, size = _HEAD.unpack(head)
            message = self._file.read(size)
            if xid not in self._dropped:
                yield message

    def close(self) -> None:
        """Free the memory or the file."""
        self._file.close()
