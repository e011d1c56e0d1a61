"""Whether a store refuses to overwrite an entry of a table's log: without that, of two writers one loses its commit.

Takes the address of all tables; gives nothing where the proof succeeds, once and for all. Refuses a store that lets a
second writer overwrite the first.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TYPE_CHECKING

from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.schema import PrimitiveType

from singerkit.errors import SafetyStopError
from target_delta.names import folder_address
from target_delta.store import Store
from target_delta.table import ONE_TRY
from target_delta.warehouse import reached

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "_target-delta"
"""Beside the tables: no stream's folder begins so."""
PROVEN = f"{FOLDER}/refuses-overwrites"
"""A file that says that the proof was made."""
WRITERS, ROUNDS = 4, 3  # measured: of a store that overwrites, all four succeed in most rounds


def prove(root: str, options: Mapping[str, str], *, single_writer: bool = False) -> None:
    """Stop where the store lets two writers commit the same version; the log of a table on a disk never does.

    1. See that the store answers. For a single writer that is all.
    2. A file says that it was proven before, by whatever run.
    3. Writers that see the same version of a table of their own commit to it at the same moment, a few times; one alone
       may succeed each time. One after the other would prove nothing: delta-rs looks before it writes.
    4. Leave the file, and take the table away.
    """
    store = Store(root, options)
    if store.root is not None:
        return
    known = FOLDER in reached(store)  # 1
    if single_writer or (known and store.size(PROVEN) is not None):  # 2
        return
    folder = f"{FOLDER}/{uuid.uuid4()}"
    try:
        if not _refuses(folder_address(root, folder), store.options):  # 3
            raise SafetyStopError(
                "the store lets a writer overwrite what another has just committed, and such a commit is lost",
                remedy="let it honour conditional writes (If-None-Match; for S3 see aws_conditional_put), or set "
                "single_writer if never two programs write these tables at once",
                path=root,
            )
        store.publish(PROVEN, b"true\n")  # 4
    finally:
        with suppress(OSError):  # who may not delete here leaves a few small files
            store.delete_folder(folder)


def _refuses(uri: str, options: dict[str, str]) -> bool:
    DeltaTable.create(uri, Schema([Field("nothing", PrimitiveType("string"))]), storage_options=options)
    with ThreadPoolExecutor(WRITERS) as threads:
        for _ in range(ROUNDS):
            start = Barrier(WRITERS)
            tables = [DeltaTable(uri, storage_options=options) for _ in range(WRITERS)]
            if sum(threads.map(lambda table, start=start: _commits(table, start), tables)) > 1:
                return False
    return True


def _commits(table: DeltaTable, start: Barrier) -> bool:
    """Return whether a commit from this version of the table succeeded, once all writers are there."""
    start.wait()
    how = CommitProperties(max_commit_retries=ONE_TRY)
    try:
        table.create_write_transaction([], mode="append", schema=table.schema(), partition_by=[], commit_properties=how)
    except CommitFailedError:
        return False
    return True
