"""Row changes of one table to Arrow batches of its stream, with what happened to each. Pure but for `Reader`.

Takes changes in their order; gives batches in that order. A row whose key changed becomes two: the old key is deleted,
the new one is written. What the log leaves out is NULL and named in `_sdc_omitted`: its stored value stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tap_postgres.cdc import messages as m
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
INSERT, UPDATE, DELETE, READ = "insert", "update", "delete", "read"


def as_read(batch: pa.RecordBatch, lsn: int) -> pa.RecordBatch:
    """Return rows of a snapshot with the columns of a change: they were read at this position."""
    rows = batch.num_rows
    given = {"_sdc_lsn": pa.repeat(pa.scalar(lsn, pa.int64()), rows), "_sdc_op": pa.repeat(pa.scalar(READ), rows)}
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

    @property
    def not_in_identity(self) -> list[str]:
        """The columns of the stream that the log leaves out of a deleted row."""
        pairs = zip(self.readings, self.places, strict=True)
        return [reading.name for reading, place in pairs if place not in self.identity]


class Rows:
    """Gathers the changes of one layout; `count` says how many rows wait."""

    def __init__(self, layout: Layout, lookup: Lookup) -> None:
        self.layout = layout
        self._lookup = lookup
        self._clear()
        self._not_in_identity = layout.not_in_identity

    def add(self, event: RowChange) -> None:
        """Add a change."""
        change, transaction = event.change, event.transaction
        if isinstance(change, m.Insert):
            self._add(INSERT, change.new, transaction)
        elif isinstance(change, m.Update):
            self._update(change, transaction)
        else:
            self._delete(change.old, transaction, full=change.full)

    def take(self, reader: Reader, policy: Policy, stream: str) -> pa.RecordBatch:
        """Return everything that was added as one batch, and forget it."""
        count, values = self.count, list(zip(*self._values, strict=True))
        arrays = []
        for reading, place in zip(self.layout.readings, self.layout.places, strict=True):
            column: Sequence[Any] = values[place] if place is not None else [None] * count
            if m.UNCHANGED in column:
                column = [None if value is m.UNCHANGED else value for value in column]
            arrays.append(reader.read(column, reading, stream))
        columns = [Column(reading.name, reading.rendering) for reading in self.layout.readings]
        raw = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
        batch = self._described(conform(raw, columns, policy, stream))
        self._clear()
        return batch

    def _update(self, change: m.Update, transaction: Transaction) -> None:
        new, old = change.new, change.old
        if old is not None and change.full:
            new = tuple(before if now is m.UNCHANGED else now for before, now in zip(old, new, strict=True))
        if old is not None and self._moved(old, new):
            self._delete(old, transaction, full=change.full)
            new = self._completed(new)
        self._add(UPDATE, new, transaction)

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
        keys = {names[place]: value.decode() for place in self.layout.keys if isinstance(value := new[place], bytes)}
        found = self._lookup(keys, [names[place] for place in missing])
        if found is None:
            return new
        values = dict(zip(missing, found, strict=True))
        return tuple(values.get(place, value) for place, value in enumerate(new))

    def _delete(self, old: m.Row, transaction: Transaction, *, full: bool) -> None:
        self._add(DELETE, old, transaction, None if full else self._not_in_identity)

    def _add(self, op: str, row: m.Row, transaction: Transaction, omitted: Sequence[str] | None = None) -> None:
        if op is UPDATE and m.UNCHANGED in row:
            names = self.layout.names
            omitted = [names[place] for place, value in enumerate(row) if value is m.UNCHANGED]
        if omitted:
            self._omitted[self.count] = omitted
        self._values.append(row)
        self._ops.append(op)
        self._transactions.append(transaction)
        self.count += 1

    def _clear(self) -> None:
        self.count = 0
        self._values: list[m.Row] = []
        self._ops: list[str] = []
        self._transactions: list[Transaction] = []
        self._omitted: dict[int, Sequence[str]] = {}
        """What a row leaves out, by its place."""

    def _described(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with what happened to each row, and when."""
        xids, lsns, times = zip(*self._transactions, strict=True)
        commits = pc.add(pa.array(times, pa.int64()), EPOCH_US)
        deleted = pa.array([op is DELETE for op in self._ops])
        given: dict[str, pa.Array] = {
            "_sdc_lsn": pa.array(lsns, pa.int64()),
            "_sdc_op": pa.array(self._ops, pa.string()),
            "_sdc_xid": pa.array(xids, pa.int64()),
            "_sdc_commit_at": commits,
            "_sdc_deleted_at": pc.if_else(deleted, commits, None),
        }
        for name, (kind, _) in COLUMNS.items():
            batch = batch.append_column(name, pc.cast(given[name], kind))
        if self._omitted:
            names = [self._omitted.get(place) for place in range(self.count)]
            batch = batch.append_column(OMITTED, pa.array(names, pa.list_(pa.string())))
        return batch
