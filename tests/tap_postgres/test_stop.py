"""A stop is heard within seconds, also while the server is silent, and the server is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import environment

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow


def start(folder: Path, database: Database, table: str, **settings: str) -> subprocess.Popen[str]:
    config = folder / "config.json"
    config.write_text(json.dumps(database.config | {"tables": [table]} | settings), encoding="utf-8")
    command = [sys.executable, "-m", "tap_postgres", "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def sessions(database: Database, *, until: int) -> int:
    """Wait until so many sessions of the tap run a query; the server tells."""
    deadline = time.monotonic() + 20
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tap-postgres' AND query LIKE 'COPY%'"
    query += f" AND state = 'active' AND datname = '{database.name}'"
    while (found := int(database.psql(query))) != until and time.monotonic() < deadline:
        pass
    return found


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_silent_query(database: Database, tmp_path: Path, signum: signal.Signals, code: int) -> None:
    """The run ends non-zero within seconds, in one line, and leaves no query behind on the server."""
    database.psql("CREATE OR REPLACE VIEW silent AS SELECT pg_sleep(300)::text AS v")
    process = start(tmp_path, database, "silent")
    assert sessions(database, until=1) == 1

    began = time.monotonic()
    process.send_signal(signum)
    out, err = process.communicate(timeout=20)

    assert process.returncode == code, err
    assert time.monotonic() - began < 5
    assert "Traceback" not in err
    assert sum("| ERROR" in line for line in err.splitlines()) == 1
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["SCHEMA", "ACTIVATE_VERSION", "STATE"]
    assert sessions(database, until=0) == 0


def test_a_signal_ends_the_wait_for_a_slot(database: Database, tmp_path: Path) -> None:
    """A slot is made when all open transactions have ended: a stop does not wait for them, and leaves no slot."""
    database.psql("CREATE TABLE c (id int PRIMARY KEY); CREATE PUBLICATION tap_postgres FOR TABLE c")
    slots = f"SELECT count(*) FROM pg_replication_slots WHERE database = '{database.name}'"
    with psycopg.connect(database.dsn) as early:
        early.execute("SELECT pg_catalog.pg_current_xact_id()")
        process = start(tmp_path, database, "c", default_replication_method="LOG_BASED")
        while database.psql(slots) == "0" and process.poll() is None:
            pass

        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)

        assert process.returncode == 143, err
        assert time.monotonic() - began < 5
        while database.psql(slots) != "0":  # the server notices a moment later
            pass


def test_a_server_that_goes_away_ends_the_run(database: Database, tmp_path: Path) -> None:
    """A connection that is lost is everybody's: the run ends as unavailable, and says where."""
    database.psql("CREATE OR REPLACE VIEW silent AS SELECT pg_sleep(300)::text AS v")
    process = start(tmp_path, database, "silent")
    assert sessions(database, until=1) == 1

    database.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")
    _, err = process.communicate(timeout=20)

    assert process.returncode == 6, err
    assert "terminating connection due to administrator command (host=127.0.0.1" in err
    assert sum("| ERROR" in line for line in err.splitlines()) == 1


def test_a_reader_that_goes_away_ends_the_run(database: Database, tmp_path: Path) -> None:
    """A closed pipe is the other side's end: one line, exit code 6, no query left behind."""
    database.psql(
        "CREATE OR REPLACE VIEW endless AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 10000000) i"
    )
    process = start(tmp_path, database, "endless")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()

    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert process.wait(20) == 6, err
    assert "Traceback" not in err
    assert sessions(database, until=0) == 0
