"""Which rows have a key that a table holds, and in which of its files.

Takes a snapshot and rows that are unique by key; gives positions and files. Reads key columns alone, writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from target_delta.keys import KeySet
from target_delta.prune import Pruning
from target_delta.scan import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store


@dataclass
class Known:
    """The files of a table that hold keys of rows, gathered batch by batch."""

    store: Store
    snapshot: Snapshot
    keys: Sequence[str]
    immutable: bool = False
    files: dict[str, LiveFile] = field(default_factory=dict)
    """The files that hold one of the keys so far, by their paths."""

    def find(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Return which rows of a batch have a key that the table holds; the rows have their partition in the table."""
        found = np.zeros(rows.num_rows, dtype=bool)
        wanted = KeySet(rows, self.keys)
        for file in Pruning(self.keys, self.immutable).candidates(self.snapshot, rows, wanted):
            for stored in read(self.store, file, self.snapshot.schema, self.keys):
                places = wanted.positions(stored).drop_null().to_numpy()
                found[places] = True
                if len(places):
                    self.files[file.path] = file
        return found
