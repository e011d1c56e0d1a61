"""Answers that a server may call unchanged: kept in a folder with their ETag, and used again where it says 304.

Takes requests and answers as bytes; gives what was kept for a request. Refuses nothing: what cannot be read is not
there, and the server, not the folder, decides what is unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import os
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from singerkit.rest.message import Request

logger = logging.getLogger("singerkit.rest")

MOST_BYTES = 1 << 30
_HEADERS = ("link", "content-type")  # what a later 304 may leave out
_VARIES = ("accept", "x-github-api-version")  # what else a GET is told apart by


@dataclass(frozen=True)
class Kept:
    """One answer: the ETag to ask with, the headers that pages need, and the body as it came."""

    etag: str
    headers: Mapping[str, str]
    body: bytes


class Unchanged:
    """A folder of answers, for its owner alone; safe to use from many threads and by many runs."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.hits = 0
        self.counter = itertools.count()
        self.counting = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._trim(most_bytes)
        except OSError as error:
            remedy = "name a folder that this process may write to, or none"
            raise SettingsError(
                f"the cache folder cannot be used: {error.strerror}", path=folder, remedy=remedy
            ) from error

    def find(self, request: Request) -> Kept | None:
        """Return what was kept for a request, or None."""
        try:
            head, _, body = zlib.decompress(self._place(request).read_bytes()).partition(b"\n")
            held = json.loads(head)
            return Kept(held["etag"], held["headers"], body)
        except (OSError, ValueError, KeyError, TypeError, zlib.error):  # not there, or cut: the request goes without
            return None

    def keep(self, request: Request, headers: Mapping[str, str], body: bytes, rows: int | None = None) -> None:
        """Keep an answer that has an ETag; a full disk costs the saving, not the run.

        A full last page of `rows` is not kept: with the next record it leads on, and is word for word what it was.
        """
        etag = headers.get("etag")
        if not etag or ('rel="next"' not in headers.get("link", "") and _asks_for(request, rows)):
            return
        held = {"etag": etag, "headers": {name: headers[name] for name in _HEADERS if name in headers}}
        place = self._place(request)
        part = place.with_name(f"{place.name}.{os.getpid()}.{next(self.counter)}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(zlib.compress(json.dumps(held).encode() + b"\n" + body, 1))
            part.replace(place)
        except OSError as error:
            logger.warning("an answer could not be kept folder=%s why=%s", self.folder, error.strerror)
            part.unlink(missing_ok=True)

    def used(self) -> None:
        """Count an answer that was unchanged."""
        with self.counting:
            self.hits += 1

    def _place(self, request: Request) -> Path:
        headers = {name.lower(): text for name, text in request.headers.items()}
        varies = "\n".join(headers.get(name, "") for name in _VARIES)
        return self.folder / hashlib.sha256(f"{request.fingerprint()}\n{varies}".encode()).hexdigest()[:40]

    def _trim(self, most_bytes: int) -> None:
        """Forget the answers that have not been kept anew for longest, until the others fit."""
        found = [*_files(self.folder)]
        over = sum(stat.st_size for stat, _ in found) - most_bytes
        for stat, entry in sorted(found, key=lambda one: one[0].st_mtime):
            if over <= 0:
                return
            over -= stat.st_size
            (self.folder / entry.name).unlink(missing_ok=True)


def _asks_for(request: Request, rows: int | None) -> bool:
    """Return whether a parameter of a request is this number, which is then the size of its page."""
    return str(rows) in {*map(str, request.params.values()), *dict(parse_qsl(urlsplit(request.url).query)).values()}


def _files(folder: Path) -> Iterator[tuple[os.stat_result, os.DirEntry[str]]]:
    """Yield the files of a folder; those that another run finishes or forgets meanwhile are not there."""
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            if entry.is_file():
                yield entry.stat(), entry
