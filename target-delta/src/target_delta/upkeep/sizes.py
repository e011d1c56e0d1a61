"""Which partitions a table should have, by the bytes that its log says of those it has.

Takes partitions with their bytes; gives a proposal with its reason, or None where they are good. Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from target_delta.partition import Partitioning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_delta.snapshot import LiveFile

MOST_FINER = 4  # times the partitions that would do: below it a table is left as it is
_FINER = {"year": "month", "month": "week", "week": "day", "day": "hour"}
_COARSER = {"hour": ("day", 10), "day": ("month", 7), "month": ("year", 4)}
"""The next coarser format, and how many characters of a finer value name it; weeks lie in no month."""


def bytes_of(files: Sequence[LiveFile]) -> Counter[str | None]:
    """Return the bytes of each partition, by its values joined by `/`; one without a value is `null`."""
    sizes: Counter[str | None] = Counter()
    for file in files:
        sizes["/".join("null" if value is None else value for value in file.partition.values())] += file.size
    return sizes


def described(sizes: Mapping[str | None, int]) -> dict[str, Any]:
    """Return how many partitions there are, and their bytes: of all, the largest and the one in the middle."""
    return {
        "partitions": len(sizes),
        "bytes": sum(sizes.values()),
        "largest": max(sizes.values(), default=0),
        "median": int(median(sizes.values())) if sizes else 0,
    }


def proposed(
    now: Partitioning, sizes: Mapping[str | None, int], target_bytes: int, keys: Sequence[str]
) -> tuple[Partitioning, str] | None:
    """Return better partitions of about `target_bytes`, and why, or None where those of the table are good."""
    total, largest = sum(sizes.values()), max(sizes.values(), default=0)
    enough = max(1, -(-total // target_bytes))
    if largest > target_bytes:
        better, why = _finer(now, largest, target_bytes, enough, keys), f"the largest partition has {largest:,} bytes"
    else:
        better, why = _coarser(now, sizes, target_bytes, enough), f"{len(sizes)} partitions hold {total:,} bytes"
    return None if better is None else (better, why)


def _finer(now: Partitioning, largest: int, target_bytes: int, enough: int, keys: Sequence[str]) -> Partitioning | None:
    match now.mode:
        case "none":
            return Partitioning("md5", tuple(keys), count=enough) if keys else None
        case "md5":
            return replace(now, count=max((now.count or 1) + 1, enough))
        case "numerical":
            return replace(now, size=max(1, (now.size or 1) * target_bytes // largest))
        case "datetime":
            finer = _FINER.get(now.format or "")
            return replace(now, format=finer) if finer else None  # type: ignore[arg-type]  # a format
        case _:
            return None


def _coarser(now: Partitioning, sizes: Mapping[str | None, int], target_bytes: int, enough: int) -> Partitioning | None:
    """Return partitions of which there are four times fewer, none of them larger than half of the target."""
    match now.mode:
        case "md5" if (now.count or 1) >= MOST_FINER * enough:
            return Partitioning() if enough == 1 else replace(now, count=enough)
        case "numerical" if (times := target_bytes // 2 // max(1, *sizes.values(), 1)) >= MOST_FINER and len(sizes) > 1:
            return replace(now, size=(now.size or 1) * times)
        case "datetime" if now.format in _COARSER:
            wider, length = _COARSER[now.format]
            merged: Counter[str] = Counter()
            for value, size in sizes.items():
                merged[str(value)[:length]] += size
            if len(sizes) >= MOST_FINER * len(merged) and max(merged.values()) <= target_bytes // 2:
                return replace(now, format=wider)  # type: ignore[arg-type]  # a format
    return None
