"""Write the table of settings into docs/reference/target-delta.md from the loader's own rows; a test holds it to them.

Run: python -m tools.target_delta_reference
"""

from __future__ import annotations

from pathlib import Path

from singerkit.settings.about import table
from singerkit.settings.schema import settings_schema
from target_delta.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "target-delta.md"
BEGIN, END = "<!-- settings: made by python -m tools.target_delta_reference -->", "<!-- end of settings -->"


def page(text: str) -> str:
    """Return the page with the table between its marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}{END}{after}"


def settings_table() -> str:
    """Return a line for every setting."""
    return table(settings_schema(Settings)) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
