"""What a stream's SCHEMA says: the record's own schema, the parent's columns, and hints that only some loaders read.

Takes rows and their schema files; gives JSON Schemas. Refuses a row whose schema is nowhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from singerkit.rest.endpoint import Endpoint, Parent


def schemas(endpoints: Mapping[str, Endpoint], folder: Traversable | None) -> dict[str, dict[str, Any]]:
    """Return the schema of every stream, parents before children since columns are handed down."""
    done: dict[str, dict[str, Any]] = {}
    for name in endpoints:
        _build(name, endpoints, folder, done)
    return done


def _build(
    name: str, endpoints: Mapping[str, Endpoint], folder: Traversable | None, done: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    if name in done:
        return done[name]
    row = endpoints[name]
    own = _own(row, folder)
    properties = dict(own.get("properties", {}))
    for parent in row.parents:
        above = _build(parent.stream, endpoints, folder, done)["properties"]
        for column, path in parent.columns.items():
            properties.setdefault(column, _handed_down(row, parent, above, column, path))
    done[name] = {"type": "object", **own, "properties": properties, **hints(row)}
    return done[name]


def _own(row: Endpoint, folder: Traversable | None) -> dict[str, Any]:
    if row.schema is not None:
        return dict(row.schema)
    file = folder.joinpath(row.schema_file or f"schemas/{row.name}.json") if folder else None
    if file is None or not file.is_file():
        raise SettingsError(
            "the stream has no schema",
            stream=row.name,
            file=row.schema_file or f"schemas/{row.name}.json",
            remedy="write the file, give the row a `schema`, or let `tap-rest infer` propose one",
        )
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def _handed_down(row: Endpoint, parent: Parent, above: Mapping[str, Any], column: str, path: str) -> Any:
    if path.removeprefix("$.") in above:
        return above[path.removeprefix("$.")]
    raise SettingsError(
        "a column that comes from the parent has no type",
        stream=row.name,
        column=column,
        parent=parent.stream,
        remedy=f"declare {column} in the child's schema, or {path} in the parent's",
    )


def hints(row: Endpoint) -> dict[str, Any]:
    """Return what the row knows and a loader may use; others ignore these words."""
    partition = row.partition
    spread: dict[str, Any] = {"mode": partition.mode, "keys": list(partition.keys)} if partition else {}
    if partition:
        sizes = {"format": partition.format, "count": partition.count, "size": partition.size}
        spread |= {name: value for name, value in sizes.items() if value is not None}
    marks = row.bookmarks
    told: dict[str, Any] = {
        "x-partition": spread,
        "x-sort": (marks[0].order or "none") if marks else "none",
        "x-version-keys": list(row.version_keys),
        "x-vendor-keeps": row.vendor_keeps,
        "x-foreign-keys": [
            {"columns": list(parent.columns), "stream": parent.stream, "references": list(parent.columns.values())}
            for parent in row.parents
            if parent.columns
        ],
        "x-scopes": list(row.scopes),
        "x-warnings": list(row.warnings),
        "description": row.description,
    }
    return {name: value for name, value in told.items() if value}
