"""All page styles: how one page leads to the next.

Takes nothing; gives the styles by the names that a manifest uses. Other packages add theirs by an entry point.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from singerkit.rest.counting import Offset, PageNumber
from singerkit.rest.cursors import Continue, Cursor, GraphQL, LastId
from singerkit.rest.links import Keyset, Link, NextUrl
from singerkit.rest.paging import Pages, Single

_STYLES: tuple[type[Pages], ...] = (
    Single,
    Link,
    Keyset,
    NextUrl,
    Cursor,
    Offset,
    PageNumber,
    LastId,
    Continue,
    GraphQL,
)


def styles() -> dict[str, type[Pages]]:
    """Return the page styles that a manifest may name: ours, and those of packages that declare one."""
    added = {point.name: point.load() for point in entry_points(group="singerkit.rest.pages")}
    return {style.style: style for style in _STYLES} | added


__all__ = [
    "Continue",
    "Cursor",
    "GraphQL",
    "Keyset",
    "LastId",
    "Link",
    "NextUrl",
    "Offset",
    "PageNumber",
    "Pages",
    "Single",
    "styles",
]
