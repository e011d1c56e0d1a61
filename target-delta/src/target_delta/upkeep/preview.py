"""What an input would do to the tables: `tap ... | target-delta plan`. Nothing is written to them.

Takes what was loaded beside the tables; gives a row a stream: what would be created, evolved, added and rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.errors import SingerkitError
from target_delta.collisions import in_table
from target_delta.keys import last_per_key
from target_delta.names import Folders, folder_address, table_address
from target_delta.scan import read
from target_delta.store import Store
from target_delta.table import Table, added_columns
from target_delta.upkeep.known import Known
from target_delta.wall import store_errors
from target_delta.widening import is_rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from target_delta.contract import Contract
    from target_delta.settings import Settings
    from target_delta.snapshot import LiveFile, Snapshot
    from target_delta.upkeep.beside import Beside, Coming
    from target_delta.upkeep.show import Row

COLUMNS = (
    *("stream", "action", "rows", "inserted", "updated", "columns", "partitions", "files", "bytes"),
    *("rewritten_files", "rewritten_bytes", "problem"),
)


def columns_of(chosen: Settings, stream: str) -> pa.Schema | None:
    """Return the columns of a stream's table, where the contract looks at each row for them, or None."""
    contract = chosen.contract_of(stream)
    if contract.misfits is None and not contract.discards_rows:
        return None
    store = Store(folder_address(chosen.path, chosen.folder_of(stream)), chosen.storage_options)
    with store_errors(stream, store.uri):
        now = Table(store, stream).snapshot()
    return None if now is None else now.columns


def preview(chosen: Settings, beside: Beside) -> Iterator[Row]:
    """Yield what would become of each stream's table.

    create: there is none. append, upsert: rows are added, or replace those of their keys; files that hold one are
    written again. replace: a full load takes the place of all rows. nothing: no row came. Where the run would stop, the
    problem is what it would say.
    """
    folders = Folders()
    for coming in beside.streams:
        folder = folders.take(coming.stream, chosen.folder_of(coming.stream))
        store = Store(folder_address(chosen.path, folder), chosen.storage_options)
        with store_errors(coming.stream, store.uri):
            came = Table(Store(table_address(beside.path, coming.stream), {}), coming.stream).snapshot()
            row: Row = {"stream": coming.stream, "action": "nothing", "rows": 0}
            if came is not None:
                row |= {
                    "rows": sum(file.rows or 0 for file in came.files),
                    "files": len(came.files),
                    "bytes": sum(file.size for file in came.files),
                }
                try:
                    table = Table(store, coming.stream, coming.wanted)
                    row |= _effect(table, came, coming, beside, chosen.contract_of(coming.stream))
                except SingerkitError as error:
                    row["problem"] = str(error)
        yield row


def _effect(table: Table, came: Snapshot, coming: Coming, beside: Beside, contract: Contract) -> Row:
    now, schema = table.snapshot(), came.columns
    rows = sum(file.rows or 0 for file in came.files)
    if now is None:
        contract.new_table(coming.stream)
        columns = [f"{field.name} {field.type}" for field in schema]
        return {"action": "create", "inserted": rows, "columns": columns, "partitions": str(came.partitioning)}
    if came.full_load is not None:
        columns = [*added_columns(now.schema, contract.of_load(now.schema, schema))]
        return {"action": "replace", "inserted": rows, "columns": columns, **_rewritten(now.files)}
    becomes = contract.evolved(
        now.schema, contract.shape(now.schema, in_table(schema, now.schema)).columns
    )  # says what does not fit
    columns = [*added_columns(now.schema, becomes)]
    widened = is_rewrite(now.schema, becomes)
    row: Row = {"columns": [*columns, *(_changed(now.schema, becomes) if widened else ())]}
    if coming.method != "upsert":
        row |= {"action": "append", "inserted": rows}
    else:
        ours = Store(table_address(beside.path, coming.stream), {})
        row |= {"action": "upsert", **_upsert(table.store, now, coming, ours, came.files)}
    return {**row, **(_rewritten(now.files) if widened else {})}


def _changed(before: pa.Schema, after: pa.Schema) -> list[str]:
    """Return the columns that get another type, for which every file is written again."""
    pairs = [(field, after.field(field.name)) for field in before]
    return [f"{new.name} {old.type} -> {new.type}" for old, new in pairs if not old.type.equals(new.type)]


def _upsert(theirs: Store, now: Snapshot, coming: Coming, ours: Store, files: Sequence[LiveFile]) -> Row:
    """Return how many keys are new, and the files that hold one of the others."""
    known, updated, rows = Known(theirs, now, coming.keys, coming.wanted.immutable), 0, 0
    for file in files:
        for batch in _keyed(ours, file, now, coming):
            rows += batch.num_rows
            updated += int(known.find(batch).sum())
    return {"inserted": rows - updated, "updated": updated, **_rewritten([*known.files.values()])}


def _keyed(store: Store, file: LiveFile, now: Snapshot, coming: Coming) -> Iterator[pa.Table]:
    """Yield the keys of rows with the partition that they have in the table as it is now."""
    partitioning = now.partitioning
    columns = dict.fromkeys([*coming.keys, *partitioning.keys])
    known = [name for name in columns if name in now.schema.names]
    for rows in read(store, file, now.schema, known):
        yield partitioning.place(last_per_key(rows, coming.keys))


def _rewritten(files: Sequence[LiveFile]) -> dict[str, Any]:
    return {"rewritten_files": len(files), "rewritten_bytes": sum(file.size for file in files)}
