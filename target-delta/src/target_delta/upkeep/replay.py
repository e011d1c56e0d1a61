"""Rows of the quarantine, loaded again: `target-delta replay STREAM --catalog FILE`.

Takes the quarantine of a stream and its schema as the tap has it now; gives how many rows found their way. Refuses a
stream without a quarantine. What does not fit still stays where it is, with the reason of now.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from singerkit.errors import SettingsError
from target_delta.conform import conform
from target_delta.history import UPKEEP
from target_delta.loaders import Appender, SoFar, Upserter
from target_delta.names import table_address
from target_delta.parts import PartitionedWriter
from target_delta.plan import Change
from target_delta.scan import read
from target_delta.store import Store
from target_delta.table import Table
from target_delta.upkeep.beside import loaded
from target_delta.upkeep.known import Known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_delta.contract import Contract
    from target_delta.files import Layout
    from target_delta.snapshot import Snapshot
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found

COLUMNS = ("stream", "quarantined", "loaded", "older", "invalid", "replayed")


class _Line(msgspec.Struct):
    type: str | None = None
    record: msgspec.Raw = msgspec.Raw(b"")


_LINE = msgspec.json.Decoder(_Line)
_SHAPES = ("stream_map", "flattening")
"""Settings by which the rows were shaped before they came to the quarantine."""


@dataclass(frozen=True)
class Way:
    """How rows come into their table: the loader's configuration, its files, and what may change of the table."""

    config: Mapping[str, Any]
    layout: Layout
    contract: Contract


def replay(table: Found, aside: Found, message: Mapping[str, Any], way: Way, *, dry_run: bool = False) -> Row:
    """Load the rows of a quarantine by the SCHEMA of now, and return what became of them (or would).

    1. Read them by the SCHEMA, into a folder beside the tables.
    2. Load those that fit, but for rows whose key the table has: what it has came later.
    3. Leave in the quarantine what does not fit; all else leaves it, in one commit.

    A run that dies between 2 and 3 loads rows without keys again.
    """
    lines = io.BytesIO(b"".join(_lines(aside, message)))
    config = {name: value for name, value in way.config.items() if not name.startswith(_SHAPES)}
    config |= {"on_invalid_record": "quarantine", "load_method": None}
    with loaded(lines, config, {table.stream: table.snapshot.columns}.get) as beside:  # 1
        came = _snapshot(beside.path, table.stream)
        rows = _rows(came)
        load = _would_load if dry_run else _load
        new = load(table, came, beside.path, tuple(message["key_properties"]), way) if came else 0  # 2
        invalid = _rows(_snapshot(beside.path, aside.stream)) if dry_run else _keep(aside, beside.path, way.layout)  # 3
    return {
        "stream": table.stream,
        "quarantined": _rows(aside.snapshot),
        "loaded": new,
        "older": rows - new,
        "invalid": invalid,
        "replayed": not dry_run,
    }


def schema_of(catalog: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """Return the SCHEMA message of a stream of a tap's catalog."""
    for entry in catalog.get("streams") or ():
        if stream in (entry.get("stream"), entry.get("tap_stream_id")):
            whole: Mapping[str, Any] = next(
                (one["metadata"] for one in entry.get("metadata") or () if not one.get("breadcrumb")), {}
            )
            keys = entry.get("key_properties") or whole.get("table-key-properties") or []
            return {"type": "SCHEMA", "stream": stream, "schema": entry["schema"], "key_properties": list(keys)}
    raise SettingsError("the catalog has no such stream", remedy="give what the tap's --discover says", stream=stream)


def _lines(aside: Found, message: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the SCHEMA and the records, oldest first; one that came in a file has no envelope yet."""
    yield json.dumps(message).encode() + b"\n"
    kept = [rows for file in aside.snapshot.files for rows in read(aside.store, file, aside.snapshot.schema)]
    ordered = pa.concat_tables([aside.snapshot.schema.empty_table(), *kept]).sort_by("quarantined_at")
    begin = b'{"type": "RECORD", "stream": ' + json.dumps(message["stream"]).encode() + b', "record": '
    for text in ordered["record"].to_pylist():
        record = _record(text.encode())
        yield text.encode() + b"\n" if record is None else begin + record + b"}\n"


def _record(text: bytes) -> bytes | None:
    """Return the record in a line, digit by digit as it came, or None where the line is broken and begins as one."""
    try:
        line = _LINE.decode(text)
    except msgspec.MsgspecError:
        return None if text.startswith(b'{"type"') else text
    return bytes(line.record) if line.type == "RECORD" and line.record else text


def _load(table: Found, came: Snapshot, path: str, keys: tuple[str, ...], way: Way) -> int:
    committer, layout = table.committer(), way.layout
    committer.contract = way.contract
    columns = came.columns
    now = committer.ready(columns)
    committer.keys = keys
    loader = Upserter(committer, columns, keys, layout) if keys else Appender(committer, columns, layout)
    known, loaded_rows = Known(table.store, now, keys), 0
    for file in came.files:
        for rows in read(Store(table_address(path, table.stream), {}), file, columns):
            new = rows.filter(pa.array(~known.find(_placed(rows, now)))) if keys else rows
            loader.write(new)
            loaded_rows += new.num_rows
    if loaded_rows:
        loader.settle(SoFar())
    return loaded_rows


def _would_load(table: Found, came: Snapshot, path: str, keys: tuple[str, ...], way: Way) -> int:
    """Return how many rows would come into the table, which stays as it is; what the contract refuses ends here too."""
    now = table.snapshot
    way.contract.evolved(now.schema, came.columns)
    known, needed = Known(table.store, now, keys), [*dict.fromkeys([*keys, *now.partitioning.keys])]
    new = 0 if keys else _rows(came)
    for file in came.files if keys else ():
        for rows in read(Store(table_address(path, table.stream), {}), file, came.columns, needed):
            new += int((~known.find(now.partitioning.place(rows))).sum())
    return new


def _rows(snapshot: Snapshot | None) -> int:
    return sum(file.rows or 0 for file in snapshot.files) if snapshot else 0


def _placed(rows: pa.Table, now: Snapshot) -> pa.Table:
    """Return rows as the table would hold them."""
    fitted = [conform(batch, now.schema) for batch in rows.to_batches()]
    return now.partitioning.place(pa.Table.from_batches(fitted, schema=now.schema))


def _keep(aside: Found, path: str, layout: Layout) -> int:
    """Put what does not fit in the place of what was tried."""
    still = _snapshot(path, aside.stream)
    store = Store(table_address(path, aside.stream), {})
    schema = aside.snapshot.schema
    with PartitionedWriter(aside.store, schema, aside.snapshot.partition_by, (), layout) as out:
        for file in still.files if still else ():
            for rows in read(store, file, schema):
                out.write(rows)
        adds = out.finish()
    tried, committer = aside.snapshot.files, aside.committer()
    change = Change(adds, tried, reusable=True)
    committer.commit(pa.schema([]), lambda _: change, said={UPKEEP: "replay"})
    return sum(file.rows for file in adds)


def _snapshot(path: str, stream: str) -> Snapshot | None:
    return Table(Store(table_address(path, stream), {}), stream).snapshot()
