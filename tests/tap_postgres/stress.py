"""A source that never rests: interleaved transactions, tables that change their shape, a server that crashes.

Takes a database and a seed; does what its settings say until it is told to stop. What a crash of the server took back
was never committed, so the source itself is the truth.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from demo import embedded

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

SETUP = """
CREATE TABLE plain (id bigint PRIMARY KEY, v text, n numeric(12,2), doc text, at timestamptz DEFAULT now());
ALTER TABLE plain ALTER doc SET STORAGE EXTERNAL;
CREATE TABLE pairs (a int, b text, payload jsonb, numbers int[], doc text, PRIMARY KEY (a, b));
CREATE TABLE whole (id bigint PRIMARY KEY, v text, n numeric(12,2), doc text, at timestamptz DEFAULT now());
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE PUBLICATION tap_postgres FOR ALL TABLES WITH (publish_via_partition_root = true);
INSERT INTO plain
  SELECT g, 'seed', g, CASE WHEN g % 10 = 0 THEN repeat('d', 3000) END FROM generate_series(1, {rows}) g;
INSERT INTO whole SELECT * FROM plain;
"""
LATE = """
CREATE TABLE IF NOT EXISTS late_{0} (id bigint PRIMARY KEY, v text, n numeric(12,2), doc text, at timestamptz);
ALTER TABLE late_{0} ALTER doc SET STORAGE EXTERNAL;
INSERT INTO late_{0} SELECT g, 'late' FROM generate_series(1, 500) g;
"""
KEYS = 2_000
_UPSERT = "INSERT INTO {t} (id, v, n, doc) VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET v = excluded.v"
_PAIR = "INSERT INTO pairs VALUES (%s, %s, %s, %s, %s) ON CONFLICT (a, b) DO UPDATE SET numbers = excluded.numbers"


@dataclass
class Load:
    """What goes on: so many writers at so many operations a second, a change of shape every so many seconds."""

    dsn: str
    seed: int
    writers: int = 6
    rate: float = 150.0
    change_every_s: float = 4.0
    stop: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    given_up: int = 0
    """Operations that a conflict, a change of shape or a crash ended: they were rolled back."""
    changes: int = 0
    _tables: list[str] = field(default_factory=lambda: ["plain", "whole"])
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        """Write until the block ends."""
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(self.writers)]
        self._threads.append(threading.Thread(target=self._change))
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            for thread in self._threads:
                thread.join()

    def _write(self, number: int) -> None:
        chance = random.Random(f"{self.seed}-{number}")
        pause = self.writers / self.rate
        while not self.stop.is_set():
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(self.dsn, autocommit=True) as connection,
            ):
                connection.execute("SET lock_timeout = '2s'; SET deadlock_timeout = '100ms'")
                while not self.stop.is_set():
                    self._one(connection, chance)
                    self.stop.wait(pause * chance.random() * 2)

    def _one(self, connection: psycopg.Connection[Any], chance: random.Random) -> None:
        """Run one transaction of a few operations; some are rolled back, some roll a part back."""
        count = chance.choice([1, 1, 1, 2, 5, 20])
        try:
            with connection.transaction(force_rollback=chance.random() < 0.05):
                for _ in range(count):
                    with connection.transaction(force_rollback=chance.random() < 0.1) if count > 2 else _plain():
                        self._operation(connection, chance)
                if count > 2 and chance.random() < 0.3:
                    self.stop.wait(chance.random() * 0.2)  # others commit in between
            self.done += count
        except psycopg.OperationalError:
            self.given_up += count
            if connection.closed:
                raise
        except psycopg.Error:
            self.given_up += count

    def _operation(self, connection: psycopg.Connection[Any], chance: random.Random) -> None:
        if chance.random() < 0.2:
            self._pair(connection, chance)
            return
        table = sql.Identifier(chance.choice(self._tables))
        key, other = chance.randrange(KEYS), KEYS + chance.randrange(KEYS * 1000)
        doc = chance.choice([None, "x" * chance.randrange(10), chance.choice("abc") * chance.randrange(2500, 20_000)])
        match chance.choices(range(6), [40, 25, 10, 15, 8, 0.15])[0]:
            case 0:
                query = _UPSERT
                values: tuple[Any, ...] = (key, str(chance.random()), chance.randrange(10**6), doc)
            case 1:
                query, values = "UPDATE {t} SET v = %s WHERE id = %s", (str(chance.random()), key)
            case 2:
                query, values = "UPDATE {t} SET doc = %s WHERE id = %s", (doc, key)
            case 3:
                query, values = "DELETE FROM {t} WHERE id = %s", (key,)
            case 4:
                query, values = "UPDATE {t} SET id = %s WHERE id = %s", (other, key)
            case _:
                query, values = "TRUNCATE {t}", ()
                connection.execute(sql.SQL(query).format(t=table))
                query, values = "INSERT INTO {t} (id, v) VALUES (%s, 'after truncate')", (key,)
        connection.execute(sql.SQL(query).format(t=table), values)

    def _pair(self, connection: psycopg.Connection[Any], chance: random.Random) -> None:
        key = (chance.randrange(40), chance.choice(["é", "b", "c'c"]))
        if chance.random() < 0.3:
            connection.execute("UPDATE pairs SET b = b || 'x' WHERE a = %s AND b = %s", key)
        elif chance.random() < 0.3:
            connection.execute("DELETE FROM pairs WHERE a = %s AND b = %s", key)
        else:
            connection.execute(
                _PAIR,
                (*key, '{"k": [1, "é"]}', [chance.randrange(9), None], "y" * chance.choice([3, 9000])),
            )

    def _change(self) -> None:
        """Change the shape of tables, and make new ones, now and then."""
        chance = random.Random(f"{self.seed}-shape")
        while not self.stop.wait(self.change_every_s):
            number = self.changes
            table = chance.choice(self._tables)
            statement = [
                f"ALTER TABLE {table} ADD w{number} text",
                f"ALTER TABLE {table} ADD d{number} int DEFAULT {number}",
                LATE.format(number),
                f"ALTER TABLE {table} DROP COLUMN IF EXISTS w{number - 3}; ALTER TABLE {table} ADD r{number} bigint",
                f"ALTER TABLE {table} ALTER n TYPE numeric(14,3)",
            ][number % 5]
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.dsn, autocommit=True) as connection:
                connection.execute("SET lock_timeout = '3s'")
                connection.execute(statement)
                if number % 5 == 2:
                    self._tables.append(f"late_{number}")
                if number % 5 == 3:
                    connection.execute(f"ALTER TABLE {table} RENAME r{number} TO renamed{number}")
            self.changes += 1


@contextlib.contextmanager
def _plain() -> Iterator[None]:
    yield


class Restartable:
    """A server that crashes when it is told to, and comes back on the same port with the same data."""

    def __init__(self, server: embedded.Server) -> None:
        self.server = server
        self._pid = server.pid
        self._process: subprocess.Popen[bytes] | None = None

    def crash(self) -> None:
        """Do what `pg_ctl stop -m immediate` does, and start again."""
        data = self.server.folder / "data"
        command = shlex.split((data / "postmaster.opts").read_text())
        user = data.stat().st_uid if os.geteuid() == 0 else None
        os.kill(self._pid, 3)
        if self._process is None:
            os.waitpid(self._pid, 0)
        else:
            self._process.wait()
        (data / "postmaster.pid").unlink(missing_ok=True)
        self._process = embedded._spawn(command, data, user)
        self._pid = self._process.pid
        if not embedded._is_ready(self._process, data):
            raise embedded.StartError("the server did not come back")

    def close(self) -> None:
        """Stop the server that came back; the first one is stopped by whoever started it."""
        if self._process is not None:
            embedded._stop(self._process)


def pause(until_s: float) -> None:
    """Wait for a moment of the monotonic clock."""
    threading.Event().wait(max(0.0, until_s - time.monotonic()))
