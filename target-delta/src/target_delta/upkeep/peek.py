"""Some rows of a table, as they are stored: `target-delta peek STREAM`.

Takes a table and a number; gives rows of the newest files first. Reads no more row groups than it needs.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.show.preview import preview_table
from target_delta.scan import read
from target_delta.upkeep.show import is_json, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_delta.upkeep.tables import Found


def shown(table: Found, limit: int, columns: Sequence[str], *, as_json: bool) -> Iterator[str]:
    """Yield up to `limit` rows as lines of text."""
    rows = peek(table, limit, columns)
    if is_json(asked=as_json):
        yield from map(text, rows)
    else:
        names = columns or table.snapshot.schema.names
        yield from preview_table([*rows], names, shutil.get_terminal_size().columns)


def peek(table: Found, limit: int, columns: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield up to `limit` rows with these columns, or with all."""
    snapshot = table.snapshot
    if unknown := [name for name in columns if name not in snapshot.schema.names]:
        raise SettingsError(
            f"the table has no column {unknown[0]}",
            remedy=f"it has: {', '.join(snapshot.schema.names)}", stream=table.stream,
        )  # fmt: skip
    times = snapshot.actions["modification_time"].to_pylist()
    newest = sorted(zip(times, snapshot.files, strict=True), key=lambda pair: pair[0], reverse=True)
    for _, file in newest:
        for rows in read(table.store, file, snapshot.schema, columns or None):
            yield from rows.slice(0, limit).to_pylist()
            limit -= rows.num_rows
            if limit <= 0:
                return
