"""A Singer STATE rebuilt from the tables, for a pipeline whose own was lost.

Takes the root of the tables; gives a STATE. Refuses a root that holds no table. Before every bookmark no row of its
stream is missing; it may be older than the last STATE of the run.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from target_delta.history import last_bookmark
from target_delta.store import Store
from target_delta.table import Table
from target_delta.wall import store_errors
from target_delta.warehouse import reached, tables_below

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOGGER = logging.getLogger("target-delta")


def exported(root: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the STATE that the tables below a root stand for."""
    known: dict[str, tuple[int, Any]] = {}
    with store_errors("all", root):
        reached(store := Store(root, options))
        tables = [*tables_below(store)]
        for store in tables:
            _note(store, known)
    if not tables:
        raise SettingsError("no table is there", remedy="give the path that the loader writes to", path=root)
    return {"bookmarks": {stream: bookmark for stream, (_, bookmark) in sorted(known.items())}}


def _note(store: Store, known: dict[str, tuple[int, Any]]) -> None:
    """Add the newest bookmark of a table; of two tables that one stream fills, the one written to longer ago counts."""
    snapshot = Table(store, "").snapshot()
    if snapshot is None:
        return
    entry = last_bookmark(store, snapshot.version)
    if entry is None:
        _LOGGER.info("the log of a table holds no bookmark, table=%s", snapshot.delta.metadata().name)
        return
    stream = entry.source or str(snapshot.delta.metadata().name)
    if stream not in known or entry.made_ms < known[stream][0]:
        known[stream] = (entry.made_ms, entry.bookmark)
