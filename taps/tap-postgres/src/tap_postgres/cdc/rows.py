"""Row changes of one table to Arrow batches of its stream, with what happened to each. Pure but for `Reader`.

Takes changes in their order; gives batches in that order. A row whose key changed becomes two: the old key is deleted,
the new one is written. What the log leaves out is NULL and named in `_sdc_omitted`: its stored value stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tap_postgres.cdc import cells
from tap_postgres.cdc import messages as m
from tap_postgres.cdc.pgoutput import ProtocolError, read_cells, write_cells
from tap_postgres.values import Column, conform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_postgres.cdc.changes import RowChange, Transaction
    from tap_postgres.cdc.values import Reader, Reading
    from tap_postgres.values import Policy

    Lookup = Callable[[Mapping[str, str], Sequence[str]], Sequence[bytes | None] | None]
    """A key and names of columns -> the texts of these columns as they are now, or None where no row has the key."""

EPOCH_US = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where the server's times begin."""
OMITTED = "_sdc_omitted"
_TIME = {"type": ["string", "null"], "format": "date-time"}
COLUMNS: Mapping[str, tuple[pa.DataType, dict[str, Any]]] = {
    "_sdc_lsn": (pa.int64(), {"type": ["integer", "null"], "minimum": 0, "maximum": 2**63 - 1}),
    "_sdc_op": (pa.string(), {"type": ["string", "null"]}),
    "_sdc_xid": (pa.int64(), {"type": ["integer", "null"], "minimum": 0, "maximum": 2**32 - 1}),
    "_sdc_commit_at": (pa.timestamp("us", "UTC"), _TIME),
    "_sdc_deleted_at": (pa.timestamp("us", "UTC"), _TIME),
}
"""What every row of a captured stream says beside its own columns."""
READ, INSERT, UPDATE, DELETE = range(4)
OPERATIONS = ("read", "insert", "update", "delete")
_U = ord("U")
_COUNT = 8
"""Where the first cell lies in a message with one row: behind kind, relation, what row it is, and how many cells."""


def as_read(batch: pa.RecordBatch, lsn: int) -> pa.RecordBatch:
    """Return rows of a snapshot with the columns of a change: they were read at this position."""
    rows = batch.num_rows
    given = {
        "_sdc_lsn": pa.repeat(pa.scalar(lsn, pa.int64()), rows),
        "_sdc_op": pa.repeat(pa.scalar(OPERATIONS[READ]), rows),
    }
    for name, (kind, _) in COLUMNS.items():
        batch = batch.append_column(name, given[name] if name in given else pa.nulls(rows, kind))
    return batch


@dataclass(frozen=True)
class Layout:
    """How rows of a relation become rows of a stream: its readings, and where in a row each of them lies.

    A place is None for a column that the relation does not have, or did not have then.
    """

    readings: Sequence[Reading]
    places: Sequence[int | None]
    names: Sequence[str]
    """The relation's own columns."""
    keys: Sequence[int]
    """Where the stream's keys lie; empty where it has none."""
    identity: frozenset[int]
    """Where the columns lie that name a row that was deleted."""
    deferrable: bool = False
    """Whether two rows may have the same key until their transaction commits."""

    @property
    def not_in_identity(self) -> list[str]:
        """The columns of the stream that the log leaves out of a deleted row."""
        pairs = zip(self.readings, self.places, strict=True)
        return [reading.name for reading, place in pairs if place not in self.identity]


class Rows:
    """Gathers the changes of one layout; `count` says how many rows wait.

    Rows wait as the bytes that the log has of them, and are read together.
    """

    def __init__(self, layout: Layout, lookup: Lookup) -> None:
        self.layout = layout
        self._lookup = lookup
        self._plain = b"N" + len(layout.names).to_bytes(2)
        """How the row begins in a message that has no other, behind its kind and its relation."""
        self._not_in_identity = layout.not_in_identity
        self._taken: set[bytes] = set()
        """Keys that rows of `_within` have taken, where keys are deferrable."""
        self._within: Transaction | None = None
        self._clear()

    @property
    def count(self) -> int:
        """How many rows wait."""
        return len(self._rows)

    def add(self, event: RowChange) -> None:
        """Add a change; a row without a word about what it was is added as it stands."""
        _, data, at, transaction = event
        if data[at + 5 : at + _COUNT] == self._plain and not self.layout.deferrable:
            self._rows.append(data[at + _COUNT :])
            self._ops.append(UPDATE if data[at] == _U else INSERT)
            self._transactions.append(transaction)
        else:
            self._add(event)

    def take(self, reader: Reader, policy: Policy, stream: str) -> pa.RecordBatch:
        """Return everything that was added as one batch, and forget it."""
        layout = self.layout
        found = cells.columns(self._rows, len(layout.names))
        nothing = pa.nulls(self.count, pa.binary())
        arrays = [
            reader.read(nothing if place is None else found.columns[place], reading, stream)
            for reading, place in zip(layout.readings, layout.places, strict=True)
        ]
        columns = [Column(reading.name, reading.rendering) for reading in layout.readings]
        raw = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
        batch = self._described(conform(raw, columns, policy, stream), found)
        self._clear()
        return batch

    # -- what becomes of a change ----------------------------------------------------------------------------------

    def _add(self, event: RowChange) -> None:
        change, transaction = event.change, event.transaction
        if self.layout.deferrable and transaction is not self._within:
            self._within = transaction
            self._taken.clear()
        if isinstance(change, m.Insert):
            self._write(INSERT, self._whole(change.new), transaction)
        elif isinstance(change, m.Update):
            self._update(change, transaction)
        elif isinstance(change, m.Delete):
            self._delete(self._whole(change.old), transaction, full=change.full)

    def _whole(self, row: m.Row) -> bytes:
        """Return the cells of a row that has as many columns as its relation."""
        if len(row) != len(self.layout.names):
            raise ProtocolError(f"a row has {len(row)} columns in place of {len(self.layout.names)}", 0)
        return write_cells(row)

    def _update(self, change: m.Update, transaction: Transaction) -> None:
        """Add an update; where the row has another key now, the old one is deleted."""
        row, new, old = self._whole(change.new), change.new, change.old
        if old is not None:
            before = self._whole(old)
            if change.full:
                new = tuple(stays if now is m.UNCHANGED else now for stays, now in zip(old, new, strict=True))
            if self._moved(old, new):
                new = self._completed(new)  # first: it may fail
                self._delete(before, transaction, full=change.full)
            row = write_cells(new)
        self._write(UPDATE, row, transaction)

    def _moved(self, old: m.Row, new: m.Row) -> bool:
        """Tell whether the row has another key now; without keys the old row is not named, so nothing moves."""
        return any(old[place] != new[place] and new[place] is not m.UNCHANGED for place in self.layout.keys)

    def _completed(self, new: m.Row) -> m.Row:
        """Return the row with what the log left out: its new key has no stored values, so they are read from the table.

        Where the row has another key by now, or is gone, a later change says so.
        """
        if m.UNCHANGED not in new:
            return new
        names = self.layout.names
        missing = [place for place, value in enumerate(new) if value is m.UNCHANGED]
        found = self._lookup(self._key_of(new), [names[place] for place in missing])
        if found is None:
            return new
        values = dict(zip(missing, found, strict=True))
        return tuple(values.get(place, value) for place, value in enumerate(new))

    def _delete(self, old: bytes, transaction: Transaction, *, full: bool) -> None:
        left = self._lookup(self._key_of(self._read(old)), self.layout.names) if self._is_shared(old) else None
        if left is None:
            self._write(DELETE, old, transaction, full=full)
        else:
            self._write(UPDATE, write_cells(tuple(left)), transaction)

    def _write(self, op: int, row: bytes, transaction: Transaction, *, full: bool = True) -> None:
        if self.layout.deferrable and op != DELETE:
            self._taken.add(self._name_of(row))
        if not full:
            self._named.append(len(self._rows))
        self._rows.append(row)
        self._ops.append(op)
        self._transactions.append(transaction)

    # -- keys that two rows may share ------------------------------------------------------------------------------

    def _is_shared(self, old: bytes) -> bool:
        """Tell whether a row that goes leaves its key to another, as where two rows swap theirs.

        Which row has a key in the end, the log does not say: it is read from the table.
        """
        return self.layout.deferrable and self._name_of(old) in self._taken

    def _name_of(self, row: bytes) -> bytes:
        values = self._read(row)
        return write_cells(tuple(values[place] for place in self.layout.keys))

    def _read(self, row: bytes) -> m.Row:
        return read_cells(row, len(self.layout.names))

    def _key_of(self, row: m.Row) -> dict[str, str]:
        names = self.layout.names
        return {names[place]: value.decode() for place in self.layout.keys if isinstance(value := row[place], bytes)}

    # -- batches ---------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._rows: list[bytes] = []
        self._ops = bytearray()
        self._transactions: list[Transaction] = []
        self._named: list[int] = []
        """Which rows are deleted ones of which only the identity is known."""

    def _described(self, batch: pa.RecordBatch, found: cells.Cells) -> pa.RecordBatch:
        """Return the batch with what happened to each row, and when."""
        xids, lsns, times = zip(*self._transactions, strict=True)
        ops = pa.Array.from_buffers(pa.int8(), len(self._ops), [None, pa.py_buffer(bytes(self._ops))])
        commits = pc.add(pa.array(times, pa.int64()), EPOCH_US)
        given: dict[str, pa.Array] = {
            "_sdc_lsn": pa.array(lsns, pa.int64()),
            "_sdc_op": pa.DictionaryArray.from_arrays(ops, pa.array(OPERATIONS)),
            "_sdc_xid": pa.array(xids, pa.int64()),
            "_sdc_commit_at": commits,
            "_sdc_deleted_at": pc.if_else(pc.equal(ops, DELETE), commits, None),
        }
        for name, (kind, _) in COLUMNS.items():
            batch = batch.append_column(name, pc.cast(given[name], kind))
        if omitted := self._omitted(found):
            names = [omitted.get(number) for number in range(batch.num_rows)]
            batch = batch.append_column(OMITTED, pa.array(names, pa.list_(pa.string())))
        return batch

    def _omitted(self, found: cells.Cells) -> dict[int, Sequence[str]]:
        """Return which columns a row leaves out, by its number."""
        names = self.layout.names
        omitted: dict[int, Sequence[str]] = {
            number: [names[place] for place in places] for number, places in found.unchanged.items()
        }
        return omitted | dict.fromkeys(self._named, self._not_in_identity) if self._not_in_identity else omitted
