"""One entry of a Delta log that gives a table other partitions: the columns, the properties and all files at once.

Takes a snapshot and the files that take the place of all others; gives whether the entry was the next one of the log.
delta-rs changes no partition columns, so the entry is written here, under the rule of the protocol: a version is never
overwritten. A link keeps to it on a disk; for object stores there is the room `streamed`.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from target_delta.snapshot import APP_ID, KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_delta.files import DataFile
    from target_delta.partitioning import Wanted
    from target_delta.snapshot import Snapshot
    from target_delta.store import Store

_MS = 1000
_DERIVED = {"type": "string", "nullable": True, "metadata": {}}


def swap(store: Store, snapshot: Snapshot, wanted: Wanted, files: Sequence[DataFile], facts: Mapping[str, Any]) -> bool:
    """Put files with other partitions in the place of all files; False where another writer was first."""
    now_ms = int(time.time() * _MS)
    removed = [
        {
            "path": file.logged, "deletionTimestamp": now_ms, "dataChange": False, "extendedFileMetadata": True,
            "partitionValues": dict(file.partition), "size": file.size,
        }
        for file in snapshot.files
    ]  # fmt: skip
    actions: list[dict[str, Any]] = [
        {"commitInfo": {"timestamp": now_ms, "operation": "REPARTITION", **facts}},
        {"metaData": _metadata(snapshot, wanted)},
        {"txn": {"appId": APP_ID, "version": snapshot.transaction + 1, "lastUpdated": now_ms}},
        *({"remove": one} for one in removed),
        *({"add": _added(file)} for file in files),
    ]
    content = b"".join(json.dumps(action, ensure_ascii=False).encode() + b"\n" for action in actions)
    return _put(store, f"_delta_log/{snapshot.version + 1:020}.json", content)


def _metadata(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    """Return what the table says of itself, with other partitions; the words of its columns stay."""
    said, document = snapshot.delta.metadata(), json.loads(snapshot.delta.schema().to_json())
    made = {*snapshot.partition_by} if snapshot.partitioning.is_derived else set()
    fields = [field for field in document["fields"] if field["name"] not in made]
    if wanted.partitioning.is_derived:
        fields.append({"name": wanted.partitioning.columns[0], **_DERIVED})
    return {
        "id": str(said.id),
        "name": said.name,
        "description": said.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({**document, "fields": fields}, ensure_ascii=False),
        "partitionColumns": list(wanted.partitioning.columns),
        "createdTime": said.created_time,
        "configuration": {**said.configuration, **wanted.properties},
    }


def _added(file: DataFile) -> dict[str, Any]:
    return {
        "path": quote(file.path, safe=KEPT), "partitionValues": dict(file.partition), "size": file.size,
        "modificationTime": file.modified_ms, "dataChange": False, "stats": file.stats,
    }  # fmt: skip


def _put(store: Store, path: str, content: bytes) -> bool:
    """Make a file that is not there yet, whole, or say that it is there: a link takes no place that is taken."""
    root = store.root
    if root is None:
        raise ValueError("an object store has no links")
    draft = f"_delta_log/.{uuid.uuid4()}.draft"
    with store.create(draft) as file:
        file.write(content)
    store.sync([draft])
    try:
        os.link(root / draft, root / path)
    except FileExistsError:
        return False
    finally:
        store.delete([draft])
    return True
