"""The tables of a warehouse, each at its newest version.

Takes the root and names or globs of streams; gives tables, sorted by stream. Refuses a name that fits none.
"""

from __future__ import annotations

import difflib
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from singerkit.errors import SettingsError
from target_delta.commit import Committer
from target_delta.history import KEYS, standing
from target_delta.store import Store
from target_delta.table import Table
from target_delta.wall import store_errors
from target_delta.warehouse import reached, tables_below

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_delta.snapshot import Snapshot


@dataclass(frozen=True)
class Found:
    """A table as it was found."""

    stream: str
    store: Store
    snapshot: Snapshot

    def committer(self, run: str | None = None) -> Committer:
        """Return what commits a change of upkeep to the table, under a run of its own."""
        return Committer(Table(self.store, self.stream), run or str(uuid.uuid4()))

    def keys(self) -> tuple[str, ...]:
        """Return the columns by which the newest load left the table unique; none where it promised nothing."""
        loads = (entry for entry in standing(self.store, self.snapshot.version) if entry.run and not entry.upkeep)
        newest = next((entry for entry in loads if entry.adds or entry.facts.get(KEYS)), None)
        return tuple(newest.facts.get(KEYS) or ()) if newest else ()


def tables(root: str, options: Mapping[str, str], streams: Sequence[str] = ()) -> list[Found]:
    """Return the tables below a root whose stream is named, or fits one of the globs; all where none is given."""
    with store_errors("all", root):
        reached(store := Store(root, options))
        found = [table for one in tables_below(store) if (table := _found(one))]
    if not found:
        raise SettingsError("no table is there", remedy="give the path that the loader writes to", path=root)
    names = [table.stream for table in found]
    for wish in streams:
        if not any(_fits(name, wish) for name in names):
            near = ", ".join(difflib.get_close_matches(wish, names, n=3, cutoff=0.4) or sorted(names)[:10])
            raise SettingsError(f"no table is of a stream {wish}", remedy=f"choose one of: {near}", path=root)
    chosen = [table for table in found if not streams or any(_fits(table.stream, wish) for wish in streams)]
    return sorted(chosen, key=lambda table: table.stream)


def table(root: str, options: Mapping[str, str], stream: str) -> Found:
    """Return the one table of a stream."""
    found = tables(root, options, [stream])
    exact = [one for one in found if one.stream == stream]
    if len(found) > 1 and not exact:
        raise SettingsError(f"{stream} fits more than one stream", remedy="name the one", path=root)
    return (exact or found)[0]


def _found(store: Store) -> Found | None:
    snapshot = Table(store, "").snapshot()
    if snapshot is None:
        return None
    return Found(str(snapshot.delta.metadata().name or store.uri.rsplit("/", 1)[-1]), store, snapshot)


def _fits(stream: str, wish: str) -> bool:
    return stream == wish or fnmatchcase(stream, wish)
