"""The executable `target-delta`."""

from __future__ import annotations

from typing import NoReturn

from singerkit import shell


def main() -> NoReturn:
    """Run the command line and end with the exit code of the run."""
    shell.main("target_delta.target:TargetDelta")


if __name__ == "__main__":
    main()
