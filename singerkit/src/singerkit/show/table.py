"""Text tables: columns as wide as their widest cell, numbers to the right. Pure.

Takes rows of cells; gives lines. A cell is one line: what would break it is shown as a blank.
"""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ELLIPSIS = "…"


def table(
    head: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None, grouped: bool = False
) -> Iterator[str]:
    """Yield a head and a line a row; None is an empty cell. No line is longer than `width` columns of a terminal.

    `grouped` writes numbers for reading, as 1,234.50.
    """
    texts = [[_text(cell, grouped=grouped) for cell in row] for row in rows]
    right = [_is_numeric([row[place] for row in rows]) for place in range(len(head))]
    widths = [max(map(_columns, [name, *(row[place] for row in texts)])) for place, name in enumerate(head)]
    if width is not None:
        widths = _fitted(widths, width)
    for row in [[*head], *texts]:
        cells = [_padded(cell, size, to_right=end) for cell, size, end in zip(row, widths, right, strict=True)]
        yield "  ".join(cells).rstrip()


def _text(cell: Any, *, grouped: bool) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if grouped and isinstance(cell, int | float):
        return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"
    return "".join(letter if letter.isprintable() else " " for letter in str(cell))


def _is_numeric(cells: Sequence[Any]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, int | float | Decimal) and not isinstance(cell, bool) for cell in known)


def _fitted(widths: Sequence[int], width: int) -> list[int]:
    """Return widths that fit: the widest columns give way first, none below a few letters."""
    fitted = [*widths]
    while sum(fitted) + 2 * (len(fitted) - 1) > width and max(fitted) > 4:
        widest = max(range(len(fitted)), key=fitted.__getitem__)
        fitted[widest] -= 1
    return fitted


def _padded(text: str, size: int, *, to_right: bool) -> str:
    if _columns(text) > size:
        while _columns(text) > size - 1:
            text = text[:-1]
        text += ELLIPSIS
    blanks = " " * (size - _columns(text))
    return blanks + text if to_right else text + blanks


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: East Asian letters take two, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return wide - sum(unicodedata.combining(letter) != 0 for letter in text)
