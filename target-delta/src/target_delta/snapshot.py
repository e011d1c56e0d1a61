"""A Delta table at one version: its columns, its partitions, its live files and what it says of them.

Takes what delta-rs opened; gives values of that version. Refuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pyarrow as pa

from target_delta.partitioning import stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deltalake import DeltaTable

    from target_delta.partition import Partitioning

APP_ID = "target-delta"
FULL_LOAD_ID = "target-delta.full-load"
"""The transaction of this name holds the version of the last full load that was swapped in."""
PARTITIONS_ID = "target-delta.partitions"
"""The transaction of this name counts the changes of partitions that delta-rs wrote: see `partitioning.awaited`."""
KEPT = "!$&'()+,/:;=@~"  # what delta-rs does not encode in a path, beside letters, digits and _.-
_OURS = {"timestampNtz"}  # the table features that our own reading and writing of files respects
_GENERATED = "delta.generationExpression"
_OF_COLUMNS = {
    _GENERATED: "generatedColumns",
    "delta.identity.start": "identityColumns",
    "delta.invariants": "invariants",
}
"""What the description of a column may ask of whoever writes it, and the feature that it is."""
_HARMLESS = {"appendOnly", "invariants", "v2Checkpoint", "vacuumProtocolCheck", "inCommitTimestamp", "domainMetadata"}


@dataclass(frozen=True)
class LiveFile:
    """A data file that the log names: `path` as on disk, the rest as the log has it."""

    path: str
    size: int
    rows: int | None
    partition: Mapping[str, str | None] = field(default_factory=dict)
    logged: str = ""

    @property
    def is_removable(self) -> bool:
        """Whether a Remove by delta-rs names this file as the log does; else nothing goes and rows double."""
        return quote(self.path, safe=KEPT) == self.logged


class Snapshot:
    """A table at one version: what a change is planned from, and what it is committed against."""

    def __init__(self, delta: DeltaTable) -> None:
        self.delta = delta
        self.version = delta.version()
        self.schema = arrow_schema(delta)
        self.partition_by = tuple(delta.metadata().partition_columns)

    @cached_property
    def partitioning(self) -> Partitioning:
        """How rows are spread over partitions."""
        return stored(self.delta.metadata().configuration, self.partition_by, lambda: self.partitions_changed)

    @property
    def partitions_changed(self) -> int:
        """How often the partitions were changed by delta-rs."""
        return int(self.delta.transaction_version(PARTITIONS_ID) or 0)

    @cached_property
    def generated(self) -> list[str]:
        """The columns whose values follow from others, and are made by delta-rs where rows do not bring them."""
        return [field.name for field in self.delta.schema().fields if _GENERATED in field.metadata]

    @property
    def columns(self) -> pa.Schema:
        """The columns without the one that is made here for the partitions."""
        made = set(self.partition_by) if self.partitioning.is_derived else set()
        return pa.schema([field for field in self.schema if field.name not in made])

    @property
    def transaction(self) -> int:
        """The newest transaction version of this loader in this snapshot; -1 before the first."""
        found = self.delta.transaction_version(APP_ID)
        return -1 if found is None else int(found)

    @property
    def full_load(self) -> int | None:
        """The version of the last full load that was swapped in, or None."""
        found = self.delta.transaction_version(FULL_LOAD_ID)
        return None if found is None else int(found)

    @cached_property
    def actions(self) -> pa.Table:
        """The add actions of the live files with their statistics, one row a file."""
        return pa.table(self.delta.get_add_actions(flatten=True))

    @cached_property
    def files(self) -> list[LiveFile]:
        """The live files, in the order of `actions`."""
        texts = {
            column: self.actions[f"partition.{column}"].cast(pa.string()).to_pylist() for column in self.partition_by
        }
        return [
            LiveFile(
                path=unquote(row["path"]),
                size=row["size_bytes"],
                rows=row["num_records"],
                partition={column: values[place] for column, values in texts.items()},
                logged=row["path"],
            )
            for place, row in enumerate(self.actions.select(["path", "size_bytes", "num_records"]).to_pylist())
        ]

    @cached_property
    def foreign_features(self) -> list[str]:
        """The features of the table that only delta-rs itself knows how to respect; none in a table made here."""
        protocol = self.delta.protocol()
        named = {*(protocol.writer_features or ()), *(protocol.reader_features or ())} - _OURS - _HARMLESS
        if self.delta.metadata().configuration.get("delta.enableChangeDataFeed") == "true":
            named.add("changeDataFeed")
        named |= {"columnMapping" for _ in [1] if _mode(self.delta, "delta.columnMapping.mode") not in {"", "none"}}
        named |= {
            "checkConstraints" for key in self.delta.metadata().configuration if key.startswith("delta.constraints")
        }
        fields = self.delta.schema().fields
        named |= {feature for word, feature in _OF_COLUMNS.items() if any(word in field.metadata for field in fields)}
        return sorted(named)

    @cached_property
    def is_foreign(self) -> bool:
        """Whether this loader leaves the writing of data files in this table to delta-rs."""
        kinds = [self.schema.field(column).type for column in self.partition_by]
        return bool(self.foreign_features) or not all(map(is_partition_type, kinds)) or not self._is_removable

    @property
    def _is_removable(self) -> bool:
        return all(file.is_removable for file in self.files)


def is_partition_type(kind: pa.DataType) -> bool:
    """Return whether values of this type are written and read here as partition values without a change."""
    checks = (pa.types.is_string, pa.types.is_integer, pa.types.is_date32, pa.types.is_boolean)
    return any(check(kind) for check in checks)


def arrow_schema(delta: DeltaTable) -> pa.Schema:
    """Return the schema of a table as Arrow has it."""
    return pa.schema(delta.schema().to_arrow())


def _mode(delta: DeltaTable, key: str) -> str:
    return str(delta.metadata().configuration.get(key) or "")
