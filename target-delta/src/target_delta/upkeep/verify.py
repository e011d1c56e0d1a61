"""Whether a table is what its log says, and its rows what they promise: `target-delta verify`.

Takes a table; gives a finding a check. Reads all rows, a row group at a time, unless it is asked to be quick.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from target_delta.metadata import DELETED_AT
from target_delta.partition import COLUMN
from target_delta.scan import read
from target_delta.unique import edges, keys_between
from target_delta.upkeep.doubled import in_order, kept
from target_delta.validity import ADDED, FROM, astray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.store import Store
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

_MILLISECOND_US = 1000
COLUMNS = ("stream", "check", "good", "looked_at", "problems", "example")


@dataclass
class Finding:
    """What one check found."""

    check: str
    looked_at: int = 0
    problems: int = 0
    example: str | None = None

    def problem(self, what: str, count: int = 1) -> None:
        """Note a problem; the first one is told."""
        self.problems += count
        self.example = self.example or what

    def row(self, stream: str) -> Row:
        """Return what is said of it."""
        return {
            "stream": stream,
            "check": self.check,
            "good": not self.problems,
            "looked_at": self.looked_at,
            "problems": self.problems,
            "example": self.example,
        }


def verify(table: Found, keys: Sequence[str] = (), *, quick: bool = False) -> Iterator[Row]:
    """Yield what each check finds.

    log: the entries since the last checkpoint are all there. files: each live file is there, of the size that the log
    says. rows: as many as it says. statistics: no value is outside of the bounds by which readers pass a file over.
    partitions: each row lies in the partition that follows from it. keys: no key is NULL or there twice. validity, of a
    history: each version of a key is valid until the next one begins.
    """
    files = _files(table.store, table.snapshot)
    found = [_log(table.store, table.snapshot), files]
    if not quick and not files.problems and not table.snapshot.is_foreign:
        found += _Rows(table).look()
        if chosen := tuple(keys) or table.keys():
            found.append(_keys(table, chosen))
            if FROM in chosen and {*ADDED.names, DELETED_AT} <= {*table.snapshot.schema.names}:
                found.append(_validity(table, [name for name in chosen if name != FROM]))
    yield from (finding.row(table.stream) for finding in found)


def _log(store: Store, snapshot: Snapshot) -> Finding:
    finding = Finding("log")
    names = {path.rsplit("/", 1)[1] for path in store.names("_delta_log")}
    points = [int(name.split(".")[0]) for name in names if ".checkpoint" in name and name[:20].isdecimal()]
    first = max((point for point in points if point <= snapshot.version), default=-1) + 1
    for version in range(first, snapshot.version + 1):
        finding.looked_at += 1
        name = f"{version:020}.json"
        if name not in names:
            finding.problem(f"{name} is missing")
            continue
        try:
            [json.loads(line) for line in store.read(f"_delta_log/{name}").splitlines() if line.strip()]
        except ValueError:
            finding.problem(f"{name} is not JSON")
    return finding


def _files(store: Store, snapshot: Snapshot) -> Finding:
    finding = Finding("files", len(snapshot.files))
    for file in snapshot.files:
        size = store.size(file.path)
        if size is None:
            finding.problem(f"{file.path} is missing")
        elif size != file.size:
            finding.problem(f"{file.path} has {size} bytes, not {file.size}")
    return finding


def _keys(table: Found, keys: Sequence[str]) -> Finding:
    finding = Finding("keys")
    files = in_order(table.store, table.snapshot)
    for file, mask in zip(files, kept(table.store, files, table.snapshot.schema, keys, _go_on), strict=True):
        finding.looked_at += len(mask)
        if count := int((~mask).sum()):
            finding.problem(f"{file.path} holds rows whose key ({', '.join(keys)}) is there again", count)
    for file in files:
        for rows in read(table.store, file, table.snapshot.schema, keys):
            if count := sum(rows[name].null_count for name in keys):
                finding.problem(f"{file.path} holds a key that is NULL", count)
    return finding


def _validity(table: Found, keys: Sequence[str]) -> Finding:
    finding, schema = Finding("validity"), table.snapshot.schema
    key, bounds = edges(table.store, table.snapshot.files, schema, keys)
    for low, high in pairwise(bounds):
        columns = [*keys, *ADDED.names, DELETED_AT]
        _, versions = keys_between(table.store, table.snapshot.files, schema, columns, key, low, high)
        finding.looked_at += versions.num_rows
        if wrong := astray(versions, keys).select(list(keys)).to_pylist():
            first = ", ".join(f"{name}={value}" for name, value in wrong[0].items())
            finding.problem(
                f"the versions of {first} overlap, leave a time out, or tell wrongly which is current", len(wrong)
            )
    return finding


def _go_on() -> None:
    """Nothing asks a verb to stop but a signal, which ends it."""


@dataclass
class _Rows:
    """The rows of a table beside what the log says of each file."""

    table: Found
    counts: Finding = field(default_factory=lambda: Finding("rows"))
    bounds: Finding = field(default_factory=lambda: Finding("statistics"))
    parts: Finding = field(default_factory=lambda: Finding("partitions"))

    def look(self) -> list[Finding]:
        """Read every file, and return the findings."""
        snapshot = self.table.snapshot
        for said, file in zip(snapshot.actions.to_pylist(), snapshot.files, strict=True):
            try:
                self._look_at(file, said)
            except pa.ArrowException as error:
                self.counts.problem(f"{file.path} cannot be read: {error}")
        return [self.counts, self.bounds, *([self.parts] if snapshot.partitioning.is_derived else [])]

    def _look_at(self, file: LiveFile, said: dict[str, Any]) -> None:
        count, nulls = 0, defaultdict[str, int](int)
        for rows in read(self.table.store, file, self.table.snapshot.schema):
            count += rows.num_rows
            self._look_at_bounds(file, said, rows)
            self._look_at_partition(file, rows)
            for name in rows.column_names:
                nulls[name] += rows[name].null_count
        self.counts.looked_at += count
        if said["num_records"] not in (None, count):
            self.counts.problem(f"{file.path} has {count} rows, not {said['num_records']}")
        for name, found in nulls.items():
            if said.get(f"null_count.{name}") not in (None, found) and name not in file.partition:
                self.bounds.problem(f"{file.path}: {name} is NULL {found} times, not {said[f'null_count.{name}']}")

    def _look_at_bounds(self, file: LiveFile, said: dict[str, Any], rows: pa.Table) -> None:
        for name in rows.column_names:
            low, high = said.get(f"min.{name}"), said.get(f"max.{name}")
            if (low is None and high is None) or name in file.partition:
                continue
            self.bounds.looked_at += 1
            kind = rows.schema.field(name).type
            ends = pc.min_max(rows[name])
            if not ends["min"].is_valid:
                continue
            outside = (low is not None and pc.less(ends["min"], pa.scalar(low).cast(kind)).as_py()) or (
                high is not None and _is_above(ends["max"], pa.scalar(high).cast(kind))
            )
            if outside or _has_nan(rows[name]):
                self.bounds.problem(f"{file.path}: {name} has values outside of its bounds")

    def _look_at_partition(self, file: LiveFile, rows: pa.Table) -> None:
        partitioning = self.table.snapshot.partitioning
        if not partitioning.is_derived:
            return
        self.parts.looked_at += rows.num_rows
        right = pc.equal(partitioning.values(rows), pa.scalar(file.partition[COLUMN], pa.string()))
        if count := rows.num_rows - (pc.sum(right).as_py() or 0):
            self.parts.problem(f"{file.path} holds rows of another partition", count)


def _is_above(greatest: pa.Scalar, high: pa.Scalar) -> bool:
    """Return whether a value is above a bound: those of instants are whole milliseconds, and no later one may exist."""
    if pa.types.is_timestamp(greatest.type):
        micros = [one.cast(pa.timestamp("us", one.type.tz)).cast(pa.int64()).as_py() for one in (greatest, high)]
        return bool(micros[0] - micros[1] >= _MILLISECOND_US)
    return bool(pc.greater(greatest, high).as_py())


def _has_nan(column: pa.ChunkedArray) -> bool:
    """Return whether a NaN is there: it is greater than any bound."""
    return bool(pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py())
