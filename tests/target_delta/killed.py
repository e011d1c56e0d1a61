"""The loader's command line, killed when a line of its source is reached: `killed.py LINE TIMES ARGUMENTS`."""

from __future__ import annotations

import linecache
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from singerkit import shell
from target_delta.upkeep import rebuild, repartition, swap

if TYPE_CHECKING:
    from types import FrameType

FILES = {rebuild.__file__, repartition.__file__, swap.__file__}


def main(text: str, times: str, *argv: str) -> None:
    """Run the command line with a watch on the lines of these rooms."""
    left = int(times)

    def line(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if event == "line" and linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() == text:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    sys.settrace(lambda frame, event, arg: line if frame.f_code.co_filename in FILES else None)
    sys.exit(shell.run("target_delta.target:TargetDelta", argv))


if __name__ == "__main__":
    main(*sys.argv[1:])
