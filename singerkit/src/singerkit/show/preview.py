"""The first rows of a stream, for a person or for the next program of a pipe.

Takes a tap, the name of a stream and a number; gives lines. Refuses a name that is no stream's, with the nearest.
"""

from __future__ import annotations

import difflib
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from singerkit.errors import SettingsError
from singerkit.settings.secrets import masked
from singerkit.show.table import ELLIPSIS, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singerkit.stream import ArrowStream
    from singerkit.tap import ArrowTap

_WIDEST = 40  # letters of a cell: a row of many columns is to fit into a few lines of a terminal
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def shown(tap: ArrowTap, name: str, limit: int) -> Iterator[str]:
    """Yield the first rows: a table where stdout is a terminal, else a JSON object a line."""
    stream = stream_named(tap, name)
    rows = stream.sample(limit)
    if not sys.stdout.isatty():
        yield from (_ENCODER.encode(dict(row)).decode() for row in rows)
        return
    yield from preview_table([*rows], [*stream.schema["properties"]], shutil.get_terminal_size().columns)


def stream_named(tap: ArrowTap, name: str) -> ArrowStream:
    """Return a stream by its name, or by the part of it after the schema where that is plain."""
    streams = {stream.name: stream for stream in tap.arrow_streams}
    ends = [one for one in streams if one.partition("-")[2] == name]
    if name in streams or len(ends) == 1:
        return streams[name if name in streams else ends[0]]
    near = difflib.get_close_matches(name, streams, n=3, cutoff=0.4)
    known = ", ".join(near or sorted(streams)[:10]) or "none"
    raise SettingsError(f"there is no stream {name}", remedy=f"choose one of: {known}")


def preview_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], width: int) -> Iterator[str]:
    """Yield the rows as a table; where they are wider than the terminal, as one block a row, a column a line."""
    names = [name for name in columns if not rows or any(name in row for row in rows)]
    lines = [*table(names, [[_cell(row.get(name), _WIDEST) for name in names] for row in rows])]
    if max(map(len, lines), default=0) <= width:
        yield from lines
    else:
        for number, row in enumerate(rows, 1):
            yield f"-- row {number}"
            pairs = [(name, str(_cell(row.get(name), width))) for name in names]
            yield from [*table(["", ""], pairs, width=width)][1:]
    yield f"{len(rows)} rows" if len(rows) != 1 else "1 row"


def _cell(value: Any, widest: int) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str):
        value = masked(value)  # before it is cut: a half secret would not be known again
        return value if len(value) <= widest else value[: widest - 1] + ELLIPSIS
    return "" if value is None else value
