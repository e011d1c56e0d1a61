"""What is looked at before a sync writes its first record: how many rows are to come, and whether keys name one row.

Takes the streams of a run and what its settings allow; gives nothing, or a safety stop that names all streams at once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singerkit.stream import ArrowStream

ENOUGH = "max_rows is reached; the next run goes on from here"
STUCK = "max_rows is reached before the place to go on from moved; the next run reads the same rows: raise max_rows"

logger = logging.getLogger("singerkit.guards")


class EarlyEndError(Exception):
    """A stream ends before its rows do, and well: what was read stays, and STATE says how far it came."""


class CappedError(EarlyEndError):
    """A stream has given as many rows as it may."""


def refuse_too_many(streams: Sequence[ArrowStream], max_rows: int | None) -> None:
    """Stop the run where a source expects more rows of a stream than may come; what nobody can count passes."""
    if max_rows is None:
        return
    counts = {stream.name: stream.expected for stream in streams}
    if over := {name: count for name, count in counts.items() if count is not None and count > max_rows}:
        said = ", ".join(f"{name} about {count:,}" for name, count in sorted(over.items()))
        raise SafetyStopError(
            f"more rows are to come than max_rows allows: {said}",
            max_rows=max_rows,
            remedy="raise max_rows, set start_date later, or deselect these streams",
        )


def refuse_duplicates(streams: Sequence[ArrowStream], *, warn: bool) -> None:
    """Stop the run where a key of a stream names more than one row: a loader would keep one of them, by chance."""
    found = {stream.name: keys for stream in streams if (keys := stream.duplicates())}
    if not found:
        return
    if not warn:
        said = "; ".join(f"{name} {' '.join(keys)}" for name, keys in sorted(found.items()))
        raise SafetyStopError(
            f"keys name more than one row: {said}",
            remedy="choose other keys (table-key-properties), mend the source, or set duplicate_keys to warn",
        )
    for name, keys in found.items():
        logger.warning("keys name more than one row, stream=%s, keys=%s", name, " ".join(keys))


def guarded(streams: Sequence[ArrowStream], max_rows: int | None, *, warn: bool, look: Callable[[], None]) -> None:
    """Raise where a run should not begin; `look` may raise in between, where it is to stop."""
    refuse_too_many(streams, max_rows)
    look()
    refuse_duplicates(streams, warn=warn)
    look()
