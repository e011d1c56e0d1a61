"""A table written again with wider types, in one commit: a row group at a time, whatever its size.

Takes a snapshot and the columns that the table should have; gives whether the commit was the next one. Refuses a table
that is larger than the contract allows, and values that the wider type does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as pt
from deltalake import CommitProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError

from singerkit.errors import SafetyStopError
from target_delta.actions import add_action
from target_delta.arrays import whole
from target_delta.conform import conform
from target_delta.files import Layout
from target_delta.history import UPKEEP
from target_delta.parts import PartitionedWriter
from target_delta.scan import read
from target_delta.snapshot import APP_ID
from target_delta.texts import STEADY, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_delta.snapshot import Snapshot
    from target_delta.table import Table


def is_rewrite(old: pa.Schema, new: pa.Schema) -> bool:
    """Return whether a column has another type that is no longer its own: new columns and fields rewrite nothing."""
    changed = [(field.type, new.field(field.name).type) for field in old]
    return any(not one.equals(other) and not (pt.is_nested(one) and pt.is_nested(other)) for one, other in changed)


def rewrite(
    table: Table,
    snapshot: Snapshot,
    schema: pa.Schema,
    keys: Sequence[str],
    limit_bytes: int,
    alive: Callable[[], None],
) -> Snapshot | None:
    """Write all rows again with the columns of `schema`; None where another writer was first.

    1. Refuse what cannot be written again: features of others, a partition column, too many bytes.
    2. Write the rows, each value unchanged.
    3. Force the files to the disk, and commit: all old files go, the new ones come, with the wider columns.
    """
    _refuse(table, snapshot, schema, limit_bytes)  # 1
    ready = table.allow(schema, snapshot)
    if ready is None:
        return None
    with PartitionedWriter(table.store, schema, ready.partition_by, keys, Layout()) as out:  # 2
        for file in ready.files:
            for rows in read(table.store, file, ready.schema):
                alive()
                out.write(_wide(rows, schema))
        adds = out.finish()
    table.store.sync(file.path for file in adds)  # 3
    try:
        ready.delta.create_write_transaction(
            [add_action(file, new=False) for file in adds],
            mode="overwrite",
            schema=Schema.from_arrow(schema),
            partition_by=list(ready.partition_by),
            commit_properties=CommitProperties(
                custom_metadata={UPKEEP: "widen"},
                max_commit_retries=0,
                app_transactions=[Transaction(APP_ID, ready.transaction + 1)],
            ),
        )
    except CommitFailedError:
        table.store.discard(file.path for file in adds)
        return None
    table.synced(ready.version + 1)
    return table.snapshot()


def _refuse(table: Table, snapshot: Snapshot, schema: pa.Schema, limit_bytes: int) -> None:
    size = sum(file.size for file in snapshot.files)
    changed = [field.name for field in snapshot.schema if not schema.field(field.name).type.equals(field.type)]
    reasons = {
        "it has features that delta-rs alone respects": snapshot.is_foreign,
        "a column by which it is partitioned would change": not _keeps_partitions(snapshot, schema, changed),
        "it is larger than widen_limit_mb": size > limit_bytes,
    }
    if why := [reason for reason, holds in reasons.items() if holds]:
        raise SafetyStopError(
            f"the table cannot be written again for a wider type: {why[0]}",
            remedy="load the stream in full, which brings its own types, or correct the type in the tap's SCHEMA",
            stream=table.stream, columns=" ".join(changed), bytes=size,
        )  # fmt: skip


def _keeps_partitions(snapshot: Snapshot, schema: pa.Schema, changed: Sequence[str]) -> bool:
    """Return whether each row stays in its partition: not where that is a column, or follows from another text."""
    to_text = [name for name in changed if pt.is_string(schema.field(name).type)]
    unsteady = [name for name in to_text if not any(check(snapshot.schema.field(name).type) for check in STEADY)]
    return set(changed).isdisjoint(snapshot.partition_by) and set(unsteady).isdisjoint(snapshot.partitioning.keys)


def _wide(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with wider columns: days as midnights, texts for what became texts, all else as `conform` does it."""
    for place, field in enumerate(rows.schema):
        kind = schema.field(field.name).type
        if pt.is_date32(field.type) and pt.is_timestamp(kind):
            rows = rows.set_column(place, field.with_type(kind), rows[field.name].cast(kind))
        elif pt.is_string(kind) and not pt.is_string(field.type):
            rows = rows.set_column(place, field.with_type(kind), texts(whole(rows[field.name])))
    return pa.Table.from_batches([conform(batch, schema) for batch in rows.to_batches()], schema=schema)
