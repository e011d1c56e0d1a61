"""Rows that do not fit their SCHEMA, kept beside the table: `<stream>__quarantine`.

Takes the errors of invalid records; gives rows that say what was wrong, and the record itself. Pure but for its clock
being an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from target_delta.schema import StreamSchema, stream_schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from target_delta.errors import InvalidRecordError

_TEXT = {"type": ["string", "null"]}
_PROPERTIES = {
    "quarantined_at": {"type": ["string", "null"], "format": "date-time"},
    "run": _TEXT,
    "column": _TEXT,
    "reason": _TEXT,
    "record": _TEXT,
}


def quarantine_name(stream: str) -> str:
    """Return the stream that holds the invalid rows of a stream."""
    return f"{stream}__quarantine"


def quarantine_schema(stream: str) -> StreamSchema:
    """Return the schema of the invalid rows of a stream."""
    return stream_schema({"stream": quarantine_name(stream), "schema": {"properties": _PROPERTIES}})


def quarantined(errors: Sequence[InvalidRecordError], *, run: str, now: datetime) -> pa.RecordBatch:
    """Return a row an error; bytes of the record that are no text are written as \\xNN."""
    columns = {
        "quarantined_at": pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), len(errors)),
        "run": pa.repeat(pa.scalar(run), len(errors)),
        "column": pa.array([error.column for error in errors], pa.string()),
        "reason": pa.array([error.reason for error in errors], pa.string()),
        "record": pa.array([error.raw.decode("utf-8", "backslashreplace") for error in errors], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)
