"""What is wrong with what a tap sent: a record that does not fit its schema, or one whose schema never came.

Takes a stream, a row, a column and what was expected; gives errors that never show a value. Refuses nothing.
"""

from __future__ import annotations

from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException

from singerkit.errors import SafetyStopError

_REMEDY = "correct the tap or its SCHEMA, or set on_invalid_record to quarantine such rows"


class InvalidRecordError(SafetyStopError):
    """One record does not fit its SCHEMA; `index` is its row in the run, `raw` its line (for the quarantine alone)."""

    def __init__(self, stream: str, index: int, reason: str, raw: bytes, *, column: str | None = None) -> None:
        super().__init__(f"invalid record: {reason}", remedy=_REMEDY, stream=stream, row=index, column=column)
        self.stream, self.index, self.reason, self.raw, self.column = stream, index, reason, raw, column


class MissingKeyError(InvalidRecordError, MissingKeyPropertiesError):
    """A record lacks one of its key properties, or holds NULL there."""


class RecordBeforeSchemaError(SafetyStopError, RecordsWithoutSchemaException):
    """A record came before the SCHEMA of its stream."""

    def __init__(self, stream: str) -> None:
        super().__init__("a RECORD or BATCH came before its SCHEMA", remedy="correct the tap", stream=stream)
