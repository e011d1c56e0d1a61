"""What a history needs to read: the stored versions of some keys, and the keys that a table lost.

Takes stores, snapshots and rows; gives changes of a history, planned but not committed, and tables of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from target_delta.keys import KeySet, last_per_key
from target_delta.loaders import fitted
from target_delta.parts import PartitionedWriter
from target_delta.plan import Change
from target_delta.prune import Pruning
from target_delta.scan import read
from target_delta.unique import edges, keys_between
from target_delta.validity import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from target_delta.files import Layout
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store
    from target_delta.validity import Seen


@dataclass(frozen=True)
class Remember:
    """Rows that were seen, on their way into a history."""

    store: Store
    seen: Seen
    keys: Sequence[str]
    versions: Sequence[str]
    layout: Layout
    alive: Callable[[], None]
    time: str | None

    def plan(self, snapshot: Snapshot) -> Change:
        """Write the files again that hold a version which ends now or is replaced, and the versions that come.

        1. Find the stored versions of the keys that were seen.
        2. Say what becomes of them.
        3. Write each file without the rows that go, and then all that comes.
        """
        rows = fitted(self.seen.rows, snapshot)
        hits = [*self._hits(rows, snapshot)]  # 1
        stored = [part for file, mask in hits for part in self._rows(file, mask, snapshot)]
        before = pa.concat_tables([snapshot.schema.empty_table(), *stored])
        seen = replace(self.seen, rows=rows)
        found = outcome(before, seen, self.keys, self.versions, self.time)  # 2
        removes, start = [], 0
        with PartitionedWriter(self.store, snapshot.schema, snapshot.partition_by, self.keys, self.layout) as out:
            for file, mask in hits:  # 3
                places = np.flatnonzero(mask)
                goes = found.goes[start : start + len(places)]
                start += len(places)
                if goes.any():
                    removes.append(file)
                    stays = np.ones(len(mask), dtype=bool)
                    stays[places[goes]] = False
                    for part in self._rows(file, stays, snapshot):
                        out.write(part)
            out.write(found.comes)
            adds = out.finish()
        return Change(adds, removes, inserted=found.inserted, updated=found.updated)

    def _hits(self, rows: pa.Table, snapshot: Snapshot) -> Iterator[tuple[LiveFile, NDArray[np.bool_]]]:
        unique = last_per_key(rows, self.keys)
        wanted = KeySet(unique, self.keys)
        for file in Pruning(self.keys).candidates(snapshot, unique, wanted):
            self.alive()
            parts = [wanted.positions(some) for some in read(self.store, file, snapshot.schema, self.keys)]
            mask = np.concatenate(
                [np.zeros(0, bool), *(part.is_valid().to_numpy(zero_copy_only=False) for part in parts)]
            )
            if mask.any():
                yield file, mask

    def _rows(self, file: LiveFile, mask: NDArray[np.bool_], snapshot: Snapshot) -> Iterator[pa.Table]:
        start = 0
        for rows in read(self.store, file, snapshot.schema):
            yield rows.filter(pa.array(mask[start : start + rows.num_rows]))
            start += rows.num_rows


@dataclass(frozen=True)
class Side:
    """Files of a table, at whatever version."""

    store: Store
    files: Sequence[LiveFile]
    schema: pa.Schema


def lost(before: Side, after: Side, keys: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the keys that the one side holds and the other does not, in slices that fit the memory for them.

    NULL in a key, as in rows from before a column became one, is no key that could be followed.
    """
    if not before.files:
        return
    key, bounds = edges(before.store, before.files, before.schema, keys)
    for low, high in pairwise(bounds):
        _, had = keys_between(before.store, before.files, before.schema, keys, key, low, high)
        _, has = keys_between(after.store, after.files, before.schema, keys, key, low, high)
        once = last_per_key(had.drop_null(), keys)
        missing = KeySet(last_per_key(has, keys), keys).positions(once).is_null()
        if len(gone := once.filter(missing)):
            yield gone
