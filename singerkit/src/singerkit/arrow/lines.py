"""An Arrow batch to RECORD lines: rendered a column at a time, written as one block of bytes. Pure.

Takes a stream name, a batch and the time of its extraction; gives newline-ended bytes, one line a row, in order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from singerkit.arrow.text import object_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SLICE_BYTES = 8 << 20
"""A batch is rendered in slices of about this size: the text stays in the cache, and a stop is seen in between."""


def record_lines(stream: str, batch: pa.RecordBatch, extracted_at: datetime) -> Iterator[pa.Buffer]:
    """Yield blocks of whole RECORD lines for all rows of a batch."""
    head = f'{{"type":"RECORD","stream":{json.dumps(stream, ensure_ascii=False)},"record":'
    tail = f',"time_extracted":"{extracted_at.isoformat()}"}}\n'
    for rows in _slices(batch):
        if rows.num_columns:
            yield _text(object_text(rows.schema.names, rows.columns, head, tail))
        else:
            yield pa.py_buffer((head + "{}" + tail).encode() * rows.num_rows)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    count = max(1, -(-batch.nbytes // SLICE_BYTES))
    step = max(1, -(-batch.num_rows // count))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def _text(lines: pa.StringArray) -> pa.Buffer:
    """Return the bytes of a freshly joined array: its values lie one after the other already."""
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    start, end = ends[lines.offset], ends[lines.offset + len(lines)]
    return data.slice(start, end - start)
