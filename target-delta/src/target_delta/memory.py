"""One ceiling for the rows that all streams of a run hold in memory, and which of them makes room.

Takes what each stream holds, whenever it changes; calls the one that holds most while all together hold too much.
"""

from __future__ import annotations

from typing import Protocol

BASE_MB = 192  # what the process weighs before it holds a row, and the writers of some tens of partitions
COPIES = 4  # of a batch that exist at once while it is sorted out and written
LEAST_MB = 16
SLICE_MB = 16  # of rows that may leave memory before their batch is complete: smaller ones cost CPU
OPEN_MB = 32  # of rows that wait in open files for their row group to be full
WORTH = 4  # a batch of a fourth of the ceiling is worth its own commit; measured with 300 streams (docs/reference)


class Holder(Protocol):
    """Whatever holds rows in memory."""

    def make_room(self) -> None:
        """Hold no row in memory any more."""


def ceiling(max_memory_mb: int) -> int:
    """Return how many bytes of rows all streams together may hold."""
    return max(LEAST_MB, (max_memory_mb - BASE_MB) // COPIES) << 20


def in_open_files(max_memory_mb: int) -> int:
    """Return how many bytes of rows may wait in the open files of a table."""
    return min(OPEN_MB << 20, ceiling(max_memory_mb))


class Memory:
    """Knows what everyone holds, and keeps the sum under the ceiling."""

    def __init__(self, max_memory_mb: int) -> None:
        self.ceiling = ceiling(max_memory_mb)
        self.slice = min(SLICE_MB << 20, self.ceiling // 2)
        """The bytes of one stream that leave memory together."""
        self.worth = self.ceiling // WORTH
        """The bytes from which on a batch is rather committed than put aside: its own commit needs memory too."""
        self._held: dict[Holder, int] = {}
        self._total = 0

    def note(self, holder: Holder, size: int) -> None:
        """Note that someone holds so many bytes now."""
        self._total += size - self._held.get(holder, 0)
        self._held[holder] = size

    def keep(self) -> None:
        """Have the largest make room, one after the other, until all together are under the ceiling."""
        while self._total > self.ceiling:
            largest = max(self._held, key=self._held.__getitem__)
            largest.make_room()
            self.note(largest, 0)
