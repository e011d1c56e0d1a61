"""The `_sdc_` columns that say when a row was read and written, in meaning as singer-sdk defines them.

Takes record batches and times; gives the batches with the columns. A column that the SCHEMA declares stays as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from datetime import datetime

DELETED_AT = "_sdc_deleted_at"
"""When the source deleted the row; NULL in a living one."""
_INSTANT = pa.timestamp("us", "UTC")
COLUMNS = pa.schema(
    [
        ("_sdc_extracted_at", _INSTANT),
        ("_sdc_received_at", _INSTANT),
        ("_sdc_batched_at", _INSTANT),
        (DELETED_AT, _INSTANT),
        ("_sdc_sequence", pa.int64()),
        ("_sdc_table_version", pa.int64()),
        ("_sdc_sync_started_at", pa.int64()),
    ]
)
_MS = 1000


def with_metadata(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the metadata columns that it has not."""
    for column in COLUMNS:
        if column.name not in schema.names:
            schema = schema.append(column)
    return schema


def add_metadata(
    rows: pa.RecordBatch, extracted_at: pa.Array | None, *, now: datetime, started: datetime, version: int | None
) -> pa.RecordBatch:
    """Return the rows with the metadata columns that they have not."""
    sequence = int(now.timestamp() * _MS)
    values = {
        "_sdc_extracted_at": extracted_at,
        "_sdc_received_at": now,
        "_sdc_batched_at": now,
        "_sdc_sequence": sequence,
        "_sdc_table_version": version,
        "_sdc_sync_started_at": int(started.timestamp() * _MS),
    }
    for column in COLUMNS:
        if column.name not in rows.schema.names:
            value = values.get(column.name)
            array = value if isinstance(value, pa.Array) else pa.repeat(pa.scalar(value, column.type), rows.num_rows)
            rows = rows.append_column(column, array)
    return rows
