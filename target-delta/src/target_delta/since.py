"""What happened to a table behind one of its versions, as its log tells it.

Takes a store and versions; gives commits and what they say of themselves. A log that was cleaned says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from target_delta.history import ROWS, STARTED, entries
from target_delta.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_delta.history import Entry
    from target_delta.snapshot import LiveFile
    from target_delta.store import Store

MOVES = ("compact", "repartition", "widen")
"""Upkeep that changes no row."""
_MS = 1000


@dataclass(frozen=True)
class Since:
    """The commits that changed rows behind a version, newest first; all that is there where `is_known` is not."""

    commits: Sequence[Entry] = ()
    is_known: bool = False

    @property
    def time(self) -> datetime:
        """When the newest was made; now, where that is not known."""
        if not self.is_known or not self.commits:
            return datetime.now(UTC)
        return datetime.fromtimestamp(max(entry.made_ms for entry in self.commits) / _MS, UTC)

    @property
    def began(self) -> datetime:
        """When the first of the runs began: what they missed was gone by then, and later changes they did not see."""
        began = [int(entry.facts[STARTED]) for entry in self.commits if STARTED in entry.facts]
        return datetime.fromtimestamp(min(began) / _MS, UTC) if began else self.time

    @property
    def may_delete(self) -> bool:
        """Whether a key may have left the table: not by commits that say what they did, and not that."""
        return not self.is_known or any(map(_may_delete, self.commits))


def since(store: Store, version: int, upto: int | None) -> Since:
    """Return what happened up to a version behind an older one."""
    found: list[Entry] = []
    for entry in entries(store, version) if upto is not None else ():
        if entry.version == upto:
            return Since(found, is_known=True)
        if entry.upkeep not in MOVES and (entry.adds or entry.removes):
            found.append(entry)
    return Since()


def files_at(store: Store, version: int) -> list[LiveFile] | None:
    """Return the files that a table had at a version, or None where its log was cleaned away."""
    try:
        return Snapshot(DeltaTable(store.uri, version=version, storage_options=dict(store.options))).files
    except DeltaError:
        return None


def _may_delete(entry: Entry) -> bool:
    rows = entry.facts.get(ROWS)
    return rows is None or entry.full_load or bool(rows.get("deleted")) or entry.upkeep is not None
