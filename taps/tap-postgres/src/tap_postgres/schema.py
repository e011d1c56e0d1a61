"""The JSON Schema of a stream, with what a loader or a person may want to know under `x-` words. Pure.

Takes a table and its columns; gives the schema of its stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_postgres.partition import partition_hint

if TYPE_CHECKING:
    from collections.abc import Generator

    from tap_postgres.discover import Table
    from tap_postgres.values import Column

VIEWS = frozenset({"v", "m"})


def stream_schema(table: Table, columns: list[Column]) -> dict[str, Any]:
    """Return the JSON Schema of a stream, with what a loader may want to know under `x-` words."""
    properties = {
        column.name: column.rendering.schema | ({"description": source.comment} if source.comment else {})
        for column, source in zip(columns, table.columns, strict=True)
    }
    hints = {
        "description": table.comment,
        "x-partition": partition_hint(table),
        "x-foreign-keys": [key.as_hint() for key in table.foreign_keys],
        "x-warnings": list(_warnings(table, columns)),
    }
    return {"type": "object", "properties": properties} | {name: hint for name, hint in hints.items() if hint}


def _warnings(table: Table, columns: list[Column]) -> Generator[str, None, None]:
    if not table.readable:
        yield f"not readable: {table.grants('the role of this tap')}"
    ordered = {column.name for column in columns if column.rendering.ordered}
    for source in table.columns:
        if source.name in ordered and source.type.name in {"date", "timestamp", "timestamptz"}:
            if not source.indexed and table.kind not in VIEWS:
                yield f"{source.name} has no index: as a replication key every run would read the whole table"
            if source.nullable:
                yield f"{source.name} may be NULL: as a replication key such rows are read again by every run"
