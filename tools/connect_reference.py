"""Writes the tables of settings into the guides to tunnels and logins: `python -m tools.connect_reference`.

Takes the settings classes that plugins share; gives the guides with what stands between the two marks made anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from singerkit.connect.bastion import HOST_KEY, LOGIN, SSHTunnel
from singerkit.connect.logins import Login
from singerkit.settings.about import table
from singerkit.settings.schema import settings_schema
from tools.setup import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FOLDER = ROOT / "docs" / "how-to"
BEGIN, END = "<!-- made by python -m tools.connect_reference -->", "<!-- end of what is made -->"


def pages() -> Mapping[Path, str]:
    """Return the guides as they should be, by their paths."""
    rules = f"Give exactly one of {_names(LOGIN)}, and exactly one of {_names(HOST_KEY)}."
    tunnel = f"{table(settings_schema(SSHTunnel))}\n\n{rules}"
    made = {"ssh-tunnel.md": tunnel, "oauth-login.md": table(settings_schema(Login))}
    return {FOLDER / name: renewed((FOLDER / name).read_text(encoding="utf-8"), text) for name, text in made.items()}


def renewed(page: str, text: str) -> str:
    """Return a page with this text between the marks."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:-1]) + f" and `{names[-1]}`"


def main() -> None:
    """Write the guides."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
