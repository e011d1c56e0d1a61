"""One captured table in a pass over the slot: the relation as the log shows it, the rows that wait, what is written.

Takes changes; gives SCHEMA, RECORD and ACTIVATE_VERSION messages. Refuses to guess at rows that an ALTER TABLE changed
behind the log's back: the table is parked until it has been read anew.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from tap_postgres.cdc import position as positions
from tap_postgres.cdc.rows import Layout, Rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_postgres.cdc import messages as m
    from tap_postgres.cdc.catalog import Catalog
    from tap_postgres.cdc.changes import RowChange
    from tap_postgres.cdc.facts import CapturedTable, Published
    from tap_postgres.cdc.position import Identity, Position
    from tap_postgres.cdc.values import Reader, Reading
    from tap_postgres.stream import PostgresStream

_LOGGER = logging.getLogger("tap-postgres")


class Table:
    """A stream, its table and its position; `parked` says why the table must be read anew, or nothing."""

    def __init__(
        self, stream: PostgresStream, known: CapturedTable, published: Published, catalog: Catalog, reader: Reader
    ) -> None:
        self.stream = stream
        self.published = published
        self._passed_over = {a.name for a in known.columns} - {column.name for column in stream.columns}
        self.known = known
        self.parked = ""
        self._gone: set[str] = set()
        if position := positions.read(stream.stream_state, stream.name):
            self._gone = positions.gone_of(position.shape, known)
        self.operations = 0
        self.announced = False
        self.since = 0
        """Where this table's changes begin in this pass."""
        self._catalog, self._reader = catalog, reader
        self._relation: m.Relation | None = None
        self._rows: Rows | None = None
        self._readings: dict[str, Reading] | None = None
        self._version = 0

    @property
    def position(self) -> Position | None:
        """How far the stream has come, by its bookmark."""
        return positions.read(self.stream.stream_state, self.stream.name)

    def begin(self) -> None:
        """Note where a pass begins for this table: what committed before is in its snapshot, or was sent."""
        self.since = position.lsn if (position := self.position) else 0

    @property
    def name(self) -> tuple[str, str]:
        """Schema and name."""
        return self.known.schema, self.known.name

    def park(self, why: str) -> None:
        """Take no more changes before the rows have been read anew, in this run or in a later one."""
        self.parked = why
        if position := self.position:
            self.stream.stream_state.update(position.to_reload(why).as_bookmark())

    def shape(self) -> dict[str, Any]:
        """Return what STATE keeps of the table as it is known now."""
        left_out = {column.name for column in self.stream.columns} - self._selected
        return positions.shape_of(self.known, self.published, self._gone, left_out)

    def why_reload(self, shape: Mapping[str, Any]) -> str:
        """Return why rows that were read of a table of this shape have to be read anew, or nothing."""
        if missed := self._selected & set(shape.get("left_out", ())):
            return f"column {min(missed)} was not selected"
        return positions.must_reload(shape, self.known, self.published)

    @property
    def _selected(self) -> set[str]:
        return {column.name for column in self.stream.selected_columns}

    def look_after_load(self) -> dict[str, Any]:
        """Return the shape that goes with the rows that were read; where it changed meanwhile they are read again.

        The snapshot is older than the change, the columns and the pages that were read may be newer.
        """
        self._gone.clear()
        now = self._catalog.tables([self.name]).get(self.name)
        if now is not None and (now.columns, now.filenode) == (self.known.columns, self.known.filenode):
            return self.shape()
        self.parked = "the table was altered while it was read"
        return {"reload": self.parked}

    def take(self, event: RowChange) -> None:
        """Take a change; its relation may be a new one."""
        if event.relation is not self._relation:
            self._adopt(event.relation)
        if self._rows is not None and not self.parked:
            self._rows.add(event)

    def empty(self, relations: Collection[int]) -> None:
        """Say that the table was emptied: a full load of no rows, which replaces what is stored.

        Where only some of its partitions were emptied, nothing says which rows they held.
        """
        self.flush()
        if self.known.oid not in relations and not self.parked:
            now = self._catalog.tables([self.name]).get(self.name)
            if now is None or not now.leaves or not set(now.leaves) <= set(relations):
                self.park("a partition was emptied")
        if self.parked:
            return
        self.announce()
        self._version = max(self._version + 1, int(time.time() * 1000))
        for _ in range(2):
            self.stream.announce_version(self._version)
        self.operations += 1

    def announce(self) -> None:
        """Write the SCHEMA once, before the first row."""
        if not self.announced:
            self.announced = True
            self.stream.announce()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._rows is not None and self._rows.count:
            self.announce()
            batch = self._rows.take(self._reader, self.stream.settings.out_of_range, self.stream.name)
            self.operations += batch.num_rows
            self.stream.write_changes(batch)

    def move(self, lsn: int, begin: int, server: Identity) -> None:
        """Let the bookmark say that everything before a position has been sent, but for what is prepared at `begin`."""
        before = self.position
        if not self.parked and (before is None or before.lsn <= lsn):
            self.stream.stream_state.update(positions.Position(lsn, server, self.shape(), begin).as_bookmark())

    def _adopt(self, relation: m.Relation) -> None:
        """Go on with another shape of the table: a new SCHEMA where it has columns that the stream has not told yet."""
        if self._relation is None or self._relation.columns != relation.columns:  # else a partition of the same shape
            self.flush()
            if not self._fits(relation):
                self._renew()
            if not {*self.stream.primary_keys} <= {column.name for column in relation.columns if column.is_key}:
                self.park("its replica identity did not hold the key")
            if not self.parked:
                self._rows = Rows(self._layout(relation), self._lookup)
        self._relation = relation  # at last: what the server was asked for may not have come

    def _fits(self, relation: m.Relation) -> bool:
        known = {(a.name, a.type_oid, a.typmod) for a in self.known.columns}
        return all((column.name, column.type_oid, column.typmod) in known for column in relation.columns)

    def _renew(self) -> None:
        """Look at the table as it is now. Columns that it has lost since are passed over, those it has won are told."""
        now = self._catalog.tables([self.name]).get(self.name)
        shape = positions.shape_of(self.known, gone=self._gone)
        why = positions.must_reload(shape, now) if now else "it was dropped or renamed"
        if why:
            self.park(why)
        if now is None or self.parked or now.columns == self.known.columns:
            return
        _LOGGER.info("the table has other columns now, stream=%s", self.stream.name)
        self._gone = positions.gone_of(shape, now)
        self.known, self._readings, self.announced = now, None, False
        readings = self._all_readings().values()
        self.stream.adopt([reading for reading in readings if reading.name not in self._passed_over])

    def _layout(self, relation: m.Relation) -> Layout:
        names = [column.name for column in relation.columns]
        readings, kinds = self._all_readings(), {a.name: a.type_oid for a in self.known.columns}
        here = {c.name: n for n, c in enumerate(relation.columns) if kinds.get(c.name) == c.type_oid}
        chosen = [readings[column.name] for column in self.stream.selected_columns if column.name in readings]
        identity = {place for place, column in enumerate(relation.columns) if column.is_key}
        keys = [names.index(key) for key in self.stream.primary_keys if key in names]
        places = [here.get(reading.name) for reading in chosen]
        deferrable = self.known.may_repeat([names[key] for key in keys])
        return Layout(chosen, places, names, keys, frozenset(identity), deferrable)

    def _all_readings(self) -> Mapping[str, Reading]:
        if self._readings is None:
            found = self._catalog.readings(self.known.columns)
            self._readings = {reading.name: reading for reading in found}
        return self._readings

    def _lookup(self, keys: Mapping[str, str], names: Sequence[str]) -> Sequence[bytes | None] | None:
        return self._catalog.row(self.known, dict(keys), names)
