"""RECORD lines one by one: accepts all that is right, and says of the rest which row and column are wrong, and why.

Takes lines and a schema; gives rows of Python values. Refuses by InvalidRecordError, to the caller or to its callback.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Raw

from target_delta import temporal
from target_delta.errors import InvalidRecordError, MissingKeyError
from target_delta.exact import RefusedError, object_reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from target_delta.columns import Column

OnInvalid = Callable[[InvalidRecordError], None]


class Row(NamedTuple):
    """One record: its values by column name, and what its envelope says."""

    values: Mapping[str, Any]
    extracted_at: datetime | None
    version: int | None


class _Envelope(msgspec.Struct, gc=False):
    record: Raw
    time_extracted: str | None = None
    version: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None


class CarefulReader:
    """Reads the lines of one stream, one by one; with `bare=True` a line is a record without an envelope."""

    def __init__(self, stream: str, columns: Sequence[Column], keys: Sequence[str], *, bare: bool = False) -> None:
        self._stream, self._keys, self._bare = stream, keys, bare
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._read = object_reader(columns)

    def read(self, lines: Sequence[bytes], start: int, on_invalid: OnInvalid | None) -> list[Row]:
        """Return the rows, the first of which has index `start`; a bad one is raised, or given to `on_invalid`."""
        rows = []
        for index, line in enumerate(lines, start):
            try:
                rows.append(self._row(line, index))
            except InvalidRecordError as error:
                if on_invalid is None:
                    raise
                on_invalid(error)
        return rows

    def _row(self, line: bytes, index: int) -> Row:
        try:
            row = self._decoded(line)
        except RefusedError as refused:
            reason = f"expected {refused.expected}"
            raise InvalidRecordError(self._stream, index, reason, line, column=refused.path) from refused
        except RecursionError as error:
            raise InvalidRecordError(self._stream, index, "nested too deeply", line) from error
        except (ValueError, msgspec.MsgspecError) as error:
            raise InvalidRecordError(self._stream, index, "not a record in JSON and UTF-8", line) from error
        for key in self._keys:
            if row.values[key] is None:
                reason = "a key property is missing or NULL"
                raise MissingKeyError(self._stream, index, reason, line, column=key)
        return row

    def _decoded(self, line: bytes) -> Row:
        if self._bare:
            return Row(self._read(line), None, None)
        envelope = self._envelope.decode(line)
        extracted = None if envelope.time_extracted is None else temporal.instant(envelope.time_extracted)
        return Row(self._read(bytes(envelope.record)), extracted, envelope.version)
