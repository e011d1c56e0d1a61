"""The locks: what they hold, what they never name, and that nothing falls behind them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock import CONSTRAINTS, LOCKS, Lock, constraints
from tools.setup import ROOT, members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = re.compile(
    r"(?i)\b(?:index-url|find-links|trusted-host)\b[ =]+['\"]?\w+://[\w-]+\.\w|https?://\S*\.\S*/simple\b"
)


def pins(lock: str) -> dict[str, list[str]]:
    """Return the versions of each package that a lock pins; markers may choose between several."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def needs(lock: Lock) -> Iterator[Requirement]:
    """Yield what the pyproject files ask of a lock, without our own members."""
    own = {folder.name for folder in members()}
    texts = [text for group in lock.groups for text in load(ROOT)["dependency-groups"][group]]
    for folder in members() if lock.of_members else ():
        project = load(folder)["project"]
        texts += project["dependencies"]
        texts += [text for extra in project.get("optional-dependencies", {}).values() for text in extra]
    yield from (need for need in map(Requirement, texts) if canonicalize_name(need.name) not in own)


def load(folder: Path) -> dict[str, dict[str, dict[str, list[str]]]]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def committed_texts() -> Iterator[tuple[str, str]]:
    """Yield every file that git knows here, with its text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            yield name, (ROOT / name).read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.file)
def test_lock_satisfies_the_requirements(lock: Lock) -> None:
    """Each requirement of a pyproject.toml is met by a pin of its lock; where this fails: make lock."""
    pinned = pins((ROOT / lock.file).read_text())

    unmet = [
        str(need)
        for need in needs(lock)
        if not all(
            need.specifier.contains(v, prereleases=True) for v in pinned.get(canonicalize_name(need.name), ["0"])
        )
    ]

    assert unmet == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.file)
def test_every_pin_carries_hashes(lock: Lock) -> None:
    """A lock pins files, not only versions."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock.file).read_text(), flags=re.MULTILINE)[1:]

    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_constraints_say_what_the_lock_says() -> None:
    """constraints.txt is requirements.lock without hashes; where this fails: make lock."""
    assert (ROOT / CONSTRAINTS).read_text() == constraints((ROOT / "requirements.lock").read_text())


def test_constraints_keep_markers_and_drop_hashes() -> None:
    """A pin stays whole: name, version and marker."""
    lock = "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n    # via c\nd==3 ; python_version < '3.12' \\\n"

    assert constraints(lock).splitlines()[1:] == ["a==1", "d==3 ; python_version < '3.12'"]


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is said by the machine, never by the repository."""
    own = "tests/test_workspace_locks.py"

    assert [name for name, text in committed_texts() if name != own and ADDRESS.search(text)] == []


def test_uv_is_the_same_everywhere() -> None:
    """The uv that bootstraps is the one in the workspace's lock."""
    files = ("requirements-uv.lock", "requirements.lock")

    assert len({tuple(pins((ROOT / file).read_text())["uv"]) for file in files}) == 1
