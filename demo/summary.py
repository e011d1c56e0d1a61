"""What the two runs did, as a table for a person.

Takes two runs; gives text. Refuses nothing: a stream that a run did not meet has zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.project import Run

COUNTERS = ("rows", "inserted", "updated")
HEADS = ("read", "inserted", "updated")


def summary(first: Run, second: Run) -> str:
    """Return the counts of both runs beside each other, a line a stream, with totals, seconds and rows a second."""
    rows = list(_rows(first, second))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    half = len(COUNTERS)
    group = sum(widths[1 : 1 + half]) + 2 * (half - 1)
    lines = [f"{'':{widths[0]}}  {'first run':>{group}}  │  {'second run':>{group}}"]
    for row in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(f"{row[0]:{widths[0]}}  {'  '.join(cells[:half])}  │  {'  '.join(cells[half:])}")
    lines.insert(2, "─" * max(map(len, lines)))
    lines.insert(-3, lines[2])
    return "\n".join(line.rstrip() for line in lines)


def _rows(first: Run, second: Run) -> Iterator[list[str]]:
    yield ["table", *HEADS, *HEADS]
    for stream in sorted({*first.streams, *second.streams}):
        counts = [run.streams.get(stream, {}).get(counter, 0) for run in (first, second) for counter in COUNTERS]
        yield [stream, *(f"{count:,.0f}" for count in counts)]
    yield ["all", *(f"{run.total(counter):,}" for run in (first, second) for counter in COUNTERS)]
    yield _last("seconds", f"{first.seconds:.1f}", f"{second.seconds:.1f}")
    yield _last("rows a second", *(f"{run.total('rows') / run.seconds:,.0f}" for run in (first, second)))


def _last(name: str, first: str, second: str) -> list[str]:
    """Return a row with one figure for each run, under its first column."""
    return [name, first, "", "", second, "", ""]
