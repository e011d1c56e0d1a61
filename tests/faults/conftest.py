"""Runs of the loader that end where a test says, forked from one warm process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Ended:
    """How a run ended: its exit code (negative: a signal), the STATE values it printed, its points, its log."""

    code: int
    states: list[Any]
    points: int
    log: str


class Nursery:
    """Starts runs of the loader."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("nursery.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(  # what a run is, and where it ends
        self,
        folder: Path,
        lines: bytes,
        *,
        point: int | None = None,
        step: list[Any] | None = None,
        signum: int = 9,
        **config: Any,
    ) -> Ended:
        """Run the loader over these lines; at `point`, or before a source line runs the n-th time, it gets a signal."""
        (folder / "input").write_bytes(lines)
        (folder / "config.json").write_text(json.dumps({"path": str(folder / "warehouse"), **config}))
        out = folder / "run"
        Path(f"{out}.points").unlink(missing_ok=True)
        order = {
            "config": str(folder / "config.json"),
            "input": str(folder / "input"),
            "out": str(out),
            "point": point,
            "step": step,
            "signal": signum,
        }
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(order), file=self.process.stdin, flush=True)
        code = json.loads(self.process.stdout.readline())["code"]
        printed = Path(f"{out}.out").read_text().split("\n")[:-1]  # what has no newline has not been said
        points = Path(f"{out}.points")
        return Ended(
            code,
            [json.loads(line) for line in printed],
            int(points.read_text()) if points.exists() else 0,
            Path(f"{out}.err").read_text(),
        )

    def close(self) -> None:
        """End the warm process."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """The process that runs are forked from."""
    started = Nursery()
    yield started
    started.close()
