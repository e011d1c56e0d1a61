"""The replication connection as networks and servers treat it: cut in the middle, silent, on a replica, promoted."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo import embedded
from singerkit.errors import SafetyStopError, SettingsError, UnavailableError
from tap_postgres.cdc import lsn
from tests.postgres_server import LOGICAL, Database, database, server
from tests.tap_postgres.cutting_proxy import relay
from tests.tap_postgres.running import sync
from tests.tap_postgres.test_cdc_sync import S, applied, capture, source, t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tap_postgres.running import Run

__all__ = ["database", "server", "t"]
pytestmark = pytest.mark.slow  # needs a server


def through(database: Database, port: int) -> str:
    return database.dsn.replace(f":{database.server.port}/", f":{port}/")


def test_a_stream_that_is_cut_in_the_middle(t: Database) -> None:
    """However often a transaction is cut, also before the place of the last cut, each row is sent once."""
    t.psql("CREATE TABLE log (n int); ALTER PUBLICATION tap_postgres ADD TABLE log")
    names = {"tables": ["log"]}
    t.psql("ALTER TABLE log REPLICA IDENTITY FULL")
    first = capture(t, **names)
    t.psql("INSERT INTO log SELECT g FROM generate_series(1, 400) g")
    with relay(t.server.port, [9_000, 4_000, 7_013]) as cut:
        second = capture(t, first.state, connection_url=through(t, cut.port), **names)

    assert cut.cuts == 3
    assert [record["n"] for record in second.records["public-log"]] == [*range(1, 401)]


def test_a_server_that_says_nothing(t: Database) -> None:
    """A run waits for the first word as long as it was told, and then ends with what to do."""
    first = capture(t)
    t.psql("INSERT INTO t VALUES (4)")
    with (
        relay(t.server.port, [0] * 9, swallows=True) as silent,
        pytest.raises(UnavailableError, match=r"said nothing for 1 s.*initial_waiting_s"),
    ):
        capture(t, first.state, connection_url=through(t, silent.port), initial_waiting_s=1)


def test_a_server_that_falls_silent(t: Database) -> None:
    """A connection that is dead without a word is opened again, and no change is lost."""
    first = capture(t)
    t.psql("INSERT INTO t SELECT g FROM generate_series(10, 400) g")
    with relay(t.server.port, [3_000], swallows=True) as silent:
        second = capture(t, first.state, connection_url=through(t, silent.port), initial_waiting_s=2)

    assert silent.cuts >= 1
    assert [record["id"] for record in second.records[S]] == [*range(10, 401)]


def end_behind_a_page_header(database: Database) -> None:
    """Write to the log until its last record ends a few bytes into a page: it began on the page before."""
    place = "(pg_current_wal_insert_lsn() - '0/0') % 8192"
    emit = "SELECT '' FROM pg_logical_emit_message(false, 'x', repeat('x', {}))"
    for _ in range(50):
        before, after = database.psql(f"SELECT {place}; {emit.format(800)}; SELECT {place}").split()
        if (beside := int(after) - int(before) - 800) < 0:
            continue  # a page began between the two
        left = 8192 - int(after) + 8
        if left > beside + 800 and 24 < int(database.psql(f"{emit.format(left - beside)}; SELECT {place}")) <= 40:
            return
    raise AssertionError("no record ends there")


def test_a_log_that_ends_behind_the_header_of_a_page(t: Database) -> None:
    """Wherever on a page the log ends, a run comes to its end, and the next one misses nothing."""
    first = capture(t)
    end_behind_a_page_header(t)
    second = capture(t, first.state)
    third = capture(t, second.state)

    assert lsn.from_text(t.psql("SELECT pg_current_wal_flush_lsn()")) >= second.bookmark(S)["replication_key_value"]
    assert third.error is None


class Replica:
    """A standby of the server of a database, which can be promoted."""

    def __init__(self, folder: Path, primary: Database) -> None:
        self.primary, self._folder = primary, folder
        self._user = embedded.NOBODY if os.geteuid() == 0 else None
        data = folder / "data"
        bin_ = primary.server.bin
        made = ["-D", str(data), "-d", primary.server.dsn("postgres"), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        done = embedded._run([str(bin_ / "pg_basebackup"), *made], self._user)
        assert done.returncode == 0, done.stderr
        data.chmod(0o700)
        options = LOGICAL | {"hot_standby_feedback": "on", "max_connections": "100"}
        self._process, port = embedded._launch(bin_, data, options, self._user)
        self.database = Database(embedded.Server(bin_, folder, port, self._process.pid), primary.name)

    def catch_up(self) -> None:
        """Wait until everything that the primary has flushed is replayed."""
        tip = self.primary.psql("SELECT pg_current_wal_flush_lsn()")
        while self.database.psql(f"SELECT pg_last_wal_replay_lsn() >= '{tip}'") != "t":
            pass

    def promote(self) -> None:
        assert self.database.psql("SELECT pg_promote()") == "t"

    def close(self) -> None:
        embedded._stop(self._process)


@pytest.fixture
def replica(t: Database) -> Iterator[Replica]:
    with tempfile.TemporaryDirectory(prefix="replica-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, embedded.NOBODY, embedded.NOBODY)
        made = Replica(folder, t)
        yield made
        made.close()


def test_a_replica_gives_the_rows_of_one_snapshot(t: Database, replica: Replica) -> None:
    """A full load reads a replica as it does a primary, in parts as well."""
    t.psql(
        "INSERT INTO t SELECT g, 'x' FROM generate_series(100, 900) g; ANALYZE t;"
        "UPDATE pg_class SET reltuples = 10000000, relpages = 244140 WHERE oid = 't'::regclass"
    )
    replica.catch_up()
    read = sync(replica.database)

    assert read.error is None
    assert sorted(record["id"] for record in read.records[S]) == sorted(source(t))


def test_changes_from_a_replica_and_after_its_promotion(t: Database, replica: Replica) -> None:
    """From PostgreSQL 16 on a replica tells its changes; the slot that lies there stays good when it is promoted."""
    with pytest.raises(SettingsError, match="a heartbeat can be written"):
        capture(replica.database, heartbeat_s=1)
    first = while_the_primary_speaks(t, replica)
    t.psql("INSERT INTO t VALUES (4, 'primary'); UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2")
    replica.catch_up()
    second = capture(replica.database, first.state)
    replica.promote()
    replica.database.psql("INSERT INTO t VALUES (5, 'promoted')")
    third = capture(replica.database, second.state)

    assert [record["_sdc_op"] for record in second.records[S]] == ["insert", "update", "delete"]
    assert [record["id"] for record in third.records[S]] == [5]
    assert applied([first, second, third]) == source(replica.database)
    assert third.bookmark(S)["capture"]["timeline"] == 2


def test_another_server_takes_over_in_the_middle(t: Database, replica: Replica) -> None:
    """Whether a server that answers all at once has every change is for the next run to see: this one says no more."""
    first = capture(t)
    replica.catch_up()
    replica.promote()
    replica.database.psql("SELECT '' FROM pg_create_logical_replication_slot('tap_postgres', 'pgoutput')")
    t.psql("INSERT INTO t SELECT g FROM generate_series(10, 400) g")
    with relay(t.server.port, [3_000]) as moved:
        moved.then = replica.database.server.port
        second = sync(
            t,
            state=first.state,
            default_replication_method="LOG_BASED",
            connection_url=through(t, moved.port),
        )

    assert isinstance(second.error, UnavailableError)
    assert "another server answers than at the beginning" in str(second.error)
    assert second.bookmark(S) == first.bookmark(S)


def while_the_primary_speaks(primary: Database, replica: Replica) -> Run:
    """Make the first run on a replica: its slot waits until the primary says which transactions are open."""
    done = threading.Event()

    def speak() -> None:
        while not done.wait(0.1):
            primary.psql("SELECT pg_log_standby_snapshot()")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(speak)
        try:
            return capture(replica.database)
        finally:
            done.set()


def test_a_promoted_replica_without_the_slot(t: Database, replica: Replica) -> None:
    """Where the slot did not come along, or changes were read that the new server never had, nothing is passed over."""
    first = capture(t)
    replica.catch_up()
    replica.promote()
    with pytest.raises(SafetyStopError, match="the slot does not exist any more"):
        capture(replica.database, first.state)
    t.psql("INSERT INTO t VALUES (4, 'only on the old primary')")
    second = capture(t, first.state)
    replica.database.psql("INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(100, 900) g")
    with pytest.raises(SafetyStopError, match="the server that was promoted never had"):
        capture(replica.database, second.state)
    third = capture(replica.database, second.state, on_lost="resnapshot")

    assert applied([third]) == source(replica.database)
