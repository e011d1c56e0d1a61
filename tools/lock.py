"""Makes every lock again: `python -m tools.lock`. The locks name versions and hashes, and never an address.

Takes the requirements of the members and of the groups in pyproject.toml; gives four locks and constraints.txt.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.indexes import install_environment
from tools.setup import ROOT, UV, members

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOOR = "3.11"  # the oldest Python that pyarrow still supports
OPTIONS = (
    "--universal",
    f"--python-version={FLOOR}",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--custom-compile-command=make lock",
    "--quiet",
)
CONSTRAINTS = "constraints.txt"
HEADING = """\
# Made by `make lock` from requirements.lock, without the hashes: pip refuses editable requirements beside them.
"""


@dataclass(frozen=True)
class Lock:
    """A lock: its file, the groups of the root pyproject.toml in it, and whether the members' needs are too."""

    file: str
    groups: Sequence[str]
    of_members: bool = False


LOCKS = (
    Lock("requirements.lock", ("bootstrap", "test", "check", "build", "docs"), of_members=True),
    Lock("requirements-meltano.lock", ("meltano",)),  # of its own: Meltano holds SQLAlchemy back
    Lock("requirements-strangers.lock", ("strangers",)),  # other people's plugins, as other people install them
    Lock("requirements-uv.lock", ("bootstrap",)),
)


def compile_command(lock: Lock, *options: str) -> list[str]:
    """Return uv's command for one lock; what stands in the file already is kept where it still fits."""
    command = [str(UV), "pip", "compile", *OPTIONS, *options, f"--output-file={lock.file}"]
    command += [f"--group={group}" for group in lock.groups]
    if lock.of_members:
        folders = [folder.relative_to(ROOT) for folder in members()]
        # uv would write the members as absolute paths of this machine
        command += [f"--no-emit-package={folder.name}" for folder in folders]
        command += ["--all-extras", *(f"{folder}/pyproject.toml" for folder in folders)]
    return command


def constraints(lock: str) -> str:
    """Return the pins of a lock, with their markers and without their hashes."""
    pins = re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+?) *\\?$", lock, flags=re.MULTILINE)
    return HEADING + "".join(f"{pin}\n" for pin in pins)


def main(options: Sequence[str]) -> None:
    """Make all locks; `--upgrade` or `--upgrade-package=NAME` move versions, nothing else does."""
    for lock in LOCKS:
        subprocess.run(compile_command(lock, *options), cwd=ROOT, env=install_environment(), check=True)
    (ROOT / CONSTRAINTS).write_text(constraints((ROOT / "requirements.lock").read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
