"""What STATE keeps of change data capture: for each stream how far it has come, of which table, on which server. Pure.

    {"replication_key": "_sdc_lsn", "replication_key_value": 24159191,
     "capture": {"system": "75...", "timeline": 1, "table": {...}}}

Takes bookmarks; gives positions. Refuses a bookmark that is not one of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from singerkit import bookmarks
from singerkit.errors import SettingsError
from tap_postgres.cdc import lsn as positions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_postgres.cdc.facts import Attribute, CapturedTable, Published

KEY = "_sdc_lsn"
_NUMERIC_OIDS = frozenset({1700, 1231})  # numeric, numeric[]: the modifier is part of the value's type
_RELOAD = "reload"


class Identity(NamedTuple):
    """Which cluster a server is one of, and its timeline: a promoted replica begins a new one."""

    system: str
    timeline: int


@dataclass(frozen=True)
class Position:
    """Every change of the stream that committed before `lsn` has been sent; `shape` is the table as it was then.

    What the server may forget ends at `begin`, where a transaction lies that was prepared before `lsn` and has not
    committed yet.
    """

    lsn: int
    server: Identity
    shape: Mapping[str, Any]
    begin: int

    def as_bookmark(self) -> dict[str, Any]:
        """Return what STATE keeps."""
        begin = {"begin": self.begin} if self.begin != self.lsn else {}
        return {
            bookmarks.KEY: KEY,
            bookmarks.VALUE: self.lsn,
            "capture": {**self.server._asdict(), **begin, "table": dict(self.shape)},
        }

    def as_load(self) -> dict[str, Any]:
        """Return what STATE keeps of a load that has not ended, beside its parts."""
        return {"lsn": self.lsn, **self.server._asdict(), "table": dict(self.shape)}

    def to_reload(self, why: str) -> Position:
        """Return the position of a table whose rows have to be read anew."""
        return replace(self, shape={_RELOAD: why})


def read(bookmark: Mapping[str, Any], stream: str) -> Position | None:
    """Return the position of a stream, or None where its changes have not been captured yet."""
    if bookmark.get(bookmarks.KEY) != KEY:
        return None
    capture = bookmark.get("capture")
    found = _position(bookmark.get(bookmarks.VALUE), capture if isinstance(capture, dict) else None)
    if found is None:
        remedy = "mend the state, or remove the stream's bookmark to read it from the start"
        raise SettingsError("the bookmark is not a position of the log", stream=stream, remedy=remedy)
    return found


def of_load(load: Any) -> Position | None:
    """Return where the changes begin that belong to a first load which was cut short, or None."""
    return _position(load.get("lsn"), load) if isinstance(load, dict) else None


def _position(lsn: Any, capture: Mapping[str, Any] | None) -> Position | None:
    if capture is None or not _is_position(lsn):
        return None
    table, timeline = capture.get("table"), capture.get("timeline")
    server = Identity(str(capture.get("system")), timeline if _is_position(timeline) else 0)
    begin = capture.get("begin")
    return Position(lsn, server, table if isinstance(table, dict) else {}, begin if _is_position(begin) else lsn)


def _is_position(found: Any) -> TypeGuard[int]:
    return isinstance(found, int) and not isinstance(found, bool) and found >= 0


def all_of(state: Mapping[str, Any], streams: Iterable[str]) -> list[Position]:
    """Return the positions of these streams, or none of them where one has none yet."""
    kept = state.get("bookmarks")
    kept = kept if isinstance(kept, dict) else {}
    found = [read(kept.get(stream) or {}, stream) for stream in streams]
    known = [position for position in found if position is not None]
    return known if len(known) == len(found) else []


def stored(state: Mapping[str, Any], streams: Iterable[str], server: Identity | None = None) -> int | None:
    """Return the position before which a STATE says that all changes of these streams are stored, or None.

    Where a server is named, a STATE of another one says nothing.
    """
    found = all_of(state, streams)
    if server is not None and any(position.server != server for position in found):
        return None
    return min((position.begin for position in found), default=None)


def shape_of(
    table: CapturedTable,
    published: Published | None = None,
    gone: Iterable[str] = (),
    left_out: Iterable[str] = (),
) -> dict[str, Any]:
    """Return what STATE keeps of a table, of how it is published, and of columns.

    Those that are gone since it was read, and those that were there and not selected.
    """
    columns = [[a.number, a.name, a.type_oid, a.typmod] for a in table.columns]
    written = [a.written for a in table.columns]
    shape = {"oid": table.oid, "filenode": table.filenode, "columns": columns, "written": written}
    shape |= {name: found for name, names in (("gone", gone), ("left_out", left_out)) if (found := sorted(names))}
    return shape | ({"published": published.as_shape()} if published else {})


def gone_of(shape: Mapping[str, Any], now: CapturedTable) -> set[str]:
    """Return the columns that a table had when it was read, and has no more: a loader keeps their values."""
    return _names(shape) - {attribute.name for attribute in now.columns}


def _names(shape: Mapping[str, Any]) -> set[str]:
    gone, columns = shape.get("gone", ()), shape.get("columns", ())
    return {name for name in gone if isinstance(name, str)} | {
        column[1] for column in columns if isinstance(column, list) and len(column) == 4
    }


def must_reload(shape: Mapping[str, Any], now: CapturedTable, published: Published | None = None) -> str:
    """Return why the rows of a table have changed in a way that its log does not tell, or nothing.

    ALTER TABLE writes no row into the log: a column with a default, another type or another name changes rows that
    nobody updates. Nor does the log have what was written while the table was in no publication.
    """
    if _RELOAD in shape:
        return str(shape[_RELOAD])
    if shape.get("oid") != now.oid:
        return "the table was made anew"
    if published and shape.get("published", published.as_shape()) != published.as_shape():
        return "it is published in another way"
    before = {column[0]: column for column in shape.get("columns", ()) if isinstance(column, list) and len(column) == 4}
    names = _names(shape)
    rewritten = shape.get("filenode") != now.filenode
    written = dict(zip(before, found if isinstance(found := shape.get("written"), list) else (), strict=False))
    for attribute in now.columns:
        known = before.get(attribute.number)
        if known is None and attribute.name in names:
            return f"column {attribute.name} was dropped and made anew"
        altered = rewritten and written.get(attribute.number, attribute.written) != attribute.written
        if reason := _changed(known, attribute, rewritten=rewritten, altered=altered):
            return f"column {attribute.name} {reason}"
    return ""


def _changed(before: list[Any] | None, now: Attribute, *, rewritten: bool, altered: bool) -> str:
    if before is None:
        return "was added with values in it" if now.filled or rewritten else ""
    _, name, type_oid, typmod = before
    if name != now.name:
        return f"was called {name}"
    if type_oid != now.type_oid or (typmod != now.typmod and (rewritten or type_oid in _NUMERIC_OIDS)):
        return "has another type"
    return "was altered, and the table written again" if altered else ""  # TYPE text USING upper(v), say


def parted(history: str, timeline: int) -> int | None:
    """Return where a timeline ended by the history of a later one, or None where that does not come from it.

    A line of the server's history: number of a timeline, position where the next one began, and why.
    """
    for line in history.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == str(timeline):
            return positions.from_text(words[1])
    return None
