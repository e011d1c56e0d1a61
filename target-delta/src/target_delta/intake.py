"""What a tap sends of one stream -> rows as its table takes them.

Takes RECORD lines and BATCH messages; gives record batches with what the loader adds to a row. Keeps invalid records
aside where the settings say so; refuses NULL in a key of a file.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from target_delta.batches import read_batches
from target_delta.contract import OURS
from target_delta.errors import InvalidRecordError, MissingKeyError
from target_delta.jsontext import json_texts
from target_delta.metadata import add_metadata, with_metadata
from target_delta.omitted import with_omitted
from target_delta.parse import Parsed, RecordParser
from target_delta.versions import version_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

    from target_delta.contract import Contract
    from target_delta.lines import Records
    from target_delta.run import Run
    from target_delta.schema import StreamSchema
    from target_delta.shape import Aside, Shape

NAMED = 20  # undeclared properties that one line of the log names

_LOGGER = logging.getLogger("target-delta")


class Intake:
    """Reads the records of one stream by its newest SCHEMA, as the contract lets them into its table."""

    def __init__(self, run: Run, schema: StreamSchema, contract: Contract) -> None:
        self.run = run
        self.contract = contract
        self.invalid: list[InvalidRecordError] = []
        """Records that do not fit; whoever handed them in takes them to the quarantine."""
        self._undeclared: set[str] = set()
        self._lost: set[str] = set()
        """Columns of which it was said that values are left out."""
        self._read = 0
        """The lines that were read so far."""
        self.keep(schema, None)

    def keep(self, schema: StreamSchema, table: pa.Schema | None) -> None:
        """Read what comes by another schema; `table` are the columns that the table has by now."""
        self.schema = schema
        fixed = {*schema.keys, *version_keys(schema)}
        self._free = self._may_be_odd(schema, fixed)
        self._parser = RecordParser(schema, self._free)
        self._take_shape(self.contract.shape(table, schema.arrow, fixed))

    def _take_shape(self, shape: Shape) -> None:
        self._shape = shape
        self.columns = with_metadata(shape.columns) if self._stamps else shape.columns
        """The columns of the rows: another value once one more is needed for what does not fit."""

    def _may_be_odd(self, schema: StreamSchema, fixed: Collection[str]) -> list[str]:
        """Return the columns whose values need not fit: a column of texts takes any."""
        if self.contract.misfits is None:
            return []
        free = [one for one in schema.columns if one.name not in fixed and not one.name.startswith(OURS)]
        return [one.name for one in free if one.kind == "string" or self.contract.misfits != "discard_row"]

    @property
    def is_closed(self) -> bool:
        """Whether no row is taken at all."""
        return self._shape.closed is not None

    @property
    def sets_aside(self) -> bool:
        """Whether a record may go to the quarantine."""
        return self.run.settings.on_invalid_record == "quarantine" or self.contract.discards_rows

    def of_lines(self, records: Records, version: int | None) -> pa.RecordBatch:
        """Return the rows of RECORD lines, with what each omits; `version` is that of the full load they belong to."""
        first, self._read = self._read, self._read + records.rows
        before = len(self.invalid)
        parsed = self._parser.parse(records.lines, self._on_invalid, rows=records.rows, first=first)
        invalid = {error.index - first for error in self.invalid[before:]}

        def line(row: int) -> bytes:
            lines = [one for one in records.lines.split(b"\n") if one.strip()]
            return [one for place, one in enumerate(lines) if place not in invalid][row]

        return self._completed(parsed, version, line)

    def of_files(self, message: Mapping[str, Any], version: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the files of a BATCH message."""
        options = self.run.settings.storage_options
        for parsed in read_batches(message, self.schema, options, self._on_invalid, self._free):
            self._refuse_null_keys(parsed.rows)
            yield self._completed(parsed, version, partial(_as_record, parsed.rows, self.schema))

    def _completed(self, parsed: Parsed, version: int | None, raw: Callable[[int], bytes]) -> pa.RecordBatch:
        """Return rows as the table takes them, with what the loader adds; `raw` gives the record of a row."""
        self._tell(parsed.undeclared)
        rows, aside = self._fitted(parsed)
        if self._stamps:
            now = datetime.now(UTC)
            rows = add_metadata(rows, parsed.extracted_at, now=now, started=self.run.started, version=version)
        rows = with_omitted(rows, self._named(parsed.omitted))
        if not aside:
            return rows
        for row, found in aside.items():
            reason = found.reason
            self.invalid.append(InvalidRecordError(self.schema.stream, row, reason, raw(row), column=found.column))
        return rows.filter(pa.array([row not in aside for row in range(rows.num_rows)]))

    def _named(self, omitted: pa.Array | None) -> pa.Array | None:
        """Return the columns that rows omit, which they say by their properties."""
        others = {one.source: one.name for one in self.schema.columns if one.source != one.name}
        if omitted is None or not others:
            return omitted
        lists = [names and [others.get(name, name) for name in names] for names in omitted.to_pylist()]
        return pa.array(lists, omitted.type)

    def _fitted(self, parsed: Parsed) -> tuple[pa.RecordBatch, Mapping[int, Aside]]:
        if self.contract.misfits == "variant" and not self._shape.beside_all(parsed.odd):
            self._take_shape(self._shape.with_texts(parsed.odd))
        if self._shape.is_plain and not parsed.odd:
            return parsed.rows, {}
        fitted = self._shape.fitted(parsed.rows, parsed.odd)
        if count := sum(fitted.lost.values()):
            self.run.report.add(self.schema.stream, discarded=count)
            self._tell_lost(fitted.lost)
        return fitted.rows, fitted.aside

    def _tell_lost(self, lost: Mapping[str, int]) -> None:
        """Say once of each column that values are left out of it; the report counts them."""
        for column in [name for name, count in lost.items() if count and name not in self._lost]:
            self._lost.add(column)
            _LOGGER.warning(
                "values that the column does not take are left out, stream=%s, column=%s", self.schema.stream, column
            )

    @property
    def _stamps(self) -> bool:
        return self.run.settings.add_record_metadata

    @property
    def _on_invalid(self) -> Callable[[InvalidRecordError], None] | None:
        if self.run.settings.on_invalid_record == "quarantine":
            return self.invalid.append
        return self._on_misfit if self.contract.misfits == "discard_row" else None

    def _on_misfit(self, error: InvalidRecordError) -> None:
        """Put a record aside of which a value does not fit; what is no record at all ends the run."""
        if error.column is None or isinstance(error, MissingKeyError):
            raise error
        self.invalid.append(error)

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


def _as_record(rows: pa.RecordBatch, schema: StreamSchema, row: int) -> bytes:
    """Return the JSON text of a row that came in a file."""
    kinds = {column.name: column.kind for column in schema.columns}
    one = rows.slice(row, 1)
    texts = {name: one[name] if kinds.get(name) == "json" else json_texts(one[name]) for name in one.schema.names}
    pairs = [f"{_name(name)}: {text[0].as_py()}" for name, text in texts.items() if text[0].is_valid]
    return f"{{{', '.join(pairs)}}}".encode()


def _name(column: str) -> str:
    return msgspec.json.encode(column).decode()
