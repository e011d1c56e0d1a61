"""What a run did, stream by stream: a table for the log, and the same as JSON in `report_file`.

Takes counts, facts and times as they happen; gives lines and a file. Refuses nothing: a report never ends a run.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singerkit.settings.secrets import redacted
from singerkit.show.table import table
from singerkit.warned import Warned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Number = int | float

COLUMNS = (
    *("read", "written", "changes", "rows", "inserted", "updated", "deleted", "quarantined", "skipped", "capped"),
    *("requests", "retries", "waiting_s", "files", "commits", "bytes", "seconds", "rate", "bottleneck"),
)
"""The columns of the table, in their order; what is nowhere but 0 has none. JSON says more."""

_LEAST_S = 0.05  # less is shown as 0.0
_LONGEST = 1000  # letters of a bookmark in a report: a stream of a thousand parents has one for each
_LOGGER = logging.getLogger(__name__)


class Report:
    """Counts, facts and times of one run; the names of the counters are the columns of its table."""

    def __init__(self, plugin: str, run: str) -> None:
        self.plugin = plugin
        self.run = run
        self.streams: defaultdict[str, defaultdict[str, Number]] = defaultdict(lambda: defaultdict(int))
        self.warned = Warned()
        self._facts: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._times: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._started = datetime.now(UTC)
        self._start_s = time.monotonic()

    def add(self, stream: str, **counts: Number) -> None:
        """Add to the counters of a stream."""
        for name, count in counts.items():
            self.streams[stream][name] += count

    def note(self, stream: str, **facts: Any) -> None:
        """Keep what is said once of a stream, such as its bookmarks; None says nothing."""
        self.streams[stream]  # a stream that is spoken of is in the table
        self._facts[stream] |= {name: fact for name, fact in facts.items() if fact is not None}

    @contextlib.contextmanager
    def timing(self, part: str, stream: str = "") -> Iterator[None]:
        """Add the time of the block to what the run, or one stream of it, spent on a part of its work."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.took(part, time.monotonic() - begun, stream)

    def took(self, part: str, seconds: float, stream: str = "") -> None:
        """Add to the time that a part of the work took, of a stream and of the run; the longest is the bottleneck."""
        for place in {stream, ""}:
            self._times[place][part] += seconds

    def spent(self, part: str, stream: str = "") -> float:
        """Return the seconds that a part of the work has taken so far."""
        return self._times[stream].get(part, 0.0)

    def listening(self) -> contextlib.AbstractContextManager[None]:
        """Gather the warnings that are logged inside the block: each kind with a sample and how often it came."""
        return self.warned.listening()

    def table(self) -> list[str]:
        """Return the report as lines of text: a head, and a line a stream; nothing where there was no stream."""
        if not self.streams:
            return []
        rows = {stream: self._row(stream) for stream in sorted(self.streams)}
        known = {name for row in rows.values() for name, count in row.items() if count}
        always = {name for row in rows.values() for name in row} & {"read", "rows"}
        names = [name for name in COLUMNS if name in known | always]
        cells = [[stream, *(row.get(name) for name in names)] for stream, row in rows.items()]
        return [*table(["stream", *names], cells, grouped=True)]

    def lines(self) -> Iterator[str]:
        """Yield the table, and below it where the time went, and the warnings that came more than once."""
        yield from self.table()
        parts = sorted(self._times[""].items(), key=lambda part: -part[1])
        if told := [f"{name} {seconds:,.1f} s" for name, seconds in parts if seconds >= _LEAST_S]:
            yield f"time went to {', '.join(told)}"
        yield from (f"{count:,} times: {sample}" for sample, count in self.warned.counts() if count > 1)

    def as_json(self, outcome: str) -> dict[str, Any]:
        """Return the report as one JSON object; `outcome` is "good" or what ended the run."""
        return {
            "plugin": self.plugin,
            "run": self.run,
            "started_at": self._started.isoformat(),
            "seconds": round(time.monotonic() - self._start_s, 3),
            "outcome": outcome,
            "bottleneck": _longest(self._times[""]),
            "streams": {stream: self._row(stream) | self._facts[stream] for stream in sorted(self.streams)},
            "warnings": [{"sample": sample, "count": count} for sample, count in self.warned.counts()],
        }

    def write(self, path: str | Path, outcome: str) -> None:
        """Write the report as a file; where that fails the log says so and the run's own outcome stays."""
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.as_json(outcome), indent=2, ensure_ascii=False, default=str)
            Path(path).write_text(redacted(text) + "\n", encoding="utf-8")
        except OSError as error:
            _LOGGER.warning("the report could not be written, path=%s, why=%s", path, error.strerror)

    def _row(self, stream: str) -> dict[str, Any]:
        """Return what is counted of a stream, its rate and its bottleneck."""
        row: dict[str, Any] = {
            name: round(count, 3) if isinstance(count, float) else count for name, count in self.streams[stream].items()
        }
        if row.get("seconds"):
            row["rate"] = round(row.get("read", 0) / row["seconds"])
        if longest := _longest(self._times[stream]):
            row["bottleneck"] = longest
        return row


def short(bookmark: Any) -> Any:
    """Return a copy of a bookmark for a report; a long one keeps its plain values and the sizes of the others."""
    copy = json.loads(json.dumps(bookmark, default=str))
    if not copy or len(json.dumps(copy)) <= _LONGEST:
        return copy or None
    return {name: f"({len(value):,})" if isinstance(value, dict | list) else value for name, value in copy.items()}


def _longest(times: Mapping[str, float]) -> str | None:
    return max(times, key=times.__getitem__) if times else None
