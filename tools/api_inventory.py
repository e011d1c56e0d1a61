"""Writes the tables of a tap's api_inventory.md from its rows: `python -m tools.api_inventory`.

Takes rows; gives Markdown between two markers. What people wrote around them stays: limits, stability, what is unsaid.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools.setup import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singerkit.rest.endpoint import Endpoint

PAGE = ROOT / "taps/tap-github/api_inventory.md"
_BETWEEN = re.compile(r"(?<=<!-- rows -->\n).*(?=<!-- end of rows -->)", re.DOTALL)
_HEAD = "| stream | endpoint | one row is | permission | pages | key | bookmark | order |\n| --- " + "| --- " * 7 + "|"


def inventory(rows: Iterable[Endpoint]) -> str:
    """Return a table with a line for each row, and below it what the rows warn of."""
    rows = list(rows)
    warned = [f"- **{row.name}**: {' '.join(row.warnings)}" for row in rows if row.warnings]
    return "\n".join([_HEAD, *map(_line, rows), "", "What the catalog warns of:", "", *warned]) + "\n"


def renewed(page: str, rows: Iterable[Endpoint]) -> str:
    """Return a page with the part between its markers made anew."""
    made = inventory(rows)
    return _BETWEEN.sub(lambda _: made, page)


def _line(row: Endpoint) -> str:
    cells = [
        row.name + ("" if row.selected else " (off)"),
        f"`{row.method} {row.path}`" if row.path else "by its settings",
        row.description.removeprefix("One row ").rstrip("."),
        ", ".join(row.scopes) or "none",
        _pages(row),
        ", ".join(row.keys),
        _bookmark(row),
        _order(row),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _pages(row: Endpoint) -> str:
    size = f", {row.pages.size}" if row.pages.size_param else ""
    return {"keyset": "by `since`, then Link", "graphql": "cursor"}.get(row.pages.style, row.pages.style) + size


def _bookmark(row: Endpoint) -> str:
    if not row.bookmarks:
        return f"none; merged, the vendor keeps {row.vendor_keeps}" if row.vendor_keeps else "none: full load"
    mark = row.bookmarks[0]
    how = "of the parent" if mark.of_parent else f"asked by `{mark.param}`" if mark.param else "read until known"
    back = f", {mark.lookback_s / 86_400:g} days again" if mark.lookback_s else ""
    return f"{mark.field}, {how}{back}"


def _order(row: Endpoint) -> str:
    mark = row.bookmarks[0] if row.bookmarks else None
    if mark is None or mark.order is None:
        return "not needed"
    named = {"sort", "direction"} & {*row.params, *mark.params} or row.method == "POST"
    return f"{mark.order}, {'asked for' if named else 'as observed'}"


def main() -> None:
    """Renew the page."""
    from tap_github.rows import ENDPOINTS

    Path(PAGE).write_text(renewed(PAGE.read_text(encoding="utf-8"), ENDPOINTS), encoding="utf-8")


if __name__ == "__main__":
    main()
