"""What the log of a table tells of earlier runs: their bookmarks, whether they ended well, and the files they added.

Takes a store and a version; gives commits, newest first. Refuses nothing: an entry that was cleaned away is the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from target_delta.marks import before, partition
from target_delta.snapshot import FULL_LOAD_ID, LiveFile

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence

    from target_delta.store import Store

RUN, COMMIT, BOOKMARK = "target-delta.run", "target-delta.commit", "target-delta.bookmark"
SOURCE = "target-delta.source"
"""The tap's name of the stream, under which its STATE knows it."""
STARTED = "target-delta.started"
"""When the run began, in milliseconds since 1970."""
ROWS = "target-delta.rows"
"""How many rows the commit inserted, updated and deleted."""
KEYS = "target-delta.keys"
"""The columns by which the commit left the table unique."""
UPKEEP = "target-delta.upkeep"
"""Which verb of upkeep made the commit: it brings nothing of a tap's."""
RESTORED = "target-delta.restored"
"""The version that the commit brought back: what stands between the two counts no more."""
MARKS = "target-delta.marks"
"""Which bookmarks came within the commit, each with the rows since the one before: [[mark, {partition: rows}], ...]."""
LEFT = "target-delta.left"
"""Whether a STATE that names the stream had left the loader before the commit."""
ENDED = "target-delta.ended"
"""`good` in an empty commit: the STATE behind all rows of the run has left."""


@dataclass(frozen=True)
class Entry:
    """One commit: what it says of itself, and the files it added."""

    version: int
    facts: Mapping[str, Any]
    adds: Sequence[LiveFile]
    full_load: bool
    removes: Sequence[str] = ()
    """The paths of the files that it took out of the table."""

    @property
    def run(self) -> str | None:
        """The run of the loader that made it, or None for another program's."""
        return self.facts.get(RUN)

    @property
    def source(self) -> str | None:
        """The tap's name of the stream, where it was noted."""
        return self.facts.get(SOURCE)

    @property
    def bookmark(self) -> Any:
        """What the newest STATE before it said of the stream, or None."""
        return self.facts.get(BOOKMARK)

    @property
    def made_ms(self) -> int:
        """When it was made, in milliseconds since 1970."""
        return int(self.facts.get("timestamp") or 0)

    @property
    def upkeep(self) -> str | None:
        """The verb of upkeep that made it, or None for a load."""
        return self.facts.get(UPKEEP)

    @property
    def restored(self) -> int | None:
        """The version that it brought back, by this loader or by another program, or None."""
        found = self.facts.get(RESTORED)
        if found is None and self.facts.get("operation") == "RESTORE":
            found = (self.facts.get("operationParameters") or {}).get("version")
        return int(found) if found is not None and str(found).isdecimal() else None

    @property
    def marks(self) -> Sequence[tuple[str, Mapping[str, int]]] | None:
        """The bookmarks within it and the rows between them, by partition, or None where it does not say."""
        return self.facts.get(MARKS)


def entries(store: Store, version: int) -> Iterator[Entry]:
    """Yield the commits up to a version, newest first, as far back as the log goes."""
    for number in range(version, -1, -1):
        try:
            content = store.read(f"_delta_log/{number:020}.json")
        except FileNotFoundError:
            return
        yield _entry(number, [json.loads(line) for line in content.splitlines() if line.strip()])


def standing(store: Store, version: int) -> Iterator[Entry]:
    """Yield the commits that the table at a version is made of, newest first: not those that were rolled back."""
    below = version
    for entry in entries(store, version):
        if entry.version <= below:
            below = entry.version if entry.restored is None else entry.restored
            yield entry


def unfinished(store: Store, version: int, *, before_ms: int) -> list[Entry]:
    """Return the appends since the last good end of a run, oldest first.

    A commit that is younger than `before_ms`, the start of the run that asks, is of one that still works beside it. The
    search ends at a commit of ours that does not say where its bookmarks stand, and at a full load. Upkeep says
    nothing.
    """
    found: list[Entry] = []
    for entry in standing(store, version):
        if entry.upkeep:
            continue
        if entry.facts.get(ENDED) or entry.full_load or (entry.run is not None and entry.marks is None):
            break
        if entry.run is not None and entry.made_ms < before_ms:
            found.append(entry)
    return found[::-1]


def sent_after(bookmark: str, commits: Sequence[Entry]) -> list[tuple[LiveFile, int]]:
    """Return the files with rows that came after a bookmark, and how many rows of each came before it.

    Where it came more than once, the first place counts: a tap that goes on from it repeats what followed. A bookmark
    that the commits do not know has no rows after it.
    """
    for place, entry in enumerate(commits):
        counts = before(entry.marks or (), bookmark)
        if counts is not None:
            later = [(file, 0) for other in commits[place + 1 :] for file in other.adds]
            return [*_after(entry.adds, counts), *later]
    return []


def last_bookmark(store: Store, version: int) -> Entry | None:
    """Return the newest commit that holds a bookmark, or None where the log holds none any more."""
    return next((entry for entry in standing(store, version) if entry.bookmark is not None), None)


def _after(files: Sequence[LiveFile], counts: Counter[str]) -> list[tuple[LiveFile, int]]:
    """Return the files with what is behind so many rows of each partition, in which rows keep their order."""
    result = []
    for file in files:
        name, rows = partition(file.partition), file.rows or 0
        skipped = min(rows, counts[name])
        counts[name] -= skipped
        if skipped < rows:
            result.append((file, skipped))
    return result


def _entry(number: int, actions: Sequence[Mapping[str, Any]]) -> Entry:
    facts: Mapping[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    adds = [_file(action["add"]) for action in actions if "add" in action]
    loads = any(action.get("txn", {}).get("appId") == FULL_LOAD_ID for action in actions)
    removes = [unquote(action["remove"]["path"]) for action in actions if "remove" in action]
    return Entry(number, facts, adds, loads, removes)


def _file(add: Mapping[str, Any]) -> LiveFile:
    stats = json.loads(add.get("stats") or "{}")
    return LiveFile(unquote(add["path"]), add["size"], stats.get("numRecords"), add.get("partitionValues") or {})
