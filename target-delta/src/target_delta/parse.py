"""RECORD lines of one stream -> Arrow, one row a line, in order.

Takes the bytes of whole lines and the stream's schema; gives a record batch and what the envelopes say. Refuses a
line that is not JSON, a value that its column cannot hold unchanged, and a key that is missing or NULL.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from target_delta import temporal
from target_delta.careful import CarefulReader, OnInvalid
from target_delta.columns import Column
from target_delta.omitted import NAMES, OMITTED, names_of
from target_delta.typed import arrays_of, record_type
from target_delta.undeclared import undeclared

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from target_delta.schema import StreamSchema

    Decode = Callable[[bytes], list[Any]]

_FEW = 32  # rows: fewer are read one by one rather than halved again
_INSTANT = pa.timestamp("us", "UTC")
_NAMES = Column(OMITTED, "list", NAMES, (Column("element", "string", pa.string()),))
_UNFIT = (ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


@dataclass(frozen=True)
class Parsed:
    """Rows of one stream, and what stood beside them, where any line has it; each array is as long as `rows`.

    `extracted_at`: the envelope's time_extracted; `omitted`: the columns whose stored value stays; `version`: of the
    table, as singer-sdk's taps number it. `undeclared`: properties that no column takes; a parser says them once.
    `odd`: by column, the texts of values that do not fit it, and are NULL in `rows`.
    """

    rows: pa.RecordBatch
    extracted_at: pa.Array | None = None
    omitted: pa.Array | None = None
    version: pa.Array | None = None
    undeclared: tuple[str, ...] = ()
    odd: Mapping[str, pa.Array] = field(default_factory=dict)


class RecordParser:
    """Reads the RECORD lines of one stream with the schema that its last SCHEMA message gave.

    Rows are decoded in bulk with strict types. What that refuses is halved until the odd rows stand alone, and those
    are read one by one: the answer is the same either way, only slower. With `bare=True` a line is a record without
    its envelope, as in JSON Lines batch files. `may_be_odd` are the columns whose values need not fit.
    """

    def __init__(self, schema: StreamSchema, may_be_odd: Collection[str] = (), *, bare: bool = False) -> None:
        self._schema, self._bare = schema, bare
        self._columns = schema.columns if OMITTED in schema.arrow.names else (*schema.columns, _NAMES)
        self._careful = CarefulReader(schema.stream, self._columns, schema.keys, may_be_odd, bare=bare)
        self._typed: _Typed | None = None
        self._omitted = [column.name for column in self._columns].index(OMITTED)
        self._watches = True
        """Whether no property has come yet that no column takes; a decoder that refuses them is as fast as another."""

    def parse(
        self, lines: bytes, on_invalid: OnInvalid | None = None, *, rows: int | None = None, first: int = 0
    ) -> Parsed:
        """Return the rows of the lines; a bad line goes to `on_invalid` and is left out, or is raised.

        An error's `index` counts the lines from `first`; blank lines are no lines. `rows` is how many lines there
        are, where the caller has counted them.
        """
        if self._typed is None:
            self._typed = _Typed(self._columns, _order(lines, bare=self._bare), bare=self._bare)
        count = lines.removesuffix(b"\n").count(b"\n") + 1 if rows is None else rows
        if self._watches and (whole := self._bulk(self._typed.watch, lines, count)) is not None:
            return whole
        if (whole := self._bulk(self._typed.decode, lines, count)) is not None:
            return replace(whole, undeclared=self._undeclared(lines.split(b"\n")))
        return _joined(self._parts([line for line in lines.split(b"\n") if line.strip()], first, on_invalid))

    def _parts(self, lines: list[bytes], start: int, on_invalid: OnInvalid | None) -> list[Parsed]:
        if len(lines) <= _FEW:
            return [self._one_by_one(lines, start, on_invalid)]
        decode = None if self._typed is None else self._typed.decode
        if (parsed := self._bulk(decode, b"\n".join(lines), len(lines))) is not None:
            return [parsed]
        half = len(lines) // 2
        first = self._parts(lines[:half], start, on_invalid)
        return [*first, *self._parts(lines[half:], start + half, on_invalid)]

    def _bulk(self, decode: Decode | None, lines: bytes, count: int) -> Parsed | None:
        """Return the rows of all lines, or None where one of them is not what the strict types take."""
        if self._typed is None or decode is None:
            return None
        try:
            with _uncollected():
                messages = decode(lines)
                if len(messages) != count:  # two on one line, or one on two: the decoder looks at white space alone
                    return None
                records, extracted, version = self._envelopes(messages)
                arrays = self._typed.arrays(records)
        except _UNFIT:
            return None
        parsed = self._parsed(arrays, extracted, version)
        return None if any(parsed.rows.column(key).null_count for key in self._schema.keys) else parsed

    def _undeclared(self, lines: Sequence[bytes]) -> tuple[str, ...]:
        """Return the names of properties that no column takes, the first time that any come."""
        names = undeclared(lines, self._columns, bare=self._bare) if self._watches else ()
        self._watches = self._watches and not names
        return names

    def _envelopes(self, messages: list[Any]) -> tuple[Sequence[Any], pa.Array | None, pa.Array | None]:
        """Return the records, and what the envelopes say beside them, or None where none says it."""
        if self._bare:
            return messages, None, None
        times = [message.time_extracted for message in messages]  # half of what attrgetter takes
        versions = [message.version for message in messages]
        extracted = version = None
        if times.count(None) < len(times):
            extracted = temporal.instants(pa.array(times, pa.string()))
        if versions.count(None) < len(versions):
            version = pa.array(versions, pa.int64())
        return [message.record for message in messages], extracted, version

    def _one_by_one(self, lines: list[bytes], start: int, on_invalid: OnInvalid | None) -> Parsed:
        rows = self._careful.read(lines, start, on_invalid)
        arrays = [pa.array([row.values[column.name] for row in rows], column.type) for column in self._columns]
        extracted = pa.array([row.extracted_at for row in rows], _INSTANT)
        parsed = self._parsed(arrays, extracted, pa.array([row.version for row in rows], pa.int64()))
        names = dict.fromkeys(name for row in rows for name in row.odd)
        odd = {name: pa.array([row.odd.get(name) for row in rows], pa.string()) for name in names}
        return replace(parsed, undeclared=self._undeclared(lines), odd=odd)

    def _parsed(self, arrays: list[pa.Array], extracted: pa.Array | None, version: pa.Array | None) -> Parsed:
        omitted = names_of(arrays[self._omitted])
        rows = pa.RecordBatch.from_arrays(arrays[: len(self._schema.columns)], schema=self._schema.arrow)
        return Parsed(rows, _said(extracted), _said(omitted), _said(version))


def _said(array: pa.Array | None) -> pa.Array | None:
    return None if array is None or array.null_count == len(array) else array


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking at a row's tuple each: there are no cycles, and it costs a fifth."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class _Typed:
    """Decodes lines with strict types, or has no decoder where a column's name has no place in a struct.

    Its fields stand in the order in which the first record has them: msgspec looks for a key from where it found the
    last one, and with a thousand columns in another order that search is twelve times the rest.
    """

    def __init__(self, columns: Sequence[Column], order: Mapping[str, int], *, bare: bool) -> None:
        ordered = sorted(columns, key=lambda column: order.get(column.source, len(order)))
        places = {column.name: place for place, column in enumerate(ordered)}
        self._places = [places[column.name] for column in columns]
        self._arrays = arrays_of(ordered)
        self.decode = _decoder(ordered, bare=bare, strict=False)
        """Passes over a property that no column takes; None where a column's name has no place in a struct."""
        self.watch = _decoder(ordered, bare=bare, strict=True)
        """Refuses a property that no column takes."""

    def arrays(self, records: Sequence[Any]) -> list[pa.Array]:
        """Return one array a column, in the order of the columns."""
        arrays = self._arrays(records)
        return [arrays[place] for place in self._places]


def _order(lines: bytes, *, bare: bool) -> Mapping[str, int]:
    """Return the place of each key in the first record; of none where it cannot be read: others will say why."""
    line = lines.partition(b"\n")[0]
    try:
        record = line if bare else msgspec.json.decode(line, type=dict[str, msgspec.Raw])["record"]
        return {name: place for place, name in enumerate(msgspec.json.decode(record, type=dict[str, msgspec.Raw]))}
    except (KeyError, *_UNFIT):
        return {}


def _decoder(columns: Sequence[Column], *, bare: bool, strict: bool) -> Decode | None:
    """Return the function that decodes lines, or None where a column's name has no place in a struct."""
    record = record_type(columns, strict=strict)
    if record is None:
        return None
    if bare:
        return msgspec.json.Decoder(record).decode_lines
    fields: list[tuple[str, Any] | tuple[str, Any, Any]]
    fields = [("record", record), ("time_extracted", str | None, None), ("version", int | None, None)]
    return msgspec.json.Decoder(msgspec.defstruct("Message", fields, gc=False)).decode_lines


def _joined(parts: Sequence[Parsed]) -> Parsed:
    """Return the parts as one; a part without an array beside its rows has NULL there."""
    rows = pa.concat_batches([part.rows for part in parts])
    names = dict.fromkeys(name for part in parts for name in part.undeclared)
    odd = dict.fromkeys(name for part in parts for name in part.odd)

    def joined(arrays: list[pa.Array | None], kind: pa.DataType) -> pa.Array:
        pairs = zip(parts, arrays, strict=True)
        return pa.concat_arrays([pa.nulls(len(part.rows), kind) if one is None else one for part, one in pairs])

    def beside(name: str, kind: pa.DataType) -> pa.Array | None:
        arrays = [getattr(part, name) for part in parts]
        return None if all(array is None for array in arrays) else joined(arrays, kind)

    return Parsed(
        rows,
        beside("extracted_at", _INSTANT),
        beside("omitted", NAMES),
        beside("version", pa.int64()),
        tuple(names),
        {name: joined([part.odd.get(name) for part in parts], pa.string()) for name in odd},
    )
