"""All benchmarks, one after the other, into docs/reference/benchmarks.md: `make bench`, or `python -m bench NAME ...`.

Takes names; gives the page. Refuses to go on after a benchmark that failed.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = {
    "postgres_delta": ["--meltano"],
    "records": [],
    "upsert": [],
    "rest": [],
    "wire": [],
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all, each in a process of its own."""
    for name in names or BENCHMARKS:
        subprocess.run([sys.executable, "-m", f"bench.{name}", "--write", *BENCHMARKS[name]], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
