"""What a source has, for a person: the catalog as a table, a line a stream and its remarks below it. Pure.

Takes a Singer catalog; gives lines. For a pipe the catalog stays JSON, as every other program expects it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.show.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HEAD = ("stream", "keys", "method", "replication key", "rows", "partition")


def stream_table(catalog: Mapping[str, Any], width: int | None = None) -> Iterator[str]:
    """Yield a head and a line a stream: keys, how it is read, about how many rows, how it could be cut, and remarks.

    A column that says nothing of any stream is left out.
    """
    streams: Sequence[Mapping[str, Any]] = catalog["streams"]
    rows = [_row(one) for one in streams]
    shown = [place for place, name in enumerate(HEAD) if name == "stream" or any(row[place] for row in rows)]
    cells = [[row[place] for place in shown] for row in rows]
    head, *lines = table([HEAD[place] for place in shown], cells, width=width, grouped=True)
    yield head
    for line, stream in zip(lines, streams, strict=True):
        yield line
        yield from (f"    ! {remark}" for remark in _remarks(stream))
    yield f"{len(streams)} streams" if len(streams) != 1 else "1 stream"


def _row(stream: Mapping[str, Any]) -> Sequence[Any]:
    root = _root(stream)
    return (
        stream["tap_stream_id"],
        ", ".join(stream.get("key_properties") or ()),
        stream.get("replication_method") or root.get("forced-replication-method") or "",
        stream.get("replication_key") or "",
        stream.get("row_count"),
        _partition(stream["schema"].get("x-partition") or {}),
    )


def _remarks(stream: Mapping[str, Any]) -> Iterator[str]:
    if _root(stream).get("selected-by-default") is False:
        yield "read only where it is selected"
    if not stream.get("key_properties"):
        yield "no key: a loader can only append its rows"
    yield from map(str, stream["schema"].get("x-warnings", ()))


def _root(stream: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (entry["metadata"] for entry in stream.get("metadata", ()) if not entry["breadcrumb"])
    return next(found, {})


def _partition(hint: Mapping[str, Any]) -> str:
    """Return a hint in few words: `md5 of id, 8 parts`, `datetime of created_at, by month`."""
    if not hint:
        return ""
    how = {
        "md5": lambda: f", {hint['count']} parts" if hint.get("count") else "",
        "numerical": lambda: f", {hint['size']:,} a part" if hint.get("size") else "",
        "datetime": lambda: f", by {hint['format']}" if hint.get("format") else "",
    }
    keys = ", ".join(map(str, hint.get("keys", ())))
    return f"{hint['mode']} of {keys}" + how.get(hint["mode"], lambda: "")()
