"""A real PostgreSQL for tests: one server a worker, a database of its own for whoever asks.

Import the fixtures where they are used: `from tests.postgres_server import database, server`.
"""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from demo import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

HBA = """
local all all trust
host replication all 127.0.0.1/32 trust
host all guarded 127.0.0.1/32 scram-sha-256
host all barred 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
"""
"""Who may connect: `guarded` with a password, `barred` not at all, all others without one."""

LOGICAL = {
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_prepared_transactions": "5",
    "synchronous_commit": "on",
}
"""What lets the log be decoded, and a commit be in it at once."""


@dataclass(frozen=True)
class Database:
    """A database that is dropped after its test."""

    server: embedded.Server
    name: str

    @property
    def dsn(self) -> str:
        """Its address as the superuser."""
        return self.server.dsn(self.name)

    @property
    def config(self) -> dict[str, Any]:
        """The settings that lead there."""
        return {"connection_url": self.dsn}

    def psql(self, sql: str) -> str:
        """Run a script and return what psql prints."""
        return self.server.psql(sql, self.name)

    def drop_slots(self) -> None:
        """Drop its replication slots, also those that the server still holds for a connection it believes alive."""
        slots = f"FROM pg_replication_slots WHERE database = '{self.name}'"
        self.server.psql(f"SELECT pg_terminate_backend(active_pid, 20000) {slots} AND active_pid IS NOT NULL")
        self.server.psql(f"SELECT pg_drop_replication_slot(slot_name) {slots}")


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.Server]:
    """Run one server for all tests of this worker.

    Not in pytest's own temporary folder: every new pytest of this user takes away the rights that the server needs.
    """
    files = {"pg_hba.conf": HBA}
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        embedded.start(folder, files=files, options=LOGICAL) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def database(server: embedded.Server) -> Iterator[Database]:
    """Make a database of this module's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.psql(f"CREATE DATABASE {name}")
    made = Database(server, name)
    yield made
    made.drop_slots()
    server.psql(f"DROP DATABASE {name} WITH (FORCE)")
