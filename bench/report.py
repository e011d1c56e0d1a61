"""The page of figures: each benchmark owns one section of docs/reference/benchmarks.md and rewrites only that.

Takes a section's name and Markdown; gives the page on disk. Refuses a section that the page does not have.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs/reference/benchmarks.md"


def write_section(name: str, body: str) -> None:
    """Replace what stands between the markers of a section."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    text = PAGE.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise SystemExit(f"{PAGE} has no section {name}")
    before, rest = text.split(begin, 1)
    PAGE.write_text(before + begin + "\n" + body.strip() + "\n" + end + rest.split(end, 1)[1], encoding="utf-8")


def machine(*packages: str) -> str:
    """Return one line that says where and with what a figure was measured."""
    cpus = len(_affinity())
    with_versions = ", ".join(f"{name} {version(name)}" for name in packages)
    day = datetime.now(UTC).date().isoformat()
    return f"Measured {day} on {cpus} cores, {platform.system()}, Python {platform.python_version()}; {with_versions}."


def _affinity() -> set[int]:
    import os

    return os.sched_getaffinity(0)
