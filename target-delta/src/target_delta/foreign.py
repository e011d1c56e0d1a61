"""Tables with features that only delta-rs itself respects: change feed, constraints, generated columns, column mapping.

Takes rows and a snapshot; gives what delta-rs committed. Slower and hungrier than our own files, and as exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltalake import write_deltalake

from target_delta.plan import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from deltalake import CommitProperties

    from target_delta.snapshot import Snapshot


def append(rows: pa.Table, snapshot: Snapshot, properties: CommitProperties) -> Change:
    """Append rows that have the columns of the table."""
    write_deltalake(snapshot.delta, rows, mode="append", commit_properties=properties)
    return Change((), inserted=rows.num_rows)


def merge(rows: pa.Table, keys: Sequence[str], snapshot: Snapshot, properties: CommitProperties) -> Change:
    """Replace and insert rows that are unique by key and have the columns of the table."""
    follows = set(snapshot.partitioning.keys) <= set(keys)
    known = [column for column in snapshot.partition_by if follows or column in keys]
    found = (
        snapshot.delta.merge(
            rows,
            predicate=predicate(rows, keys, known),
            source_alias="s",
            target_alias="t",
            streamed_exec=False,  # with streaming, equal partition columns prune nothing
            commit_properties=properties,
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
    return Change((), inserted=found["num_target_rows_inserted"], updated=found["num_target_rows_updated"])


def predicate(rows: pa.Table, keys: Sequence[str], partitions: Sequence[str]) -> str:
    """Return when two rows are the same: equal keys, in the partitions that follow from them, as literals."""
    equal = [f"t.{_name(key)} = s.{_name(key)}" for key in keys]
    listed = [f"t.{_name(column)} in ({_literals(rows, column)})" for column in partitions]
    return " and ".join([*equal, *listed])


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _literals(rows: pa.Table, key: str) -> str:
    return ", ".join(_literal(value) for value in rows[key].unique().to_pylist())


def _literal(value: Any) -> str:
    if isinstance(value, (bool, int)):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"
