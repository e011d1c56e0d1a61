"""Rows into the partitions of a table, by the values of its own partition columns.

Takes tables; gives their parts with the partition values as a log writes them. Refuses a text that a log cannot keep.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from singerkit.errors import SafetyStopError
from target_delta.arrays import whole
from target_delta.files import SAMPLE_ROWS, DataFile, FileWriter, dictionary_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_delta.files import Layout
    from target_delta.store import Store

Values = tuple[str | None, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MOST_OPEN = 64  # files; each holds a codec's buffers and a descriptor
_NULL = "__HIVE_DEFAULT_PARTITION__"
_SHORT = 1 << 16  # partitions that are numbered in 16 bits, by which NumPy sorts ten times faster


def parts(rows: pa.Table, columns: Sequence[str]) -> Iterator[tuple[Values, pa.Array]]:
    """Yield each combination of partition values and the positions of its rows, in the order of the rows."""
    if not columns:
        yield (), pa.array(np.arange(rows.num_rows))
        return
    if not rows.num_rows:
        return
    texts = [_texts(rows, column) for column in columns]
    coded = [text.dictionary_encode(null_encoding="encode") for text in texts]
    codes, count = np.zeros(rows.num_rows, dtype=np.int64), 1
    for one in coded:
        codes = codes * max(1, len(one.dictionary)) + one.indices.to_numpy(zero_copy_only=False)
        count *= max(1, len(one.dictionary))
    order = np.argsort(codes.astype(np.uint16) if count <= _SHORT else codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        positions = order[start:end]
        yield tuple(text[int(positions[0])].as_py() for text in texts), pa.array(positions)


def _picked(rows: pa.Table, positions: pa.Array) -> pa.Table:
    """Return some of the rows; all of them are not copied."""
    return rows if len(positions) == rows.num_rows else rows.take(positions)


def filled(rows: pa.Table, partition: Mapping[str, str | None], schema: pa.Schema) -> pa.Table:
    """Return the rows of a data file with the partition columns that the file itself does not hold."""
    for name, text in partition.items():
        if name in schema.names and name not in rows.column_names:
            kind = schema.field(name).type
            rows = rows.append_column(name, pa.repeat(pa.scalar(text).cast(kind), rows.num_rows))
    return rows


class PartitionedWriter:
    """One FileWriter a partition; a table without partitions has one."""

    def __init__(
        self, store: Store, schema: pa.Schema, partition_by: Sequence[str], keys: Sequence[str], layout: Layout
    ) -> None:
        self.store = store
        self.schema = schema
        self.partition_by = tuple(partition_by)
        self.keys = keys
        self.layout = layout
        self._inner = pa.schema([field for field in schema if field.name not in self.partition_by])
        self._writers: dict[Values, FileWriter] = {}
        self._dictionary: list[str] | None = None
        """The columns that pay for a dictionary in any partition, or None before it was seen."""

    def write(self, rows: pa.Table) -> None:
        """Write rows to the files of their partitions."""
        if not self.partition_by:
            self.writer(()).write(rows)
            return
        inner = rows.select(self._inner.names).combine_chunks()  # to pick from many chunks joins them, each time
        if self._dictionary is None and rows.num_rows:
            self._dictionary = dictionary_columns(inner.slice(0, SAMPLE_ROWS), self.layout.dictionary_share)
        for values, positions in parts(rows, self.partition_by):
            self.writer(values).write(_picked(inner, positions))
        self._make_room()

    def _make_room(self) -> None:
        """Write short row groups where memory is short, the largest first, and end files where too many are open."""
        waiting = sum(writer.waiting_bytes for writer in self._writers.values())
        most = self.layout.waiting_bytes
        if waiting <= most:
            return
        for writer in sorted(self._writers.values(), key=lambda one: one.waiting_bytes, reverse=True):
            waiting -= writer.waiting_bytes
            writer.spill()
            if waiting <= most // 2:
                break
        opened = [writer for writer in self._writers.values() if writer.is_open]
        for writer in opened[: max(0, len(opened) - MOST_OPEN)]:
            writer.roll()

    def writer(self, values: Values) -> FileWriter:
        """Return the writer of one partition, which takes rows without the partition columns."""
        if values not in self._writers:
            partition = dict(zip(self.partition_by, values, strict=True))
            writer = FileWriter(
                self.store, self._inner, self.keys, self.layout, folder=_folder(partition), partition=partition
            )
            known = (one.dictionary for one in self._writers.values() if one.dictionary is not None)
            writer.dictionary = next(known, self._dictionary)
            self._writers[values] = writer
        return self._writers[values]

    def finish(self) -> list[DataFile]:
        """End all files and return those that were written since the last call."""
        return [file for writer in self._writers.values() for file in writer.finish()]

    def abandon(self) -> None:
        """Delete what was written since the last `finish`."""
        for writer in self._writers.values():
            writer.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.abandon()


def _texts(rows: pa.Table, column: str) -> pa.Array:
    values = whole(rows[column])
    if pa.types.is_string(values.type) and pc.any(pc.equal(values, "")).as_py():
        raise SafetyStopError(
            "a partition column holds an empty text, which Delta would read back as NULL",
            remedy="fill it in the tap, or partition the table by another column",
            column=column,
        )
    return values.cast(pa.string())


def _folder(partition: Mapping[str, str | None]) -> str:
    """Return a folder whose name needs no encoding: readers follow the log, the name is for people."""
    return "".join(f"{_segment(name)}={_segment(value)}/" for name, value in partition.items())


def _segment(text: str | None) -> str:
    if text is None:
        return _NULL
    return text if _PLAIN.fullmatch(text) else f"~{hashlib.sha256(text.encode()).hexdigest()[:12]}"
