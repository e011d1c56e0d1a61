"""What the runs of the loader did to a table: `target-delta history`.

Takes a table; gives a row a run, newest first, as far back as its log goes. Reads the log alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from target_delta.history import ROWS, STARTED, entries, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_delta.history import Entry
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

COLUMNS = (
    *("stream", "run", "what", "began", "seconds", "commits", "inserted", "updated", "deleted", "files", "bytes"),
    *("bookmark", "version", "rolled_back"),
)
_MS = 1000
_THEIRS = {
    "inserted": ("num_target_rows_inserted", "num_added_rows"),
    "updated": ("num_target_rows_updated",),
    "deleted": ("num_target_rows_deleted",),
}
"""What delta-rs calls it, where it wrote the rows itself."""


@dataclass
class Run:
    """The commits of one run to one table, newest first."""

    id: str | None
    what: str
    """`load`, a verb of upkeep, or what another program calls its operation."""
    rolled_back: bool = False
    """Whether the table has its commits no more."""
    entries: list[Entry] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The version of its first commit."""
        return self.entries[-1].version

    @property
    def began(self) -> datetime:
        """When it began; its first commit where it does not say."""
        first = self.entries[-1]
        return datetime.fromtimestamp(int(first.facts.get(STARTED) or first.made_ms) / _MS, UTC)

    @property
    def bookmark(self) -> Any:
        """The newest bookmark of its commits, or None."""
        return next((entry.bookmark for entry in self.entries if entry.bookmark is not None), None)

    def row(self, stream: str) -> Row:
        """Return what is said of it."""
        rows: Counter[str] = Counter()
        for entry in self.entries:
            rows.update(_rows(entry))
        written = [entry for entry in self.entries if entry.adds or entry.removes]
        files = [file for entry in written for file in entry.adds]
        return {
            "stream": stream,
            "run": self.id,
            "what": self.what,
            "began": self.began,
            "seconds": round(self.entries[0].made_ms / _MS - self.began.timestamp(), 3),
            "commits": len(written),
            "inserted": rows["inserted"],
            "updated": rows["updated"],
            "deleted": rows["deleted"],
            "files": len(files),
            "bytes": sum(file.size for file in files),
            "bookmark": self.bookmark,
            "version": self.entries[0].version,
            "rolled_back": self.rolled_back or None,
        }


def runs(table: Found) -> list[Run]:
    """Return the runs whose commits a table's log still holds, newest first; each other commit stands alone."""
    version = table.snapshot.version
    return grouped([*entries(table.store, version)], {entry.version for entry in standing(table.store, version)})


def grouped(commits: Iterable[Entry], stand: set[int]) -> list[Run]:
    """Return commits, newest first, as runs; `stand` are the versions that were not rolled back."""
    known: dict[Any, Run] = {}
    for entry in commits:
        if entry.run is None and not entry.adds and not entry.removes and entry.restored is None:
            continue  # the making of a table, a column, a feature
        what = entry.upkeep or ("load" if entry.run else str(entry.facts.get("operation", "other")).lower())
        group = (entry.run or entry.version, what)
        run = known.setdefault(group, Run(entry.run, what, entry.version not in stand))
        run.entries.append(entry)
    return [*known.values()]


def history(found: Sequence[Found], limit: int) -> list[Row]:
    """Return what the newest runs did, over all tables, the newest first."""
    every = [(run, table.stream) for table in found for run in runs(table)]
    every.sort(key=lambda pair: (pair[0].began, pair[1]), reverse=True)
    return [run.row(stream) for run, stream in every[:limit]]


def _rows(entry: Entry) -> dict[str, int]:
    if ROWS in entry.facts:
        return dict(entry.facts[ROWS])
    metrics = entry.facts.get("operationMetrics") or {}
    return {
        ours: next((int(metrics[name]) for name in theirs if metrics.get(name)), 0) for ours, theirs in _THEIRS.items()
    }
