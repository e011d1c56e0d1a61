"""Deliveries on disk, one file each: names in the order of arrival, gone only when a STATE that covers them came back.

Takes bodies that were proved; gives deliveries. Refuses to show a file before it is whole, or after a later one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.webhooks.events import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SUFFIX = ".json"
_DIGITS = 20  # of nanoseconds since 1970: names sort as they came
_ODD = re.compile(r"[^A-Za-z0-9_.]")


def event_of(place: str) -> str:
    """Return the event of the delivery at a place: its name holds it, so that none is read in vain."""
    return place.partition("-")[2]


@dataclass(frozen=True)
class Spool:
    """A folder of deliveries, for its owner alone; one receiver or several write, one pipeline reads."""

    folder: Path

    def open(self) -> Spool:
        """Make the folder where it is missing, or say why that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SettingsError(f"the spool cannot be made: {error.strerror}", path=self.folder) from error
        with self._alone():
            for part in self.folder.glob("*.part"):  # of a writer that was killed: it has answered nobody
                part.unlink()
        return self

    def put(self, event: str, at: str, body: Any) -> str:
        """Keep a delivery and return its place; when this returns it is on the disk.

        1. wait for other writers  2. take a place after all before  3. write under another name  4. to the disk
        5. show it: no later delivery can be seen before
        """
        with self._alone():  # 1
            place = f"{self._next()}-{_ODD.sub('_', event)}"  # 2
            part = self.folder / f"{place}.part"
            try:
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(json.dumps({"event": event, "at": at, "body": body}).encode())  # 3
                    file.flush()
                    os.fsync(file.fileno())  # 4
            except OSError:  # half of it would stand in the way of a full disk
                part.unlink(missing_ok=True)
                raise
            part.rename(self.folder / f"{place}{_SUFFIX}")  # 5
            self._sync()
        return place

    def places(self, after: str = "") -> list[str]:
        """Return the places of all deliveries after one, in the order of arrival."""
        if not self.folder.is_dir():
            return []
        found = sorted(path.stem for path in self.folder.glob(f"*{_SUFFIX}"))
        return [place for place in found if place > after]

    def read(self, places: Iterable[str]) -> Iterator[Delivery]:
        """Yield deliveries."""
        for place in places:
            held = json.loads((self.folder / f"{place}{_SUFFIX}").read_bytes())
            yield Delivery(place, held["event"], held["at"], held["body"])

    def remove(self, places: Iterable[str]) -> None:
        """Forget deliveries."""
        for place in places:
            (self.folder / f"{place}{_SUFFIX}").unlink(missing_ok=True)

    def _next(self) -> str:
        last = self.folder / "last"  # a clock may go back, and all files may be gone
        before = int(last.read_text() or 0) if last.exists() else 0
        place = str(max(time.time_ns(), before + 1)).rjust(_DIGITS, "0")
        last.write_text(place)
        return place

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
