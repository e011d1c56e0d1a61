"""What a run did, stream by stream: a table for the log, and the same as JSON in `report_file`.

Takes counts as they happen; gives lines and a file. Refuses nothing: a report never ends a run.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Number = int | float

_LOGGER = logging.getLogger(__name__)


class Report:
    """Counts of one run; the names of the counters are the columns of its table."""

    def __init__(self, plugin: str, run: str) -> None:
        self.plugin = plugin
        self.run = run
        self.streams: defaultdict[str, defaultdict[str, Number]] = defaultdict(lambda: defaultdict(int))
        self._started = datetime.now(UTC)
        self._start_s = time.monotonic()

    def add(self, stream: str, **counts: Number) -> None:
        """Add to the counters of a stream."""
        for name, count in counts.items():
            self.streams[stream][name] += count

    def table(self) -> list[str]:
        """Return the report as lines of text: a head, and a line a stream; nothing where there was no stream."""
        if not self.streams:
            return []
        names = list(dict.fromkeys(name for counts in self.streams.values() for name in counts))
        rows = [["stream", *names]]
        rows += [[stream, *(_text(counts[name]) for name in names)] for stream, counts in sorted(self.streams.items())]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        return ["  ".join(_aligned(cell, widths[place], place) for place, cell in enumerate(row)) for row in rows]

    def as_json(self, outcome: str) -> dict[str, Any]:
        """Return the report as one JSON object; `outcome` is "good" or what ended the run."""
        return {
            "plugin": self.plugin,
            "run": self.run,
            "started_at": self._started.isoformat(),
            "seconds": round(time.monotonic() - self._start_s, 3),
            "outcome": outcome,
            "streams": {stream: dict(counts) for stream, counts in sorted(self.streams.items())},
        }

    def write(self, path: str, outcome: str) -> None:
        """Write the report as a file; where that fails the log says so and the run's own outcome stays."""
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(json.dumps(self.as_json(outcome), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            _LOGGER.warning("the report could not be written, path=%s, why=%s", path, error.strerror)


def _text(count: Number) -> str:
    return f"{count:,.2f}" if isinstance(count, float) else f"{count:,}"


def _aligned(cell: str, width: int, place: int) -> str:
    return cell.ljust(width) if place == 0 else cell.rjust(width)
