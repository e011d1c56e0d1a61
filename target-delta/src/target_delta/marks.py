"""Where bookmarks stand among the rows of a commit: after how many of them, in each partition.

Takes the partitions of rows in their order, and bookmarks with the rows before them; gives what a log keeps, or reads
it. Pure. Within a partition rows keep their order; a table without partitions is one.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from target_delta.parts import Values

    Partition = str
    """The values of the partition columns, in the order of their names, as JSON."""

_LEFT_OUT = -1


class Places:
    """The partition of every row of a commit, in the order in which the rows came; or that it was left out."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._numbers: dict[Partition, int] = {}
        self._rows: list[NDArray[np.int32]] = [np.zeros(0, dtype=np.int32)]

    def add(self, parts: Iterable[tuple[Values, pa.Array]], rows: int, kept: NDArray[np.int64] | None = None) -> None:
        """Note rows, of which those at `kept` were written: their partitions, each with its positions among them."""
        numbers = np.full(rows, _LEFT_OUT, dtype=np.int32)
        for values, positions in parts:
            name = partition(dict(zip(self.columns, values, strict=True)))
            at = positions.to_numpy()
            numbers[at if kept is None else kept[at]] = self._numbers.setdefault(name, len(self._numbers))
        self._rows.append(numbers)

    def counted(self, marks: Iterable[tuple[str, int]]) -> list[Any]:
        """Return each mark with how many written rows of each partition came since the mark before."""
        numbers, names, start, result = np.concatenate(self._rows), list(self._numbers), 0, []
        for mark, rows in marks:
            since = numbers[start:rows]
            counts = np.bincount(since[since != _LEFT_OUT], minlength=len(names))
            result.append([mark, {names[place]: int(counts[place]) for place in np.flatnonzero(counts)}])
            start = rows
        return result


def partition(values: Mapping[str, str | None]) -> Partition:
    """Return the name of a partition in a log entry; a table without partitions has one, `[]`."""
    return json.dumps([values[column] for column in sorted(values)], ensure_ascii=False)


def before(said: Iterable[Sequence[Any]], bookmark: str) -> Counter[Partition] | None:
    """Return how many rows of each partition came before the first place of a bookmark, or None where it has none."""
    counts: Counter[Partition] = Counter()
    for mark, since in said:
        counts.update(since)
        if mark == bookmark:
            return counts
    return None
