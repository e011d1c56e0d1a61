"""RECORD lines of one stream -> Arrow, one row a line, in order.

Takes the bytes of whole lines and the stream's schema; gives a record batch and what the envelopes say. Refuses a
line that is not JSON, a value that its column cannot hold unchanged, and a key that is missing or NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from target_delta import temporal
from target_delta.errors import InvalidRecordError, MissingKeyError
from target_delta.exact import NULL, RefusedError, object_reader

if TYPE_CHECKING:
    from target_delta.schema import StreamSchema

OnInvalid = Callable[[InvalidRecordError], None]
OMITTED = "_sdc_omitted"


@dataclass(frozen=True)
class Parsed:
    """Rows of one stream, and beside them, where any line has it: when it was extracted, which columns it omits
    (their stored value stays), and the version of the table it belongs to."""

    rows: pa.RecordBatch
    extracted_at: pa.Array | None = None
    omitted: pa.Array | None = None
    version: pa.Array | None = None


class _Envelope(msgspec.Struct, gc=False):
    record: Raw
    time_extracted: str | None = None
    version: int | None = None


class RecordParser:
    """Reads the RECORD lines of one stream with the schema that its last SCHEMA message gave."""

    def __init__(self, schema: StreamSchema) -> None:
        self._schema = schema
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._read = object_reader(schema.columns)

    def parse(self, lines: bytes, on_invalid: OnInvalid | None = None) -> Parsed:
        """Return the rows of the lines; each bad line goes to `on_invalid` and is left out, or is raised."""
        good = []
        for index, line in enumerate(line for line in lines.split(b"\n") if line.strip()):
            try:
                good.append(self._row(line, index))
            except InvalidRecordError as error:
                if on_invalid is None:
                    raise
                on_invalid(error)
        arrays = [pa.array([row[column.name] for row, *_ in good], column.type) for column in self._schema.columns]
        rows = pa.RecordBatch.from_arrays(arrays, schema=self._schema.arrow)
        extracted = [extracted for _, extracted, _ in good]
        return Parsed(
            rows,
            pa.array(extracted, pa.timestamp("us", "UTC")) if any(extracted) else None,
        )

    def _row(self, line: bytes, index: int) -> Any:
        stream = self._schema.stream
        try:
            envelope = self._envelope.decode(line)
            row = self._read(bytes(envelope.record))
            extracted = temporal.instant(envelope.time_extracted) if envelope.time_extracted else None
        except RefusedError as refused:
            reason = f"expected {refused.expected}"
            raise InvalidRecordError(stream, index, reason, line, column=refused.path) from refused
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise InvalidRecordError(stream, index, "not a RECORD message in JSON and UTF-8", line) from error
        for key in self._schema.keys:
            if row[key] is None:
                raise MissingKeyError(stream, index, "a key property is missing or NULL", line, column=key)
        return row, extracted, envelope.version
