"""What a verb found, for a person or for the next program of a pipe.

Takes rows of named values; gives lines: a table on a terminal, a JSON object a line elsewhere. Changes nothing.
"""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from singerkit.show.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Row = dict[str, Any]
"""One line of an answer; the names are the heads of the table."""
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> Iterator[str]:
    """Yield the rows as JSON where it is asked for or no terminal is there, else as a table of these columns.

    Where the terminal is too narrow, each row is a block, a column a line.
    """
    if is_json(asked=as_json):
        yield from map(text, rows)
        return
    known = [*rows]
    names = [name for name in columns if any(row.get(name) is not None for row in known)]
    cells = [[_cell(row.get(name)) for name in names] for row in known]
    width, whole = shutil.get_terminal_size().columns, [*table(names, cells, grouped=True)]
    if max(map(len, whole), default=0) <= width:
        yield from whole
        return
    for row in cells:
        yield from [*table(["", ""], [*zip(names, row, strict=True)], width=width, grouped=True)][1:]
        yield ""


def is_json(*, asked: bool) -> bool:
    """Return whether the answer is for a program."""
    return asked or not sys.stdout.isatty()


def text(value: Any) -> str:
    """Return a value as JSON in one line."""
    return _ENCODER.encode(value).decode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, dict | list | tuple):
        return text(value)
    return value
