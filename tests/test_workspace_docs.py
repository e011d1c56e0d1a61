"""The documentation: every page can be reached, and what it shows is so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tools.navigation import navigation

if TYPE_CHECKING:
    from pathlib import Path


def test_every_page_stands_in_the_navigation(root: Path) -> None:
    """A page is found by its folder; a page elsewhere would be found by nobody."""
    docs = root / "docs"
    listed = [
        page
        for section in navigation(docs)
        for pages in section.values()
        for page in ([pages] if isinstance(pages, str) else pages)
    ]

    assert sorted(listed) == sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))


def test_sections_come_in_a_readers_order(tmp_path: Path) -> None:
    """First the tutorial, last the decisions; an index leads its section; a folder without pages has none."""
    for page in ("index.md", "adr/0001-a.md", "adr/index.md", "tutorial/start.md", "how-to/b.md", "how-to/a.md"):
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).touch()

    assert navigation(tmp_path) == [
        {"Home": "index.md"},
        {"Tutorial": ["tutorial/start.md"]},
        {"How-to": ["how-to/a.md", "how-to/b.md"]},
        {"Decisions": ["adr/index.md", "adr/0001-a.md"]},
    ]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_front_pages_lead_somewhere(page: str, root: Path) -> None:
    """mkdocs looks after the links in docs/; these pages stand outside."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (root / page).read_text(encoding="utf-8"))

    assert [link for link in links if not (root / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_in_the_front_pages_exist(page: str, root: Path) -> None:
    """A command that a page shows is one that make knows."""
    known = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), flags=re.MULTILINE))

    shown = set(re.findall(r"(?:^|`)make ([a-z-]+)", (root / page).read_text(encoding="utf-8"), flags=re.MULTILINE))

    assert shown <= known
