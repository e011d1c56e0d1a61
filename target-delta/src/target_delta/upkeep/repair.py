"""Leaves one row of every key, where other programs or an earlier load left more: `target-delta repair --keys`.

Takes a table and its keys; gives what was done. Refuses a table whose keys nobody knows, or that delta-rs must write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from singerkit.errors import SafetyStopError, SettingsError
from target_delta.history import UPKEEP
from target_delta.parts import PartitionedWriter
from target_delta.plan import Change
from target_delta.scan import read
from target_delta.upkeep.doubled import in_order, kept
from target_delta.wall import store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from target_delta.files import Layout
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

COLUMNS = ("stream", "keys", "rows", "doubled", "files", "bytes", "repaired")


@dataclass(frozen=True)
class Repair:
    """Which rows of a doubled key go: all but the last, or but the one with the greatest value of a column."""

    store: Store
    keys: Sequence[str]
    layout: Layout
    newest: str | None = None

    def plan(self, snapshot: Snapshot, alive: Callable[[], None], *, dry_run: bool = False) -> Change:
        """Write the files again that hold a row which goes, without it; a dry run writes none."""
        files = in_order(self.store, snapshot)
        masks = kept(self.store, files, snapshot.schema, self.keys, alive, newest=self.newest)
        hits = [(file, mask) for file, mask in zip(files, masks, strict=True) if not mask.all()]
        gone = sum(int((~mask).sum()) for _, mask in hits)
        with PartitionedWriter(self.store, snapshot.schema, snapshot.partition_by, self.keys, self.layout) as out:
            for file, mask in () if dry_run else hits:
                self._rewrite(file, mask, snapshot, out)
            adds = out.finish()
        return Change(adds, [file for file, _ in hits], deleted=gone)

    def _rewrite(self, file: LiveFile, mask: NDArray[np.bool_], snapshot: Snapshot, out: PartitionedWriter) -> None:
        start = 0
        for rows in read(self.store, file, snapshot.schema):
            out.write(rows.filter(pa.array(mask[start : start + rows.num_rows])))
            start += rows.num_rows


def repair(
    table: Found, layout: Layout, keys: Sequence[str] = (), *, newest: str | None = None, dry_run: bool = False
) -> Row:
    """Leave one row of every key, and return what was done to the table (or would be)."""
    chosen = tuple(keys) or table.keys()
    _refuse(table, chosen, newest)
    work, committer = Repair(table.store, chosen, layout, newest), table.committer()
    with store_errors(table.stream, table.store.uri):
        change = work.plan(table.snapshot, committer.alive, dry_run=True)
        if change.removes and not dry_run:
            said = {UPKEEP: "repair"}
            change = committer.commit(pa.schema([]), lambda seen: work.plan(seen, committer.alive), said=said).change
    return {
        "stream": table.stream,
        "keys": list(chosen),
        "rows": sum(file.rows or 0 for file in table.snapshot.files),
        "doubled": change.deleted,
        "files": len(change.removes),
        "bytes": sum(file.size for file in change.removes),
        "repaired": bool(change.removes) and not dry_run,
    }


def _refuse(table: Found, keys: Sequence[str], newest: str | None) -> None:
    if not keys:
        raise SettingsError(
            "nobody knows the keys of the table: its newest load promised none",
            remedy="name them with --key, once for each", stream=table.stream,
        )  # fmt: skip
    if unknown := [name for name in [*keys, *filter(None, [newest])] if name not in table.snapshot.schema.names]:
        raise SettingsError(f"the table has no column {unknown[0]}", remedy="correct its name", stream=table.stream)
    if table.snapshot.is_foreign:
        raise SafetyStopError(
            "the table has features that delta-rs alone respects",
            remedy="delete the doubled rows with the program that made it", stream=table.stream,
        )  # fmt: skip
