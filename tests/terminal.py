"""A terminal of the test's own: whoever writes there sees a terminal, and the test sees what was written."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """The screen's end of a terminal; `stream` is the other end, for a process or for `redirect_stdout`."""

    def __init__(self, columns: int) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.stream: TextIO = os.fdopen(slave, "w", encoding="utf-8")
        self._shown = bytearray()
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, text: str) -> None:
        """Return once this text was shown; fail where it does not come."""
        with self._more:
            assert self._more.wait_for(lambda: text.encode() in self._shown, timeout=20), f"not shown: {text}"

    def text(self) -> str:
        """Close the terminal, once all who write there are done, and return all that was shown, with its controls."""
        if not self.stream.closed:
            self.stream.close()
            self._reader.join()
            os.close(self._master)
        return self._shown.decode().replace("\r\n", "\n")

    def _read(self) -> None:
        try:
            while got := os.read(self._master, 1 << 16):
                with self._more:
                    self._shown += got
                    self._more.notify_all()
        except OSError:  # how Linux says that the other end is closed
            return


@contextmanager
def terminal(columns: int = 100) -> Iterator[Terminal]:
    """Give a terminal of this width."""
    made = Terminal(columns)
    try:
        yield made
    finally:
        made.text()
