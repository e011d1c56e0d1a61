"""A source that never rests, a pipe that is killed on both sides, a server that crashes: in the end every row is equal.

`make test` runs it small; `CDC_STRESS=180 make stress` as long and as hard as it is meant.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from demo import embedded
from singerkit.output import rows_of
from tests.postgres_server import HBA, LOGICAL, Database
from tests.tap_postgres.running import environment, sync
from tests.tap_postgres.stress import SETUP, Load, Restartable, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("CDC_STRESS", "0"))
"""How long to go on; unset: small."""


class Pipe:
    """tap-postgres into target-delta, run after run, with the STATE that the loader printed."""

    def __init__(self, folder: Path, database: Database, chance: random.Random) -> None:
        self.folder, self.database, self.chance = folder, database, chance
        self.states = folder / "state.jsonl"
        self.states.touch()
        self.warehouse = folder / "warehouse"
        self.ends: list[tuple[int | None, int | None]] = []
        self.errors = ""

    def state(self) -> dict[str, Any] | None:
        lines = [line for line in self.states.read_text().splitlines() if line.endswith("}")]
        return json.loads(lines[-1]) if lines else None

    def run(self, kill_after_s: float | None = None, **config: Any) -> tuple[int, int]:
        """Run the pipe to its end, or kill one of its sides."""
        tap = self.database.config | {"default_replication_method": "LOG_BASED", "output": "batch", **config}
        tap["batch_dir"] = str(self.folder / "batches")
        target = {"path": str(self.warehouse), "hard_delete": True, "max_batch_age_s": 2}
        words = ["--config", self._write("tap.json", tap)]
        if state := self.state():
            words += ["--state", self._write("given.json", state)]
        errors = (self.folder / "errors.log").open("ab")
        with self.states.open("ab") as out, errors:
            one = subprocess.Popen(
                [sys.executable, "-m", "tap_postgres", *words], stdout=subprocess.PIPE, stderr=errors, env=environment()
            )
            other = subprocess.Popen(
                [sys.executable, "-m", "target_delta", "--config", self._write("target.json", target)],
                stdin=one.stdout, stdout=out, stderr=errors, env=environment(),
            )  # fmt: skip
            assert one.stdout is not None
            one.stdout.close()
            if kill_after_s is not None:
                pause(time.monotonic() + kill_after_s)
                self.chance.choice([one, other]).send_signal(signal.SIGKILL)
            codes = other.wait(240), one.wait(60)
        self.ends.append((codes[1], codes[0]))
        if kill_after_s is None and codes != (0, 0):
            self.errors = (self.folder / "errors.log").read_text()[-6000:]
        return codes

    def _write(self, name: str, content: Any) -> str:
        (self.folder / name).write_text(json.dumps(content))
        return str(self.folder / name)


@pytest.fixture
def restartable() -> Iterator[Restartable]:
    """A server of this test's own, since it is going to crash."""
    options = LOGICAL | {"max_connections": "100"}
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        embedded.start(folder, files={"pg_hba.conf": HBA}, options=options) as server,
    ):
        crashing = Restartable(server)
        yield crashing
        crashing.close()


def keyed(rows: Any, keys: list[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[key] for key in keys): row for row in rows}


def stored(warehouse: Path, stream: str) -> list[dict[str, Any]]:
    table = DeltaTable(str(warehouse / stream)).to_pyarrow_table()
    return [row for batch in table.to_batches() for row in rows_of(stream, batch)]


@pytest.mark.timeout(max(300, SECONDS * 4 + 300))
def test_every_table_equals_the_source_whatever_was_killed(
    restartable: Restartable, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After kills of both sides and crashes of the server every row is equal, and no log is held without need."""
    seed = int(os.environ.get("CDC_SEED", "7"))
    chance = random.Random(seed)
    full = SECONDS > 0
    seconds = SECONDS or 14
    database = Database(restartable.server, "postgres")
    database.psql(SETUP.format(rows=5_000 if full else 1_000))
    pipe = Pipe(tmp_path, database, chance)
    load = Load(database.dsn, seed, *((32, 1000.0, 20.0) if full else (6, 150.0, 1.5)))

    crashes = 0
    began = time.monotonic()
    with load.running():
        while (spent := time.monotonic() - began) < seconds:
            if spent > seconds * (crashes + 1) / 3 and crashes < 2:
                crashes += 1
                restartable.crash()
            kill = chance.random() * (20 if full else 6)
            streaming = chance.random() < 0.5
            pipe.run(kill, follow=True, max_run_s=60, confirm_from=str(pipe.states), stream_transactions=streaming)
    codes = [pipe.run(snapshot_workers=1), pipe.run()]

    assert codes == [(0, 0), (0, 0)], pipe.errors
    read = sync(database, output="records")
    record_property("operations a second", round(load.done / spent))
    record_property("runs", len(pipe.ends))
    record_property("of them killed", sum(-signal.SIGKILL in codes for codes in pipe.ends))
    assert load.done > seconds * load.rate / 10
    for stream, records in read.records.items():
        keys = read.of("SCHEMA", stream)[0]["key_properties"]
        columns = read.of("SCHEMA", stream)[0]["schema"]["properties"]
        mine = keyed(({name: row[name] for name in columns} for row in stored(pipe.warehouse, stream)), keys)
        assert mine == keyed(records, keys), stream
    slot = json.loads(database.psql("SELECT row_to_json(s) FROM pg_replication_slots s"))
    assert slot["wal_status"] == "reserved"
    held = database.psql(f"SELECT pg_current_wal_lsn() - '{slot['confirmed_flush_lsn']}'::pg_lsn")
    assert int(held) < 16 << 20
