"""The history of a table, kept beside it: every version of its rows, and when each was valid.

Takes rows as they came to the table's loader, and what the table's log says; gives commits to `<stream>__history`.
Refuses a table that only delta-rs itself can write.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from singerkit.errors import SafetyStopError, StoreError
from target_delta.arrays import whole
from target_delta.conform import conform
from target_delta.history import entries
from target_delta.keys import KeySet, keyed, last_per_key
from target_delta.loaders import named_as
from target_delta.metadata import DELETED_AT
from target_delta.omitted import COLUMN as OMITTED
from target_delta.omitted import masks_of
from target_delta.plan import Change
from target_delta.remembered import Remember, Side, lost
from target_delta.scan import read
from target_delta.since import MOVES, Since, files_at, since
from target_delta.validity import FROM, Seen, columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from target_delta.commit import Committer
    from target_delta.files import Layout
    from target_delta.history import Entry
    from target_delta.omitted import Masks
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.table import Table

FOLLOWED = "target-delta.followed"
"""The transaction whose version is that of the table up to which its history goes."""
OF = "target-delta.followed.table"
"""The transaction whose version stands for that table: one that was dropped and made anew has another."""
TOGETHER = 131_072  # rows of one commit: the stored versions of their keys are in memory
COMMITTED = "_sdc_commit_at"
"""When the source committed a change: what change data capture says."""
_EXTRACTED = "_sdc_extracted_at"
MOST_ROUNDS = 40  # in which other writers may be faster
_INSTANT = pa.timestamp("us", "UTC")
_DIGITS = 15  # hexadecimal, of a number that fits a transaction


class _OutrunError(Exception):
    """Another run has brought the history forward meanwhile."""


@dataclass
class Past:
    """Keeps the history of one table.

    The table is committed first. The history says in its own commit up to which version of the table it goes, so a run
    that ends between the two is mended by the next: what the table has by now is compared with what it had then.
    """

    table: Table
    committer: Committer
    """Of the history."""
    keys: Sequence[str]
    layout: Layout
    time: str | None = None
    """The column that says when a row changed: rows may come late. None: they come in the order of their changes."""
    versions: Sequence[str] = ()
    """The columns that order changes of one time."""
    _noted: list[pa.Table] = field(default_factory=list)
    _files: tuple[int, list[LiveFile]] | None = None
    """The version that was followed last, and the files that the table had then."""
    _at: int = -1
    """The version of the history that was seen last."""

    @property
    def order(self) -> Sequence[str]:
        """The columns by which the table, too, knows the newest row of a key; none where arrival does.

        A change that was captured has a time, and rows of a first copy have none: these come in their order.
        """
        return self.versions or tuple(name for name in [self.time] if name not in (None, COMMITTED))

    def note(self, rows: pa.Table) -> None:
        """Take rows as they came, before the last one of each key was chosen.

        With a time each is a change; without, they say whose rows may have changed in the table.
        """
        self._noted.append(rows if self.time else rows.select(self.keys))

    def follow(self) -> Change:
        """Bring the history up to the table's newest version, and return what came; again where another was at it."""
        for _ in range(MOST_ROUNDS):
            try:
                return self._follow()
            except _OutrunError:
                continue
        raise StoreError(
            "other writers brought the history forward in every round",
            remedy="let fewer programs write this table at the same time",
            stream=self.table.stream, rounds=MOST_ROUNDS,
        )  # fmt: skip

    def _follow(self) -> Change:
        """Do it once.

        1. See the history before the table, and up to which version of the table it goes.
        2. Take the rows that were noted; where that is not all that happened, compare the table with what it was.
        3. Commit them piece by piece; the last commit says up to which version of the table the history goes.
        """
        past = self.committer.table.snapshot()  # 1
        self._at = -1 if past is None else past.version
        now = self.table.snapshot()
        if now is None or (upto := _followed(past, now)) == now.version:
            return Change(())
        if not set(self.keys) <= set(now.columns.names):  # one became a key: no row of the table has it yet
            return Change(())
        self._refuse_foreign(now)
        pieces = self._pieces(now, upto)  # 2
        piece, changes = next(pieces, None), []
        while piece is not None:
            following = next(pieces, None)
            changes.append(self._commit(piece, now, None if following else now.version))  # 3
            piece = following
        if not changes:
            self._commit(Seen(columns(now.columns).empty_table()), now, now.version)
        self._noted, self._files = [], (now.version, now.files)
        adds = [file for change in changes for file in change.adds]
        inserted, updated = (sum(getattr(change, name) for change in changes) for name in ("inserted", "updated"))
        return Change(adds, inserted=inserted, updated=updated)

    def _pieces(self, now: Snapshot, upto: int | None) -> Iterator[Seen]:
        happened = since(self.table.store, now.version, upto)
        noted = all(map(self._is_noted, happened.commits)) and happened.is_known
        for came in self._noted if self.time else ():
            rows = named_as(came, now.columns)
            own = rows.drop_columns([*{OMITTED} & {*rows.column_names}])
            for seen in self._seen(own, happened.time, masks_of(rows)):
                yield replace(seen, dated_by=self.time)
        if not noted or not self.time:
            yield from self._compared(now, upto, happened, self._noted_keys(now) if noted else None)

    def _noted_keys(self, now: Snapshot) -> KeySet | None:
        """Return the keys of the rows that were noted, as the table has them; None where none were."""
        if not self._noted:
            return None
        schema = pa.schema([now.schema.field(key) for key in self.keys])
        batches = [conform(batch, schema) for rows in self._noted for batch in rows.to_batches()]
        return KeySet(last_per_key(pa.Table.from_batches(batches, schema), self.keys), self.keys)

    def _compared(self, now: Snapshot, upto: int | None, happened: Since, only: KeySet | None) -> Iterator[Seen]:
        """Yield what the table has and had not, or all that it has, and the keys that it has no more.

        Where `only` some keys can have changed, the other rows of their files were written again as they were.
        """
        schema, then, store = now.columns, self._then(upto) if happened.is_known else None, self.table.store
        known, live = {file.path for file in then or ()}, {file.path for file in now.files}
        went = [file for file in then or () if file.path not in live]
        if any(store.size(file.path) != file.size for file in went):  # vacuum was there
            then, known = None, set()
        came = [file for file in now.files if file.path not in known]
        for file in came:
            for rows in read(store, file, now.schema, schema.names):
                # from before a column became a key it is NULL there: such a row has no key that could be followed
                of_keys = pa.array(keyed(rows, self.keys)) if only is None else only.positions(rows).is_valid()
                some = rows.filter(of_keys)
                yield from self._seen(some, happened.time)
        if then is not None and not happened.may_delete:
            return
        before = Side(store, went, now.schema)
        if then is None:
            past = self.committer.table.snapshot()
            before = Side(self.committer.table.store, past.files if past else [], past.schema if past else schema)
        for gone in lost(before, Side(store, came, now.schema), self.keys):
            yield Seen(self._dated(gone, happened.began, deleted=True), gone=True)

    def _then(self, upto: int | None) -> list[LiveFile] | None:
        """Return the files that the table had at a version, or None where nothing tells any more."""
        if self._files is not None and self._files[0] == upto:
            return self._files[1]
        return None if upto is None else files_at(self.table.store, upto)

    def _seen(self, rows: pa.Table, time: datetime, omitted: Masks | None = None) -> Iterator[Seen]:
        dated = self._dated(rows, time, deleted=False)
        for start in range(0, dated.num_rows, TOGETHER):
            some = {name: mask[start : start + TOGETHER] for name, mask in (omitted or {}).items()}
            yield Seen(dated.slice(start, TOGETHER), some)

    def _dated(self, rows: pa.Table, time: datetime, *, deleted: bool) -> pa.Table:
        """Return rows with the time of their change: that of a deletion, of the row, of its reading, of its commit."""
        at = pa.repeat(pa.scalar(time, _INSTANT), rows.num_rows)
        if deleted:
            rows = rows.append_column(DELETED_AT, at)
        known = [name for name in (DELETED_AT, self.time, _EXTRACTED) if name in rows.column_names]
        return rows.append_column(FROM, pc.coalesce(*(_instants(whole(rows[str(name)])) for name in known), at))

    def _commit(self, seen: Seen, now: Snapshot, followed: int | None) -> Change:
        """Commit what was seen, with the columns of the table, which the history has or gets."""
        past = self.committer.table.snapshot()
        table, contract = columns(now.columns), self.committer.contract
        came = pa.schema([one for one in table if one.name in seen.rows.column_names])
        shape = contract.shape(None if past is None else past.schema, came)
        batches = [shape.fitted(conform(batch, came), {}).rows for batch in seen.rows.to_batches()]
        rows = pa.Table.from_batches(batches, schema=shape.columns)
        remember = Remember(
            self.committer.table.store, replace(seen, rows=rows), self.keys, self.versions, self.layout,
            self.committer.alive, self.time,
        )  # fmt: skip

        def plan(snapshot: Snapshot) -> Change:
            self._refuse_outrun(snapshot)
            return remember.plan(snapshot)

        schema = contract.shape(None if past is None else past.schema, table).columns
        noted = {} if followed is None else {FOLLOWED: followed, OF: _identity(now)}
        landed = self.committer.commit(schema, plan, noted=noted)
        self._at = landed.version
        return landed.change

    def _refuse_outrun(self, past: Snapshot) -> None:
        """Begin anew where another run has written to the history: what was seen may be older than what that saw."""
        for entry in entries(self.committer.table.store, past.version):
            if entry.version <= self._at:
                return
            if entry.run not in (None, self.committer.run) and entry.upkeep not in MOVES:
                raise _OutrunError

    def _is_noted(self, entry: Entry) -> bool:
        """Return whether all that a commit changed is among the rows that were noted."""
        return entry.run == self.committer.run and not entry.full_load and not entry.upkeep

    def _refuse_foreign(self, now: Snapshot) -> None:
        if now.is_foreign:
            raise SafetyStopError(
                "a table with features that delta-rs alone respects can have no history beside it",
                remedy="set history to false for the stream, or load it into a table without them",
                stream=self.table.stream, features=" ".join(now.foreign_features),
            )  # fmt: skip


def _followed(past: Snapshot | None, now: Snapshot) -> int | None:
    """Return the version of the table up to which a history goes, or None where that is none of this table's."""
    if past is None or past.delta.transaction_version(OF) not in (None, _identity(now)):
        return None
    found = past.delta.transaction_version(FOLLOWED)
    return None if found is None or found > now.version else int(found)


def _identity(table: Snapshot) -> int:
    """Return a number that stands for a table, whatever becomes of it."""
    return int(hashlib.sha256(str(table.delta.metadata().id).encode()).hexdigest()[:_DIGITS], 16)


def _instants(column: pa.Array) -> pa.Array:
    """Return times as instants; days are their midnights, and times of no zone are in UTC."""
    micros = column if pa.types.is_timestamp(column.type) else column.cast(pa.timestamp("us"))
    return micros.cast(pa.timestamp("us", micros.type.tz)).cast(pa.int64()).cast(_INSTANT)
