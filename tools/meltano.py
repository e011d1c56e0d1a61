"""Runs this project's Meltano: `python -m tools.meltano install`, with what pip was told about indexes given to uv.

Takes Meltano's own arguments; gives its exit code. With the plugins installed, Meltano may be called directly as well.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tools.indexes import install_environment
from tools.setup import ENVIRONMENTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MELTANO = ENVIRONMENTS["meltano"].python.with_name("meltano")


def command(*arguments: str) -> list[str]:
    """Return a command of this project's Meltano, whatever the current folder is."""
    return [str(MELTANO), "--cwd", str(ROOT), *arguments]


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for Meltano and the plugins it installs and runs, with settings of theirs added."""
    foreign = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")  # of the shell we were called from; not for the plugins
    return {name: value for name, value in install_environment().items() if name not in foreign} | dict(settings or {})


def main(arguments: Sequence[str]) -> None:
    """Become Meltano."""
    words = command(*arguments)
    os.execve(words[0], words, environment())


if __name__ == "__main__":
    main(sys.argv[1:])
