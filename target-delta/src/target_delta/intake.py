"""What a tap sends of one stream -> rows as its table takes them.

Takes RECORD lines and BATCH messages; gives record batches with what the loader adds to a row. Keeps invalid records
aside where the settings say so; refuses NULL in a key of a file.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from target_delta.batches import read_batches
from target_delta.errors import InvalidRecordError, MissingKeyError
from target_delta.metadata import add_metadata, with_metadata
from target_delta.omitted import with_omitted
from target_delta.parse import Parsed, RecordParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    import pyarrow as pa

    from target_delta.lines import Records
    from target_delta.run import Run
    from target_delta.schema import StreamSchema

NAMED = 20  # undeclared properties that one line of the log names

_LOGGER = logging.getLogger("target-delta")


class Intake:
    """Reads the records of one stream by its newest SCHEMA."""

    def __init__(self, run: Run, schema: StreamSchema) -> None:
        self.run = run
        self.invalid: list[InvalidRecordError] = []
        """Records that do not fit; whoever handed them in takes them to the quarantine."""
        self._undeclared: set[str] = set()
        self._read = 0
        """The lines that were read so far."""
        self.keep(schema)

    def keep(self, schema: StreamSchema) -> None:
        """Read what comes by another schema."""
        self.schema = schema
        self._parser = RecordParser(schema)
        self.columns: pa.Schema = with_metadata(schema.arrow) if self._stamps else schema.arrow

    def of_lines(self, records: Records, version: int | None) -> pa.RecordBatch:
        """Return the rows of RECORD lines, with what each omits; `version` is that of the full load they belong to."""
        first, self._read = self._read, self._read + records.rows
        parsed = self._parser.parse(records.lines, self._on_invalid, rows=records.rows, first=first)
        return self._completed(parsed, version)

    def of_files(self, message: Mapping[str, Any], version: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the files of a BATCH message."""
        options = self.run.settings.storage_options
        for parsed in read_batches(message, self.schema, options, self._on_invalid):
            self._refuse_null_keys(parsed.rows)
            yield self._completed(parsed, version)

    def _completed(self, parsed: Parsed, version: int | None) -> pa.RecordBatch:
        self._tell(parsed.undeclared)
        rows = parsed.rows
        if self._stamps:
            now = datetime.now(UTC)
            rows = add_metadata(rows, parsed.extracted_at, now=now, started=self.run.started, version=version)
        return with_omitted(rows, parsed.omitted)

    @property
    def _stamps(self) -> bool:
        return self.run.settings.add_record_metadata

    @property
    def _on_invalid(self) -> Callable[[InvalidRecordError], None] | None:
        return self.invalid.append if self.run.settings.on_invalid_record == "quarantine" else None

    def _tell(self, undeclared: tuple[str, ...]) -> None:
        """Say once of each property that it is passed over."""
        if new := [name for name in undeclared if name not in self._undeclared]:
            self._undeclared.update(new)
            self.run.report.add(self.schema.stream, undeclared=len(new))
            _LOGGER.warning(
                "properties that the SCHEMA does not declare are passed over, stream=%s, count=%d, properties=%s",
                self.schema.stream, len(new), " ".join(new[:NAMED]),
            )  # fmt: skip

    def _refuse_null_keys(self, rows: pa.RecordBatch) -> None:
        for key in self.schema.keys:
            if rows.column(key).null_count:
                stream = self.schema.stream
                raise MissingKeyError(stream, 0, "a key property is NULL in a BATCH file", b"", column=key)
