"""The rows of data files, as their table has them now.

Takes files of a log, of a load or of an earlier version; gives tables, one row group at a time. Changes no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from target_delta.conform import conform
from target_delta.files import ROW_GROUP_ROWS
from target_delta.parts import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_delta.files import DataFile
    from target_delta.snapshot import LiveFile
    from target_delta.store import Store


def read(
    store: Store, file: LiveFile | DataFile, schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of a data file in row groups, with the columns of the table: an older file has fewer."""
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    with store.open(file.path) as source, pq.ParquetFile(source) as parquet:
        present = [name for name in wanted.names if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(ROW_GROUP_ROWS, columns=present, use_threads=False):
            rows = filled(pa.Table.from_batches([batch]), file.partition, wanted)
            yield pa.Table.from_batches([conform(one, wanted) for one in rows.to_batches()], schema=wanted)
