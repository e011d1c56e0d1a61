"""What a table knows of its own partitions: decided once, when it is made, and kept in its properties with the reason.

Takes a decision, or the properties of a table; gives the other. Pure. Refuses settings that differ from the table.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError
from target_delta.partition import COLUMN, Partitioning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROPERTY = "target-delta.partitioning"
_NAMES = [one.name for one in fields(Partitioning)]


@dataclass(frozen=True)
class Wanted:
    """What a new table would have, and what of it the settings say themselves: a table that differs stops the run."""

    partitioning: Partitioning = field(default_factory=Partitioning)
    reason: str = "nobody asked for partitions"
    said: Mapping[str, Any] = field(default_factory=dict)
    immutable: bool = False
    """Whether it is promised that the columns of these partitions never change in the life of a row."""

    def holds_still(self, found: Partitioning) -> bool:
        """Return whether the promise covers the partitions that a table has: then an upsert looks in those alone."""
        return self.immutable and bool(found.keys) and set(found.keys) <= set(self.partitioning.keys)

    @property
    def properties(self) -> dict[str, str]:
        """What the table keeps of the decision."""
        return {PROPERTY: json.dumps({**asdict(self.partitioning), "reason": self.reason}, ensure_ascii=False)}


def awaited(wanted: Wanted, before: Partitioning, number: int) -> dict[str, str]:
    """Return what a table keeps of partitions that it has only from a change of this number on.

    delta-rs changes properties in one commit and partitions in another. What it can do in the second is to count up a
    transaction: until that has come, the table has the partitions of before.
    """
    said = json.loads(wanted.properties[PROPERTY])
    return {PROPERTY: json.dumps({**said, "change": number, "before": asdict(before)}, ensure_ascii=False)}


def stored(
    properties: Mapping[str, str], columns: Sequence[str], changes: Callable[[], int] = lambda: 0
) -> Partitioning:
    """Return how a table is partitioned: by its own columns, as other programs make them, or as its property says.

    `changes` says how many changes of partitions have come, where the property waits for one.
    """
    if list(columns) != [COLUMN]:
        return Partitioning("column", tuple(columns)) if columns else Partitioning()
    try:
        said = json.loads(properties[PROPERTY])
        if "change" in said and changes() < said["change"]:
            said = said["before"]
        found = Partitioning(said["mode"], tuple(said["keys"]), said["count"], said["size"], said["format"])
    except (KeyError, TypeError, ValueError) as error:
        raise _contradiction() from error
    if not found.is_derived:
        raise _contradiction()
    return found


def agree(asked: Wanted, found: Partitioning, stream: str) -> None:
    """Stop where the settings ask for other partitions than the table has: they never change by themselves."""
    said = {name: value for name, value in asked.said.items() if name in _NAMES and value is not None}
    has = asdict(found)
    if any(list(value) != list(has[name]) if name == "keys" else value != has[name] for name, value in said.items()):
        raise SafetyStopError(
            "the table has other partitions than the settings ask for",
            remedy="set what the table has, or auto; target-delta repartition gives it others",
            stream=stream, table=found, settings=asked.partitioning,
        )  # fmt: skip


def _contradiction() -> SafetyStopError:
    return SafetyStopError(
        f"the table is partitioned by {COLUMN}, and its property {PROPERTY} does not say how that column is made",
        remedy="restore the property as the log's first version has it",
    )
