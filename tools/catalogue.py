"""The catalogue of the documentation: every installed plugin, those of other packages too, when the pages are built.

Takes mkdocs' pages, as a hook of it; gives reference/plugins.md with a section for each plugin in place of its marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.plugins import plugins
from singerkit.rest.tap import RestTap
from singerkit.settings.about import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singerkit.plugins import Plugin

PAGE = "reference/plugins.md"
MARKER = "<!-- installed plugins -->"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put the catalogue into its page."""
    return markdown.replace(MARKER, catalogue()) if page.file.src_uri == PAGE else markdown


def catalogue() -> str:
    """Return a section for each plugin that is installed and released."""
    return "\n\n".join("\n\n".join(_section(one)) for one in plugins())


def _section(one: Plugin) -> Iterator[str]:
    facts = [
        one.version,
        one.status,
        one.category,
        ", ".join(one.keywords),
        one.docs and f"[documentation]({one.docs})",
    ]
    yield f"## {one.name}"
    yield one.label
    yield " · ".join(fact for fact in facts if fact)
    if reason := one.reason():
        yield f"Not usable here: {reason}."
        return
    found = one.load()
    if isinstance(found, type) and issubclass(found, RestTap) and getattr(found, "endpoints", None):
        yield _streams(found)
    yield table(found.config_jsonschema)


def _streams(tap: type[RestTap]) -> str:
    lines = ["| stream | keys | bookmark | parents | what |", "| --- | --- | --- | --- | --- |"]
    for row in tap.endpoints:
        marks = ", ".join(mark.field for mark in row.bookmarks) or "full load"
        parents = ", ".join(parent.stream for parent in row.parents)
        lines.append(f"| `{row.name}` | {', '.join(row.keys)} | {marks} | {parents} | {row.description} |")
    return "\n".join(lines)
