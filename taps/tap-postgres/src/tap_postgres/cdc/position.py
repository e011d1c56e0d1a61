"""What STATE keeps of change data capture: for each stream how far it has come, of which table, on which server. Pure.

    {"replication_key": "_sdc_lsn", "replication_key_value": 24159191, "capture": {"system": "75...", "table": {...}}}

Takes bookmarks; gives positions. Refuses a bookmark that is not one of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit import bookmarks
from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_postgres.cdc.facts import Attribute, CapturedTable

KEY = "_sdc_lsn"
_NUMERIC_OIDS = frozenset({1700, 1231})  # numeric, numeric[]: the modifier is part of the value's type


@dataclass(frozen=True)
class Position:
    """Every change of the stream that committed before `lsn` has been sent; `shape` is the table as it was then."""

    lsn: int
    system: str
    shape: Mapping[str, Any]

    def as_bookmark(self) -> dict[str, Any]:
        """Return what STATE keeps."""
        return {
            bookmarks.KEY: KEY,
            bookmarks.VALUE: self.lsn,
            "capture": {"system": self.system, "table": dict(self.shape)},
        }


def read(bookmark: Mapping[str, Any], stream: str) -> Position | None:
    """Return the position of a stream, or None where its changes have not been captured yet."""
    if bookmark.get(bookmarks.KEY) != KEY:
        return None
    lsn, capture = bookmark.get(bookmarks.VALUE), bookmark.get("capture")
    if not isinstance(lsn, int) or isinstance(lsn, bool) or lsn < 0 or not isinstance(capture, dict):
        remedy = "mend the state, or remove the stream's bookmark to read it from the start"
        raise SettingsError("the bookmark is not a position of the log", stream=stream, remedy=remedy)
    table = capture.get("table")
    return Position(lsn, str(capture.get("system")), table if isinstance(table, dict) else {})


def stored(state: Mapping[str, Any], streams: Iterable[str]) -> int | None:
    """Return the position before which a STATE says that all changes of these streams are stored, or None."""
    kept = state.get("bookmarks")
    kept = kept if isinstance(kept, dict) else {}
    positions = [read(kept.get(stream) or {}, stream) for stream in streams]
    if not positions or any(position is None for position in positions):
        return None
    return min(position.lsn for position in positions if position is not None)


def shape_of(table: CapturedTable) -> dict[str, Any]:
    """Return what STATE keeps of a table."""
    columns = [[a.number, a.name, a.type_oid, a.typmod] for a in table.columns]
    return {"oid": table.oid, "filenode": table.filenode, "columns": columns}


def must_reload(shape: Mapping[str, Any], now: CapturedTable) -> str:
    """Return why the rows of a table have changed in a way that its log does not tell, or nothing.

    ALTER TABLE writes no row into the log: a column with a default, another type or another name changes rows that
    nobody updates.
    """
    if shape.get("oid") != now.oid:
        return "the table was made anew"
    before = {column[0]: column for column in shape.get("columns", ()) if isinstance(column, list) and len(column) == 4}
    rewritten = shape.get("filenode") != now.filenode
    for attribute in now.columns:
        if reason := _changed(before.get(attribute.number), attribute, rewritten=rewritten):
            return f"column {attribute.name} {reason}"
    return ""


def _changed(before: list[Any] | None, now: Attribute, *, rewritten: bool) -> str:
    if before is None:
        return "was added with values in it" if now.filled or rewritten else ""
    _, name, type_oid, typmod = before
    if name != now.name:
        return f"was called {name}"
    if type_oid != now.type_oid or (typmod != now.typmod and (rewritten or type_oid in _NUMERIC_OIDS)):
        return "has another type"
    return ""
