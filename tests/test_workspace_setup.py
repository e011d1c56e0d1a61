"""From a bare machine: what it lacks is said in one line."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LACKS = {
    "no python at all": (None, "there is no '{python}'; install Python 3.11 or newer"),
    "an old python": (
        'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac',
        "is Python 3.9.2; Python 3.11 or newer is needed",
    ),
    "a python without venv": (
        'case "$2" in *ensurepip*) exit 1;; esac',
        "has no venv; install it (Debian, Ubuntu: apt-get install python3-venv)",
    ),
}


@pytest.mark.parametrize(("script", "words"), LACKS.values(), ids=LACKS)
def test_what_a_machine_lacks_is_one_line(script: str | None, words: str, tmp_path: Path, root: Path) -> None:
    """Where Python or its venv is missing, one line says what to install, and nothing is made."""
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    copy = tmp_path / "project/tools/bootstrap.sh"
    copy.parent.mkdir(parents=True)
    copy.write_text((root / "tools/bootstrap.sh").read_text())

    done = subprocess.run(
        ["sh", copy], env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("set-up stopped: ")
    assert words.format(python=python) in done.stderr
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["tools"]


def test_ci_runs_make_test_and_nothing_cleverer(root: Path) -> None:
    """What CI does is what a person does."""
    script = root / ".ci/run"

    assert script.read_text().splitlines()[-1] == "exec make test"
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "docs", "lock", "install"])
def test_make_knows_its_targets(target: str, root: Path) -> None:
    """Every target is there, and each of its recipes is one call of a tool."""
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=root, env=environ, capture_output=True, text=True, check=True
    )

    assert all(
        line.startswith((".venv/bin/python -m ", "NO_MKDOCS_2_WARNING=1 .venv", "PYTHON="))
        for line in done.stdout.splitlines()
    )
