"""A process that has imported the loader and forks one run after another, each to be ended at a chosen point.

Reads one JSON order a line on stdin: {config, input, out, point, step, signal}; answers {code, points}. `point` counts
the lines that the rooms below run, on any thread, whatever they do; at that line the run sends itself the signal.
`step` is the text of a line, and how many times it is reached. Nothing of the loader is replaced.
"""

from __future__ import annotations

import gc
import json
import linecache
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import deltalake  # imported here, so that no run pays for it
import pyarrow.parquet  # noqa: F401  # the same

from singerkit import shell
from target_delta import router, target  # noqa: F401  # the same

if TYPE_CHECKING:
    from types import FrameType

ROOMS = (
    *("commit", "files", "full_load", "history", "ledger", "loaders", "parts", "plan", "prune", "repeats", "resume"),
    *("router", "scan", "snapshot", "stale", "staging", "store", "stream", "table", "unique"),
)
FILES = frozenset(os.path.join(os.path.dirname(target.__file__), f"{room}.py") for room in ROOMS)  # noqa: PTH118, PTH120  # compared as text
assert deltalake


class Points:
    """Counts lines, and sends the signal at one of them."""

    def __init__(self, at: int | None, step: tuple[str, int] | None, signum: int) -> None:
        self.at, self.signum, self.count = at, signum, 0
        self.step, self.times = step or ("", 0)

    def watch(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self.line if frame.f_code.co_filename in FILES else None

    def line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.count += 1
            if self.count == self.at or (self.step and self._is_step(frame)):
                os.kill(os.getpid(), self.signum)
        return self.line

    def _is_step(self, frame: FrameType) -> bool:
        if linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() == self.step:
            self.times -= 1
            return self.times == 0
        return False


def run(order: dict[str, Any]) -> None:
    """Be the loader, from here to the end of this process."""
    for descriptor, path, flags in (
        (0, order["input"], os.O_RDONLY),
        (1, f"{order['out']}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, f"{order['out']}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        os.dup2(os.open(path, flags, 0o600), descriptor)
    points = Points(order["point"], order["step"], order["signal"])
    threading.settrace(points.watch)
    sys.settrace(points.watch)
    code = shell.run("target_delta.target:TargetDelta", ["--config", order["config"]])
    sys.settrace(None)
    sys.stdout.flush()
    with open(f"{order['out']}.points", "w") as file:  # noqa: PTH123  # one line, at the end of a process
        file.write(str(points.count))
    os._exit(code)


def main() -> None:
    """Fork a run for every order."""
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)  # noqa: T201  # the answer


if __name__ == "__main__":
    main()
