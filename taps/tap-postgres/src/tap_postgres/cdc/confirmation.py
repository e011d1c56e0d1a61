"""What the server may forget: the position that a loader has proved stored, and nothing beyond it.

Takes the STATE a run was started with, and with `follow` the place where the loader's STATE goes; gives a position that
only grows.
"""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from tap_postgres.cdc import position as positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_postgres.cdc.position import Identity

_LOGGER = logging.getLogger("tap-postgres")
EVERY_S = 5.0
COMMAND_S = 60.0


class Confirmation:
    """The confirmed position; 0 while nothing is known to be stored, which confirms nothing."""

    def __init__(self, stored: int | None, source: str | None, streams: Sequence[str]) -> None:
        self.position = stored or 0
        self.server: Identity | None = None
        """Whose log is read: a STATE of another server, or of before it was restored, proves nothing of this one."""
        self._source, self._streams = source, streams
        self._looked_s = time.monotonic()

    def __call__(self) -> int:
        """Return the position, looked up again now and then where there is something to look at."""
        if self._source and time.monotonic() - self._looked_s >= EVERY_S:
            self._looked_s = time.monotonic()
            self._look(self._source)
        return self.position

    def _look(self, source: str) -> None:
        try:
            found = positions.stored(read_state(source), self._streams, self.server)
        except (OSError, ValueError, SettingsError, subprocess.SubprocessError) as error:
            _LOGGER.warning("confirm_from could not be read, nothing more is confirmed: %s", type(error).__name__)
            return
        self.position = max(self.position, found or 0)


def read_state(source: str) -> dict[str, Any]:
    """Return the newest STATE of a file of STATE lines, of a JSON file, or that a command (after a |) prints."""
    if source.lstrip().startswith("|"):
        command = shlex.split(source.lstrip()[1:])
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND_S).stdout  # noqa: S603  # the user's own words
    else:
        text = Path(source).read_text(encoding="utf-8")
    return newest_state(text)


def newest_state(text: str) -> dict[str, Any]:
    """Return the last whole STATE of a text; ValueError where there is none."""
    candidates = [text, *reversed(text.splitlines())]  # one object over many lines, or one a line
    for candidate in candidates:
        try:
            found = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(found, dict):
            inner = found.get("singer_state", found.get("value", found))
            if isinstance(inner, dict) and "bookmarks" in inner:
                return inner
    raise ValueError("no STATE in it")
