"""Interleaved rounds of whole commands: A B C A B C ..., medians, ratios to the first.

Takes named shell commands; gives wall and CPU seconds, the peak memory of the largest process, and a Markdown table.
Ratios inside one run are the figures to trust: the machine's mood moves seconds, not ratios.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PAGE_BYTES = resource.getpagesize()
SAMPLE_S = 0.05


@dataclass(frozen=True)
class Contestant:
    """A named shell command, and what happens unmeasured before each of its runs."""

    name: str
    command: str
    before: Callable[[], None] = lambda: None
    env: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Run:
    """What one run cost: seconds of wall and of CPU (user and system), MB of the largest process, MB of all of them."""

    wall_s: float
    cpu_s: float
    largest_mb: float
    total_mb: float


def rounds(contestants: Sequence[Contestant], count: int) -> dict[str, list[Run]]:
    """Run every contestant once a round, `count` rounds; a command that fails ends the benchmark with its output."""
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    for number in range(1, count + 1):
        for contestant in contestants:
            contestant.before()
            run = measure(contestant.command, contestant.env)
            runs[contestant.name].append(run)
            print(f"round {number}  {contestant.name:34} {run.wall_s:7.2f} s wall {run.cpu_s:7.2f} s CPU", flush=True)
    return runs


def measure(command: str, env: Mapping[str, str] | None = None) -> Run:
    """Run one shell command in a session of its own and return what it cost, all of its processes together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command],
        env=os.environ | dict(env or {}),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with _Memory(process.pid) as memory:
        output, _ = process.communicate()
    wall_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {command}\n{output.decode(errors='replace')[-4000:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall_s, cpu_s, memory.largest_mb, memory.total_mb)


def table(runs: Mapping[str, Sequence[Run]], *, rows: int | None = None) -> str:
    """Return a Markdown table of medians, with the wall as a ratio to the first contestant."""
    base = statistics.median(run.wall_s for run in next(iter(runs.values())))
    speed = " rows/s |" if rows else ""
    lines = [
        f"| | wall s | min | CPU s | largest process MB | all MB | wall ratio |{speed}",
        f"|---|---:|---:|---:|---:|---:|---:|{'---:|' if rows else ''}",
    ]
    for name, measured in runs.items():
        wall = statistics.median(run.wall_s for run in measured)
        cells = [
            name.replace("|", "\\|"),  # a bar would end the cell
            f"{wall:.2f}",
            f"{min(run.wall_s for run in measured):.2f}",
            f"{statistics.median(run.cpu_s for run in measured):.2f}",
            f"{statistics.median(run.largest_mb for run in measured):.0f}",
            f"{statistics.median(run.total_mb for run in measured):.0f}",
            f"{wall / base:.2f}",
            *([f"{rows / wall:,.0f}"] if rows else []),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


class _Memory:
    """Samples the resident memory of every process of a session; of the largest also the kernel's own peak."""

    def __init__(self, session: int) -> None:
        self.session, self.largest_mb, self.total_mb = session, 0.0, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_S):
            sizes = list(_resident(self.session))
            self.total_mb = max(self.total_mb, sum(now for now, _ in sizes))
            self.largest_mb = max([self.largest_mb, *(peak for _, peak in sizes)])


def _resident(session: int) -> Iterator[tuple[float, float]]:
    """Yield (resident MB now, peak resident MB) of each process of a session."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[3]) != session:
                continue
            fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            yield int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024
        except (OSError, KeyError, IndexError):  # the process ended while we looked
            continue
