"""The settings of tap-postgres: what a person sets, and the frozen value that the other rooms read.

Refuses two ways to say where the server is. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from singerkit.connect.routed import RoutedSettings
from singerkit.settings.kinds import FileUpload, Input, Select
from singerkit.settings.rows import settings
from singerkit.settings.taps import AT_LEAST_ONE, BatchRows, TapSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTS = ("host", "user", "password", "database")


@settings
class Settings(RoutedSettings, TapSettings):
    """What tap-postgres can be told; None means unset."""

    groups: ClassVar = (("connection_url",), ("host", "user", "database"))
    host: Annotated[str | None, Input("Host", "Name or address of the server, or the folder of its Unix socket.")] = (
        None
    )
    port: Annotated[int, Input("Port", "Port of the server.", schema={"minimum": 1, "maximum": 65535})] = 5432
    user: Annotated[
        str | None, Input("User", "Role to log in as. It needs CONNECT, USAGE on the schemas and SELECT.")
    ] = None
    password: Annotated[str | None, Input("Password", "Password of the role.", secret=True)] = None
    database: Annotated[str | None, Input("Database", "Database to read.")] = None
    connection_url: Annotated[
        str | None,
        Input(
            "Connection URL",
            "postgresql://user:password@host:port/database?sslmode=...: the alternative to the five settings above.",
            secret=True,
        ),
    ] = None
    ssl_mode: Annotated[
        Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None,
        Select(
            "TLS mode",
            "How the connection is protected, in libpq's words. Unset: verify-full, and prefer on this "
            "machine itself (loopback, Unix socket).",
        ),
    ] = None
    ssl_root_cert: Annotated[
        Path | None, FileUpload("CA certificate", "PEM file that signs the server. Unset: the system's CAs.")
    ] = None
    ssl_cert: Annotated[Path | None, FileUpload("Client certificate", "PEM file of the role's own certificate.")] = None
    ssl_key: Annotated[
        Path | None, FileUpload("Client key", "PEM file of the key of the client certificate (mode 0600).")
    ] = None
    schemas: Annotated[
        tuple[str, ...],
        Input("Schemas", "Schemas to read, as globs: public, sales_*. Unset: all but the system's own."),
    ] = ()
    tables: Annotated[
        tuple[str, ...],
        Input("Tables", "Tables to read, as globs of a name or of schema.name: orders, sales.*. Unset: all."),
    ] = ()
    batch_format: Annotated[
        Literal["arrow", "parquet"], Select("Batch format", "File format of `output: batch`: Arrow IPC or Parquet.")
    ] = "arrow"
    out_of_range: Annotated[
        Literal["fail", "null", "clamp"],
        Select(
            "Out of range",
            "What to do with infinity, years before 1 or after 9999, and NaN in a numeric(p,s): fail the "
            "stream, write NULL, or clamp a date to 0001-01-01 or 9999-12-31 (NaN has no neighbour: NULL).",
        ),
    ] = "fail"
    duplicate_keys: Annotated[
        Literal["fail", "warn"],
        Select(
            "Doubled keys",
            "What to do where declared keys, of a view say, name more than one row: fail before the first record "
            "(exit 4), or warn. Keys that a unique index vouches for are not looked at.",
        ),
    ] = "fail"
    connect_timeout_s: Annotated[
        int, Input("Connect timeout", "Seconds to wait for one attempt to connect.", schema=AT_LEAST_ONE)
    ] = 10
    statement_timeout_s: Annotated[
        int | None,
        Input(
            "Statement timeout",
            "Seconds that one query may take, enforced by the server. Unset: as the server says.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    lock_timeout_s: Annotated[
        int | None,
        Input(
            "Lock timeout",
            "Seconds that one query may wait for a lock that someone else holds. Unset: as the server says.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    snapshot_workers: Annotated[
        int,
        Input(
            "Workers",
            "Connections that read the parts of a large table side by side, all in one snapshot.",
            schema={"minimum": 1, "maximum": 32},
        ),
    ] = 2
    row_filters: Annotated[
        Mapping[str, Any],
        Input(
            "Row filters",
            'Which rows of a table are read: {"public-orders": [["status", "!=", "draft"], ["id", ">=", '
            "100]]}, all of them together. Operators: =, !=, <, <=, >, >=, in, not in, like, is null, is not "
            "null.",
        ),
    ] = field(default_factory=dict)
    lookback: Annotated[
        Mapping[str, Any],
        Input(
            "Lookback",
            'How far before its bookmark an incremental stream reads again: {"public-orders": "2 hours"} for '
            'dates and times, a number for numbers; {"*": ...} for all others. Finds rows that were committed '
            "late.",
        ),
    ] = field(default_factory=dict)
    default_replication_method: Annotated[
        Literal["FULL_TABLE", "LOG_BASED"],
        Select(
            "Default method",
            "How tables are read for which the catalog does not say it: FULL_TABLE, or LOG_BASED (change data "
            "capture).",
        ),
    ] = "FULL_TABLE"
    replication_slot: Annotated[str, Input("Replication slot", "Slot of change data capture; made when missing.")] = (
        "tap_postgres"
    )
    publication: Annotated[str, Input("Publication", "Publication of change data capture; `cdc setup` makes it.")] = (
        "tap_postgres"
    )
    publication_tables: Annotated[
        Literal["selected", "all"],
        Select(
            "Published tables",
            "What `cdc setup` publishes: the selected tables, or all of the database (which only a superuser can).",
        ),
    ] = "selected"
    initial_waiting_s: Annotated[
        int,
        Input(
            "Initial waiting",
            "Seconds that the server may need before it says the first word about its log.",
            schema=AT_LEAST_ONE,
        ),
    ] = 300
    follow: Annotated[
        bool,
        Input(
            "Follow", "Go on after the position at which the run began, until it is stopped (or max_run_s, max_wal_mb)."
        ),
    ] = False
    max_run_s: Annotated[
        int | None,
        Input(
            "Longest run",
            "Seconds after which change data capture ends at the next commit. Unset: no limit.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    max_wal_mb: Annotated[
        int | None,
        Input(
            "Most log",
            "Megabytes of log after which change data capture ends at the next commit. Unset: no limit.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    confirm_from: Annotated[
        str | None,
        Input(
            "Confirm from",
            "With `follow`: the file where the loader's STATE goes, or after a | a command that prints one, "
            "such as `| target-delta --config target.json state export`. Read again every few seconds.",
        ),
    ] = None
    on_lost: Annotated[
        Literal["fail", "resnapshot"],
        Select(
            "Lost slot",
            "What to do when the slot, or the log behind it, is gone: fail, or make a new slot and read all "
            "tables again.",
        ),
    ] = "fail"
    resume_snapshots: Annotated[
        bool,
        Input(
            "Resume snapshots",
            "Whether a first snapshot that was cut short goes on by key ranges. False where the loader "
            "appends or keeps history: rows of two snapshots stand in one table then until the changes "
            "between them have come.",
        ),
    ] = True
    stream_transactions: Annotated[
        bool,
        Input(
            "Stream transactions",
            "Take large transactions while they are still open (PostgreSQL 14 and later) and keep them in a "
            "temporary file here, instead of on the server's disk.",
        ),
    ] = False
    heartbeat_s: Annotated[
        int | None,
        Input(
            "Heartbeat",
            "Seconds between two heartbeats, which move the slot of a database where nothing else happens. "
            "Unset: none.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    heartbeat_sql: Annotated[
        str | None,
        Input("Heartbeat statement", "Statement of a heartbeat. Unset: pg_logical_emit_message, which needs no table."),
    ] = None
    lag_warning_mb: Annotated[
        int,
        Input(
            "Lag warning",
            "Megabytes of log kept by the slot from which on the run warns. Nothing is ever dropped by itself.",
            schema=AT_LEAST_ONE,
        ),
    ] = 1024
    application_name: Annotated[str, Input("Application name", "How the sessions show in pg_stat_activity.")] = (
        "tap-postgres"
    )
    batch_size_rows: BatchRows = 500_000

    @staticmethod
    def problems(given: Mapping[str, Any]) -> Iterator[str]:
        """Yield which settings contradict each other."""
        if given["connection_url"] and (parts := [name for name in _PARTS if given[name]]):
            yield f"connection_url and {', '.join(parts)} both say where the server is: give the URL or its parts"
