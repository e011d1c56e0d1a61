"""The input of a run, loaded into a folder of its own beside the tables, to be compared with them.

Takes Singer messages; gives the folder and how each stream would reach its table. Changes nothing else: BATCH files
stay, no STATE leaves, and the folder is deleted in the end.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import msgspec

from target_delta.batches import ASKED
from target_delta.lines import Other, pieces
from target_delta.partition_choice import wanted
from target_delta.router import Router
from target_delta.source import blocks
from target_delta.table import Table
from target_delta.target import TargetDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from target_delta.partitioning import Wanted
    from target_delta.schema import StreamSchema
    from target_delta.settings import LoadMethod
    from target_delta.stream import Stream

    ColumnsOf = Callable[[str], pa.Schema | None]

_OF_THE_RUN = ("report_file", "hard_delete", "table_path", "history")
"""Settings that speak of the run or of the table, not of what came."""


@dataclass(frozen=True)
class Coming:
    """A stream of the input."""

    stream: str
    keys: Sequence[str]
    method: LoadMethod
    wanted: Wanted
    """The partitions of its table, where there is none yet."""


@dataclass(frozen=True)
class Beside:
    """What was loaded."""

    path: str
    """The folder that holds a table a stream, where rows came."""
    streams: Sequence[Coming]


class _Quiet(TargetDelta):
    """A loader whose STATE nobody reads."""

    def _write_state_message(self, state: Mapping[str, Any]) -> None:
        """Say nothing: nothing is durable where the tap would go on from."""


class _Seeded(Router):
    """Finds tables with the columns that the real ones have, and without a row."""

    columns_of: ColumnsOf

    def opened(self, schema: StreamSchema, source: str) -> Stream:
        """Return a stream whose table has the columns that decide what becomes of single rows."""
        name, chosen = schema.stream, self.run.settings
        table = Table(self.run.store_of(name), name, wanted(schema, chosen.partitioning_of(name)))
        columns = self.columns_of(name) if chosen.contract_of(name).looks else None
        if columns is not None and set(table.partitioning.keys) <= set(columns.names):
            table.create(columns)
        return super().opened(schema, source)


@contextmanager
def loaded(source: IO[Any], config: Mapping[str, Any], columns_of: ColumnsOf = lambda _: None) -> Iterator[Beside]:
    """Load the input by the settings into a temporary folder, until the end of the block.

    `columns_of` says which columns the table of a stream has, where there is one.
    """
    with tempfile.TemporaryDirectory(prefix="target-delta-") as folder:
        own = {name: value for name, value in config.items() if name not in _OF_THE_RUN}
        target = _Quiet(config={**own, "path": folder, "compact_files": 0}, validate_config=True)
        plain = target.router()
        router = _Seeded(plain.run, plain.maps, plain.emit)
        router.columns_of = columns_of
        schemas: dict[str, bytes] = {}
        try:
            for block in blocks(source):
                for piece in pieces(block or b"", schemas):
                    target.raise_if_stopped()
                    router.take(_kept(piece) if isinstance(piece, Other) else piece)
            router.finish()
        except BaseException:
            router.abandon()
            raise
        finally:
            router.run.worker.stop()
        chosen = target.settings
        coming = [
            Coming(
                name,
                stream.schema.keys,
                chosen.method_of(name, keyed=bool(stream.schema.keys)),
                wanted(stream.schema, chosen.partitioning_of(name)),
            )
            for name, stream in router.streams.items()
        ]
        yield Beside(folder, coming)


def _kept(message: Other) -> Other:
    """Return the message without the wish that its files be deleted."""
    if ASKED.encode() not in message.line:
        return message
    content = msgspec.json.decode(message.line)
    content.pop(ASKED, None)
    return Other(msgspec.json.encode(content))
