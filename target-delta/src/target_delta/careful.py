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
from target_delta.exact import RefusedError, literal, object_reader

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from target_delta.columns import Column

OnInvalid = Callable[[InvalidRecordError], None]


class Row(NamedTuple):
    """One record: its values by column name, and what its envelope says."""

    values: Mapping[str, Any]
    extracted_at: datetime | None
    version: int | None
    odd: Mapping[str, str]
    """The texts of values that did not fit, by column; these are NULL among the values."""


class _Envelope(msgspec.Struct, gc=False):
    record: Raw
    time_extracted: str | None = None
    version: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None


class CarefulReader:
    """Reads the lines of one stream, one by one; with `bare=True` a line is a record without an envelope.

    `may_be_odd` are the columns whose values need not fit.
    """

    def __init__(
        self,
        stream: str,
        columns: Sequence[Column],
        keys: Sequence[str],
        may_be_odd: Collection[str] = (),
        *,
        bare: bool = False,
    ) -> None:
        self._stream, self._keys, self._bare, self._may_be_odd = stream, keys, bare, may_be_odd
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._read = object_reader(columns, self._instead if may_be_odd else None)
        self._odd: dict[str, str] = {}

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
        self._odd = {}
        if self._bare:
            return Row(self._read(line), None, None, self._odd)
        envelope = self._envelope.decode(line)
        extracted = None if envelope.time_extracted is None else temporal.instant(envelope.time_extracted)
        return Row(self._read(bytes(envelope.record)), extracted, envelope.version, self._odd)

    def _instead(self, column: Column, raw: bytes, refused: RefusedError) -> str | None:
        """Keep the text of a value that does not fit; a column of texts takes it itself."""
        if column.name not in self._may_be_odd:
            raise refused
        text = literal(raw)
        if column.kind == "string":
            return text
        self._odd[column.name] = text
        return None
