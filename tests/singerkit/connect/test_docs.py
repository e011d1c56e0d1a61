"""The tables of settings in the guides are what the settings classes say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.connect_reference import BEGIN, END, pages

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_guide_is_in_step(path: Path) -> None:
    """After a change of settings: python -m tools.connect_reference."""
    written = path.read_text(encoding="utf-8")

    assert written == PAGES[path]
    assert f"{BEGIN}\n\n| Setting |" in written
    assert END in written
