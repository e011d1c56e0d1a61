"""The navigation of the documentation: every page there is, by the folder it stands in.

Takes mkdocs' configuration, as a hook of it; gives the same with `nav`. Refuses a page outside the known folders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

SECTIONS = {
    "tutorial": "Tutorial",
    "how-to": "How-to",
    "reference": "Reference",
    "explanation": "Explanation",
    "adr": "Decisions",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the navigation into mkdocs' configuration."""
    config.nav = navigation(Path(config.docs_dir))
    return config


def navigation(docs: Path) -> list[dict[str, Any]]:
    """Return the start page and a section for each folder that has pages, in the order of a reader's way."""
    found = {
        name: sorted((docs / name).rglob("*.md"), key=lambda page: (page.name != "index.md", page)) for name in SECTIONS
    }
    listed = [
        {SECTIONS[name]: [page.relative_to(docs).as_posix() for page in pages]}
        for name, pages in found.items()
        if pages
    ]
    return [{"Home": "index.md"}, *listed]
