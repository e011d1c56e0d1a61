"""Makes the environments of this project from their locks: `python -m tools.setup workspace meltano`.

Takes names of environments; gives each one installed, hash for hash, and byte-compiled. Refuses what no lock names.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.indexes import install_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv/bin/uv"


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where it is, the lock it holds, and whether our own packages live in it."""

    folder: str
    lock: str
    with_members: bool = False

    @property
    def python(self) -> Path:
        """The interpreter of this environment."""
        return ROOT / self.folder / "bin/python"


ENVIRONMENTS = {
    "workspace": Environment(".venv", "requirements.lock", with_members=True),
    "meltano": Environment(".venv-meltano", "requirements-meltano.lock"),
    "strangers": Environment(".venv-strangers", "requirements-strangers.lock"),
}


def members() -> list[Path]:
    """Return the folders of our own distributions, those that others need first."""
    return [
        ROOT / "singerkit",
        *sorted(path.parent for path in ROOT.glob("taps/*/pyproject.toml")),
        ROOT / "target-delta",
    ]


def make(environment: Environment) -> None:
    """Install an environment from its lock, or do nothing where it stands as its inputs ask."""
    stamp = ROOT / environment.folder / "installed"
    wanted = digest(environment)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    if not environment.python.exists():
        uv("venv", "--python", sys.executable, str(ROOT / environment.folder))
    uv("pip", "sync", "--require-hashes", "--python", str(environment.python), environment.lock)
    if environment.with_members:
        editables = [word for folder in members() for word in ("--editable", str(folder))]
        # without isolation the build comes from the lock as well, and the index is not asked again
        uv("pip", "install", "--no-deps", "--no-build-isolation", "--python", str(environment.python), *editables)
    stamp.write_text(wanted)


def compile_members() -> None:
    """Byte-compile our own packages: uv compiles what it copies, and an editable package is not copied."""
    for folder in members():
        compileall.compile_dir(folder / "src", quiet=1)


def digest(environment: Environment) -> str:
    """Return a digest of all that an environment is made from; another one asks for another installation."""
    inputs = [ROOT / environment.lock]
    if environment.with_members:
        inputs += [folder / "pyproject.toml" for folder in members()]
    facts = [sys.version, sys.executable, *(path.read_text() for path in inputs)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def uv(*arguments: str) -> None:
    """Run uv with what pip has been told about indexes; a failure ends the set-up with uv's own words."""
    # a foreign virtual environment may be active in the shell that called us
    environ = {name: value for name, value in install_environment().items() if name != "VIRTUAL_ENV"}
    done = subprocess.run([str(UV), "--quiet", *arguments], cwd=ROOT, env=environ, check=False)
    if done.returncode:
        sys.exit(
            f"set-up stopped: `uv {' '.join(arguments[:2])}` failed with code {done.returncode}; see its message above"
        )


def main(names: Sequence[str]) -> None:
    """Make the named environments, saying which one is being made."""
    for name, environment in _chosen(names):
        if not (ROOT / environment.folder / "installed").exists():
            print(f"making {environment.folder} from {environment.lock} ({name})", file=sys.stderr, flush=True)
        make(environment)
    compile_members()


def _chosen(names: Sequence[str]) -> Iterator[tuple[str, Environment]]:
    for name in names:
        if name not in ENVIRONMENTS:
            sys.exit(f"there is no environment '{name}'; choose from {', '.join(ENVIRONMENTS)}")
        yield name, ENVIRONMENTS[name]


if __name__ == "__main__":
    os.umask(0o022)  # the demo's server may run as another user and must be able to read the wheel
    main(sys.argv[1:])
