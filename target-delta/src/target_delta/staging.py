"""A full load that is not complete: its data files and what they are part of, out of every reader's sight.

Takes finished data files; gives them back, also to a later run. Refuses a resume whose rows it does not hold.

The files lie in the table's folder and no log names them. Each flush leaves one manifest under `_staged/<version>/`,
published only when its files are on the disk. A load that was not touched for a day belongs to no run any more.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from singerkit.errors import SafetyStopError
from target_delta.files import DataFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_delta.store import Store

FOLDER = "_staged"
STALE = timedelta(days=1)

Progress = dict[str, Any]
"""What a bookmark says about its full load: the version, and how far it has come."""


@dataclass(frozen=True)
class Entry:
    """One manifest: files, the columns they were written with, and the progress that a STATE before its end named."""

    number: int
    run: str
    written: datetime
    schema: pa.Schema
    files: Sequence[DataFile]
    progress: Sequence[Progress] = ()

    def as_bytes(self) -> bytes:
        """Return the manifest as it is stored."""
        content = {
            "run": self.run,
            "written": self.written.isoformat(),
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "files": [file.as_json() for file in self.files],
            "progress": list(self.progress),
        }
        return json.dumps(content).encode()


@dataclass
class Staging:
    """The staged files of one full load of one stream."""

    store: Store
    version: int
    entries: list[Entry] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The folder of the manifests, relative to the table."""
        return f"{FOLDER}/{self.version}"

    @property
    def files(self) -> list[DataFile]:
        """All staged files in the order in which their rows came."""
        return [file for entry in self.entries for file in entry.files]

    def add(
        self, files: Sequence[DataFile], schema: pa.Schema, *, run: str, now: datetime, progress: Iterable[Progress]
    ) -> None:
        """Make files part of this load for good: they are forced to the disk, then named by a manifest."""
        number = self.entries[-1].number + 1 if self.entries else 1
        entry = Entry(number, run, now, schema, files, tuple(progress))
        self.store.sync(file.path for file in files)
        self.store.publish(f"{self.folder}/{number:08}.json", entry.as_bytes())
        self.entries.append(entry)

    def drop(self, entries: Sequence[Entry]) -> None:
        """Delete entries and their files."""
        for entry in entries:
            self.store.delete([f"{self.folder}/{entry.number:08}.json", *(file.path for file in entry.files)])
            self.entries.remove(entry)

    def discard(self) -> None:
        """Delete this load with its files."""
        self.drop(list(self.entries))
        self.store.delete_folder(self.folder)

    def forget(self) -> None:
        """Delete the manifests alone: the table's log names the files now."""
        self.store.delete_folder(self.folder)
        self.entries = []


def resume(store: Store, stream: str, version: int, progress: Progress | None) -> Staging:
    """Return the load of this version as far as the STATE that the tap was started with knows it.

    Without progress in the STATE the tap sends every row again, and what lies there is deleted. With progress, the
    entries up to the one that holds it stay, and later ones are deleted: their rows come again.
    """
    staging = load(store, version)
    if progress is None:
        staging.discard()
        return staging
    known = [place for place, entry in enumerate(staging.entries) if progress in entry.progress]
    if not known or any(store.size(file.path) != file.size for file in staging.files):
        raise SafetyStopError(
            "the STATE goes on with a full load whose first rows are not staged here",
            remedy="run the stream again in full (meltano run --full-refresh, or remove its full_load from the state)",
            stream=stream,
            version=version,
        )
    staging.drop(staging.entries[known[-1] + 1 :])
    return staging


def load(store: Store, version: int | str) -> Staging:
    """Return what is staged under a version."""
    staging = Staging(store, int(version))
    for path in store.names(staging.folder):
        if path.endswith(".json"):
            staging.entries.append(_entry(path, store.read(path)))
    return staging


def clean(store: Store, now: datetime, *, keep: int) -> list[int]:
    """Delete the loads that no run has touched for a day, other than the one to keep; return their versions."""
    versions = {path.split("/")[1] for path in store.names(FOLDER)}
    stale = [load(store, version) for version in sorted(versions) if version.isdecimal() and int(version) != keep]
    stale = [staging for staging in stale if not _touched(staging, now)]
    for staging in stale:
        staging.discard()
    return [staging.version for staging in stale]


def _touched(staging: Staging, now: datetime) -> bool:
    return any(now - entry.written < STALE for entry in staging.entries)


def _entry(path: str, content: bytes) -> Entry:
    found = json.loads(content)
    return Entry(
        number=int(path.rsplit("/", 1)[1].removesuffix(".json")),
        run=found["run"],
        written=datetime.fromisoformat(found["written"]).astimezone(UTC),
        schema=pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"]))),
        files=[DataFile(**file) for file in found["files"]],
        progress=found["progress"],
    )
