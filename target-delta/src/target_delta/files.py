"""Arrow tables into Parquet files of one table, each with its Delta statistics.

Takes tables of one schema, any number; gives finished data files that no log names yet. Never rewrites a file.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from target_delta.memory import OPEN_MB, in_open_files
from target_delta.stats import file_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_delta.settings import Settings
    from target_delta.store import Store

ROW_GROUP_ROWS = 131_072  # measured: smaller ones cost CPU, larger ones memory
SAMPLE_ROWS = 32_768  # enough to see the 5,000 codes of a million rows
DICTIONARY_SHARE = 0.2  # of distinct values in the sample, up to which a dictionary pays
_MS = 1000


@dataclass(frozen=True)
class Layout:
    """How data files are written: codec, size in bytes at which the next file begins, row groups, dictionaries."""

    codec: str = "zstd"
    level: int | None = 1
    file_bytes: int = 64 << 20
    row_group_rows: int = ROW_GROUP_ROWS
    dictionary_share: float = DICTIONARY_SHARE
    """The share of distinct values in the sample up to which a column gets a dictionary."""
    waiting_bytes: int = OPEN_MB << 20
    """Of rows in memory over all partitions, before row groups are written short."""


def layout(chosen: Settings) -> Layout:
    """Return how the settings have data files written."""
    level = 1 if chosen.compression in {"zstd", "gzip"} else None
    return Layout(
        chosen.compression, level, chosen.file_size_mb << 20, chosen.row_group_rows, chosen.dictionary_share,
        in_open_files(chosen.max_memory_mb),
    )  # fmt: skip


@dataclass(frozen=True)
class DataFile:
    """One finished Parquet file; `path` is relative to the table, as it is on disk."""

    path: str
    size: int
    rows: int
    stats: str
    partition: Mapping[str, str | None] = field(default_factory=dict)
    modified_ms: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return what a staging manifest keeps of it."""
        return asdict(self)


class FileWriter:
    """Gathers tables into row groups, row groups into files, and begins the next file at the size of the layout."""

    def __init__(  # what a file is made of
        self,
        store: Store,
        schema: pa.Schema,
        keys: Sequence[str],
        layout: Layout,
        *,
        folder: str = "",
        partition: Mapping[str, str | None] | None = None,
    ) -> None:
        self.store = store
        self.schema = schema
        self.keys = frozenset(keys)
        self.layout = layout
        self.folder = folder
        self.partition = dict(partition or {})
        self.dictionary: list[str] | None = None
        """The columns that pay for a dictionary, or None before the first rows were seen."""
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self.waiting_bytes = 0
        self._open: _OpenFile | None = None
        self._done: list[DataFile] = []

    def write(self, table: pa.Table) -> None:
        """Add rows; they are on their way to the store once they fill a row group."""
        if not table.num_rows:
            return
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.waiting_bytes += table.nbytes
        if self._waiting_rows >= self.layout.row_group_rows:
            self._write_groups(whole=True)

    @property
    def is_open(self) -> bool:
        """Whether a file is on its way to the store."""
        return self._open is not None

    def spill(self) -> None:
        """Write what waits for its row group to be full: memory is short."""
        self._write_groups(whole=False)

    def roll(self) -> None:
        """End the current file, so that what follows lies in another one."""
        self._write_groups(whole=False)
        if self._open is not None:
            self._done.append(self._open.finish())
            self._open = None

    def finish(self) -> list[DataFile]:
        """End the current file and return all that were written since the last call."""
        self.roll()
        done, self._done = self._done, []
        return done

    def abandon(self) -> None:
        """Delete what was written since the last `finish`; no log names it."""
        self._waiting, self._waiting_rows, self.waiting_bytes = [], 0, 0
        if self._open is not None:
            with suppress(OSError):  # the store may be what failed
                self._open.close()
            self.store.discard([self._open.path])
            self._open = None
        self.store.discard([file.path for file in self._done])
        self._done = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.abandon()

    def _write_groups(self, *, whole: bool) -> None:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting)
        count = rows.num_rows - rows.num_rows % self.layout.row_group_rows if whole else rows.num_rows
        self._file().write(rows.slice(0, count))
        rest = rows.slice(count)
        self._waiting, self._waiting_rows = ([rest], rest.num_rows) if rest.num_rows else ([], 0)
        self.waiting_bytes = rest.nbytes
        if self._open is not None and self._open.size >= self.layout.file_bytes:
            self._done.append(self._open.finish())
            self._open = None

    def _file(self) -> _OpenFile:
        if self._open is None:
            path = f"{self.folder}part-{uuid.uuid4()}.zstd.parquet".replace("zstd", self.layout.codec)
            self._open = _OpenFile(self, path)
        return self._open


class _OpenFile:
    """One Parquet file on its way to the store."""

    def __init__(self, owner: FileWriter, path: str) -> None:
        self.path = path
        self.owner = owner
        self.schema = owner.schema
        self.keys = owner.keys
        self.layout = owner.layout
        self.partition = owner.partition
        self.nan: set[str] = set()
        self.sink = owner.store.create(path)
        self.writer: Any = None

    @property
    def size(self) -> int:
        return int(self.sink.tell())

    def write(self, rows: pa.Table) -> None:
        if self.writer is None:
            if self.owner.dictionary is None:
                self.owner.dictionary = dictionary_columns(rows.slice(0, SAMPLE_ROWS), self.layout.dictionary_share)
            self.writer = pq.ParquetWriter(
                self.sink,
                self.schema,
                compression=self.layout.codec,
                compression_level=self.layout.level,
                use_dictionary=self.owner.dictionary,
                write_page_index=False,
            )
        self.nan |= _with_nan(rows, self.nan)
        self.writer.write_table(rows, row_group_size=self.layout.row_group_rows)

    def finish(self) -> DataFile:
        self.writer.close()
        size = self.size
        self.sink.close()
        footer = self.writer.writer.metadata
        return DataFile(
            path=self.path,
            size=size,
            rows=footer.num_rows,
            stats=file_statistics(self.schema, footer, keys=self.keys, nan=self.nan),
            partition=self.partition,
            modified_ms=int(time.time() * _MS),
        )

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.sink.close()


def dictionary_columns(sample: pa.Table, share: float) -> list[str]:
    """Return the columns whose values repeat so often that a dictionary makes the file smaller and faster."""
    most = int(sample.num_rows * share) or (1 if share else -1)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_date, pa.types.is_decimal)
    return [
        column.name
        for column in sample.schema
        if any(kind(column.type) for kind in kinds) and pc.count_distinct(sample[column.name]).as_py() <= most
    ]


def _with_nan(rows: pa.Table, known: set[str]) -> set[str]:
    """Return the columns that hold a NaN, at any depth where a log has bounds, other than those that are known."""
    return {name for name in rows.column_names if name not in known and _holds_nan(rows[name])}


def _holds_nan(column: pa.ChunkedArray) -> bool:
    if pa.types.is_struct(column.type):
        return any(_holds_nan(pc.struct_field(column, [place])) for place in range(column.type.num_fields))
    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py())
