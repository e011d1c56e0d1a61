"""The generated pages of the reference are what the tap's own tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.tap_postgres_reference import pages

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_reference_is_in_step(path: Path) -> None:
    """After a change of settings or types: python -m tools.tap_postgres_reference."""
    written = path.read_text(encoding="utf-8")

    assert written == PAGES[path]
