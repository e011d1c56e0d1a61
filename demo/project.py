"""The demo's Meltano runs: this project with its state, tables and logs in a folder of their own.

Takes a folder and a server; gives the reports of runs. Refuses to go on after a run that failed.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.meltano import command, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from demo.embedded import Server

STOP_S = 15.0  # how long a stopped Meltano may take to end its plugins
INCREMENTAL = ("customers", "inventory", "order_lines", "orders", "payments", "products", "reviews")
"""Tables with an `updated_at`; the others are small and read in full each time."""


class FailedError(Exception):
    """A command failed; the text names its log."""


@dataclass(frozen=True)
class Run:
    """One `meltano run`: how long it took, and what the loader counted for each stream."""

    seconds: float
    streams: Mapping[str, Mapping[str, float]]

    def total(self, counter: str) -> int:
        """Return a counter summed over all streams."""
        return int(sum(counts.get(counter, 0) for counts in self.streams.values()))


@dataclass(frozen=True)
class Project:
    """Where the demo keeps what a project keeps: STATE, tables, batch files, reports and Meltano's log."""

    folder: Path
    server: Server

    @property
    def warehouse(self) -> Path:
        """The folder of the Delta tables."""
        return self.folder / "warehouse"

    def settings(self) -> dict[str, str]:
        """Return the settings of the demo, by the variables that Meltano reads; they win over `.env`."""
        incremental = {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}
        return {
            "MELTANO_ENVIRONMENT": "dev",
            "MELTANO_DATABASE_URI": f"sqlite:///{self.folder / 'meltano.db'}",
            "TAP_POSTGRES_HOST": self.server.host,
            "TAP_POSTGRES_PORT": str(self.server.port),
            "TAP_POSTGRES_USER": "postgres",
            "TAP_POSTGRES_DATABASE": "postgres",
            "TAP_POSTGRES_BATCH_DIR": str(self.folder / "batches"),
            "TAP_POSTGRES__METADATA": json.dumps({f"public-{table}": incremental for table in INCREMENTAL}),
            "TARGET_DELTA_PATH": str(self.warehouse),
            "TARGET_DELTA_REPORT_FILE": str(self.report),
        }

    @property
    def report(self) -> Path:
        """The file in which the loader leaves its counts."""
        return self.folder / "report.json"

    def run(self) -> Run:
        """Run `meltano run tap-postgres target-delta` and return what came of it."""
        self.report.unlink(missing_ok=True)
        began = time.monotonic()
        meltano(self.folder, "run", "tap-postgres", "target-delta", settings=self.settings())
        seconds = time.monotonic() - began
        return Run(seconds, json.loads(self.report.read_text(encoding="utf-8"))["streams"])


def meltano(folder: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> None:
    """Run Meltano with its output in `folder`/meltano.log; where it fails, say what stands at the log's end."""
    log = folder / "meltano.log"
    process = None
    with log.open("ab") as output:
        try:
            with _held(signal.SIGINT, signal.SIGTERM):
                process = subprocess.Popen(command(*arguments), stdout=output, stderr=output, env=environment(settings))
            code = process.wait()
        finally:
            if process is not None:
                _end(process)
    if code:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise FailedError(f"`meltano {' '.join(arguments)}` failed; the end of {log}:\n{tail}")


@contextlib.contextmanager
def _held(*signals: signal.Signals) -> Iterator[None]:
    """Hold signals back until the block ends: raised inside Popen, one would leave a child that nobody knows of."""
    came: list[int] = []
    before = {one: signal.signal(one, lambda signum, _: came.append(signum)) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    for signum in came:
        signal.raise_signal(signum)


def _end(process: subprocess.Popen[Any]) -> None:
    """Let a Meltano that is still there end its plugins, and end it where it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
