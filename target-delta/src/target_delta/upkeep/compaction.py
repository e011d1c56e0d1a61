"""Which small files of a table become one: neighbours in their keys, of one partition, up to the size of a file.

Takes files with their sizes; gives groups. Pure. Leaves what is large, and what would be rewritten too often.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from target_delta.snapshot import LiveFile

    Partition = tuple[tuple[str, str | None], ...]

SMALL = 0.5  # of the size at which a file ends: a file below it is worth a rewrite
TIER = 2  # a file joins automatic compaction up to so many times the bytes of the smaller ones


def small_files(files: Sequence[LiveFile], file_bytes: int) -> Mapping[Partition, list[LiveFile]]:
    """Return the files of each partition that are small."""
    found: dict[Partition, list[LiveFile]] = defaultdict(list)
    for file in files:
        if file.size < file_bytes * SMALL:
            found[tuple(file.partition.items())].append(file)
    return found


def groups(
    files: Sequence[LiveFile], file_bytes: int, order: Callable[[LiveFile], Any], *, more_than: int = 1
) -> Iterator[list[LiveFile]]:
    """Yield the files that become one, of every partition with more small files than a number.

    With a number above 1, files much larger than all smaller ones together wait until these have caught up: however
    often it is asked, a row is written again only a few times.
    """
    for small in small_files(files, file_bytes).values():
        if len(small) > more_than:
            chosen = small if more_than == 1 else _tier(small)
            yield from _packed(sorted(chosen, key=order), file_bytes)


def _tier(files: Sequence[LiveFile]) -> list[LiveFile]:
    ordered = sorted(files, key=lambda file: file.size)
    total = 0
    for place, file in enumerate(ordered):
        if place > 1 and file.size > TIER * total:
            return ordered[:place]
        total += file.size
    return ordered


def _packed(files: Sequence[LiveFile], file_bytes: int) -> Iterator[list[LiveFile]]:
    """Yield runs of neighbours that together fit a file; one that stands alone stays as it is."""
    group: list[LiveFile] = []
    for file in files:
        if group and sum(one.size for one in group) + file.size > file_bytes:
            if len(group) > 1:
                yield group
            group = []
        group.append(file)
    if len(group) > 1:
        yield group
