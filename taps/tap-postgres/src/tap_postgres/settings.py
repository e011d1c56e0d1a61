"""The settings of tap-postgres, as rows for a person and as a frozen value for the other rooms.

Takes a checked configuration; gives `Settings`. Refuses two ways to say where the server is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

from singerkit.connect.bastion import SSHTunnel, read_ssh_tunnel, ssh_tunnel_setting
from singerkit.errors import SettingsError
from singerkit.settings.fields import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_COUNT = {"minimum": 1}

SETTINGS = (
    Setting("host", "string", "Host", "Name or address of the server, or the folder of its Unix socket."),
    Setting("port", "integer", "Port", "Port of the server.", 5432, schema={"minimum": 1, "maximum": 65535}),
    Setting("user", "string", "User", "Role to log in as. It needs CONNECT, USAGE on the schemas and SELECT."),
    Setting("password", "string", "Password", "Password of the role.", secret=True),
    Setting("database", "string", "Database", "Database to read."),
    Setting(
        "connection_url",
        "string",
        "Connection URL",
        "postgresql://user:password@host:port/database?sslmode=...: the alternative to the five settings above.",
        secret=True,
    ),
    Setting(
        "ssl_mode",
        "options",
        "TLS mode",
        "How the connection is protected, in libpq's words. Unset: verify-full, and prefer on this machine itself "
        "(loopback, Unix socket).",
        options=SSL_MODES,
    ),
    Setting("ssl_root_cert", "file", "CA certificate", "PEM file that signs the server. Unset: the system's CAs."),
    Setting("ssl_cert", "file", "Client certificate", "PEM file of the role's own certificate."),
    Setting("ssl_key", "file", "Client key", "PEM file of the key of the client certificate (mode 0600)."),
    ssh_tunnel_setting(),
    Setting(
        "allow_private_hosts",
        "boolean",
        "Private hosts",
        "Whether a server, or a bastion, in a private network or on this machine may be reached.",
        default=True,
    ),
    Setting(
        "schemas", "array", "Schemas", "Schemas to read, as globs: public, sales_*. Unset: all but the system's own."
    ),
    Setting(
        "tables",
        "array",
        "Tables",
        "Tables to read, as globs of a name or of schema.name: orders, sales.*. Unset: all.",
    ),
    Setting(
        "start_date",
        "date",
        "Start date",
        "Without a bookmark, an incremental stream with a date or timestamp as its replication key begins here.",
    ),
    Setting(
        "output",
        "options",
        "Output",
        "records: RECORD lines, for any target. batch: files named by BATCH messages, for a target that reads them.",
        "records",
        options=("records", "batch"),
    ),
    Setting(
        "batch_format",
        "options",
        "Batch format",
        "File format of `output: batch`: Arrow IPC or Parquet.",
        "arrow",
        options=("arrow", "parquet"),
    ),
    Setting(
        "batch_dir",
        "string",
        "Batch folder",
        "Where batch files are written, one folder a stream and run. Unset: singer-batches in the temporary folder.",
    ),
    Setting(
        "batch_size_rows", "integer", "Batch rows", "A batch file is closed at this many rows.", 500_000, schema=_COUNT
    ),
    Setting(
        "batch_size_bytes",
        "integer",
        "Batch bytes",
        "... or at this many bytes of Arrow data.",
        128 << 20,
        schema=_COUNT,
    ),
    Setting(
        "out_of_range",
        "options",
        "Out of range",
        "What to do with infinity, years before 1 or after 9999, and NaN in a numeric(p,s): fail the stream, "
        "write NULL, or clamp a date to 0001-01-01 or 9999-12-31 (NaN has no neighbour: NULL).",
        "fail",
        options=("fail", "null", "clamp"),
    ),
    Setting(
        "connect_timeout_s",
        "integer",
        "Connect timeout",
        "Seconds to wait for one attempt to connect.",
        10,
        schema=_COUNT,
    ),
    Setting(
        "statement_timeout_s",
        "integer",
        "Statement timeout",
        "Seconds that one query may take, enforced by the server. Unset: as the server says.",
        schema=_COUNT,
    ),
    Setting(
        "lock_timeout_s",
        "integer",
        "Lock timeout",
        "Seconds that one query may wait for a lock that someone else holds. Unset: as the server says.",
        schema=_COUNT,
    ),
    Setting(
        "snapshot_workers",
        "integer",
        "Workers",
        "Connections that read the parts of a large table side by side, all in one snapshot.",
        2,
        schema={"minimum": 1, "maximum": 32},
    ),
    Setting(
        "row_filters",
        "object",
        "Row filters",
        'Which rows of a table are read: {"public-orders": [["status", "!=", "draft"], ["id", ">=", 100]]}, all of '
        "them together. Operators: =, !=, <, <=, >, >=, in, not in, like, is null, is not null.",
    ),
    Setting(
        "lookback",
        "object",
        "Lookback",
        'How far before its bookmark an incremental stream reads again: {"public-orders": "2 hours"} for dates and '
        'times, a number for numbers; {"*": ...} for all others. Finds rows that were committed late.',
    ),
    Setting(
        "default_replication_method",
        "options",
        "Default method",
        "How tables are read for which the catalog does not say it: FULL_TABLE, or LOG_BASED (change data capture).",
        "FULL_TABLE",
        options=("FULL_TABLE", "LOG_BASED"),
    ),
    Setting(
        "replication_slot",
        "string",
        "Replication slot",
        "Slot of change data capture; made when missing.",
        "tap_postgres",
    ),
    Setting(
        "publication",
        "string",
        "Publication",
        "Publication of change data capture; `cdc setup` makes it.",
        "tap_postgres",
    ),
    Setting(
        "publication_tables",
        "options",
        "Published tables",
        "What `cdc setup` publishes: the selected tables, or all of the database (which only a superuser can).",
        "selected",
        options=("selected", "all"),
    ),
    Setting(
        "initial_waiting_s",
        "integer",
        "Initial waiting",
        "Seconds that the server may need before it says the first word about its log.",
        300,
        schema=_COUNT,
    ),
    Setting(
        "follow",
        "boolean",
        "Follow",
        "Go on after the position at which the run began, until it is stopped (or max_run_s, max_wal_mb).",
        default=False,
    ),
    Setting(
        "max_run_s",
        "integer",
        "Longest run",
        "Seconds after which change data capture ends at the next commit. Unset: no limit.",
        schema=_COUNT,
    ),
    Setting(
        "max_wal_mb",
        "integer",
        "Most log",
        "Megabytes of log after which change data capture ends at the next commit. Unset: no limit.",
        schema=_COUNT,
    ),
    Setting(
        "confirm_from",
        "string",
        "Confirm from",
        "With `follow`: the file where the loader's STATE goes, or after a | a command that prints one, such as "
        "`| target-delta --config target.json state export`. Read again every few seconds.",
    ),
    Setting(
        "on_lost",
        "options",
        "Lost slot",
        "What to do when the slot, or the log behind it, is gone: fail, or make a new slot and read all tables again.",
        "fail",
        options=("fail", "resnapshot"),
    ),
    Setting(
        "resume_snapshots",
        "boolean",
        "Resume snapshots",
        "Whether a first snapshot that was cut short goes on by key ranges. False where the loader appends or "
        "keeps history: rows of two snapshots stand in one table then until the changes between them have come.",
        default=True,
    ),
    Setting(
        "stream_transactions",
        "boolean",
        "Stream transactions",
        "Take large transactions while they are still open (PostgreSQL 14 and later) and keep them in a temporary file "
        "here, instead of on the server's disk.",
        default=False,
    ),
    Setting(
        "heartbeat_s",
        "integer",
        "Heartbeat",
        "Seconds between two heartbeats, which move the slot of a database where nothing else happens. Unset: none.",
        schema=_COUNT,
    ),
    Setting(
        "heartbeat_sql",
        "string",
        "Heartbeat statement",
        "Statement of a heartbeat. Unset: pg_logical_emit_message, which needs no table.",
    ),
    Setting(
        "lag_warning_mb",
        "integer",
        "Lag warning",
        "Megabytes of log kept by the slot from which on the run warns. Nothing is ever dropped by itself.",
        1024,
        schema=_COUNT,
    ),
    Setting("report_file", "string", "Report file", "Where to write what the run did, stream by stream, as JSON."),
    Setting(
        "application_name", "string", "Application name", "How the sessions show in pg_stat_activity.", "tap-postgres"
    ),
)
GROUPS = (("connection_url",), ("host", "user", "database"))
_PARTS = ("host", "user", "password", "database")


@dataclass(frozen=True)
class Settings:
    """A configuration with its defaults; None means unset. What each field means: `SETTINGS`."""

    host: str | None
    port: int
    user: str | None
    password: str | None
    database: str | None
    connection_url: str | None
    ssl_mode: str | None
    ssl_root_cert: str | None
    ssl_cert: str | None
    ssl_key: str | None
    ssh_tunnel: SSHTunnel | None
    schemas: tuple[str, ...]
    tables: tuple[str, ...]
    start_date: str | None
    output: Literal["records", "batch"]
    batch_format: Literal["arrow", "parquet"]
    batch_dir: str | None
    batch_size_rows: int
    batch_size_bytes: int
    out_of_range: Literal["fail", "null", "clamp"]
    connect_timeout_s: int
    statement_timeout_s: int | None
    lock_timeout_s: int | None
    snapshot_workers: int
    row_filters: Mapping[str, Any]
    lookback: Mapping[str, Any]
    default_replication_method: Literal["FULL_TABLE", "LOG_BASED"]
    replication_slot: str
    publication: str
    publication_tables: Literal["selected", "all"]
    initial_waiting_s: int
    follow: bool
    max_run_s: int | None
    max_wal_mb: int | None
    confirm_from: str | None
    on_lost: Literal["fail", "resnapshot"]
    resume_snapshots: bool
    stream_transactions: bool
    heartbeat_s: int | None
    heartbeat_sql: str | None
    lag_warning_mb: int
    application_name: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read a configuration that the shell has checked; empty texts are unset, as Meltano hands them over."""
        if config.get("connection_url") and (given := [name for name in _PARTS if config.get(name)]):
            raise SettingsError(
                f"connection_url and {', '.join(given)} both say where the server is",
                remedy="give the URL or its parts, not both",
            )
        defaults = {row.name: row.default for row in SETTINGS}
        values = {field.name: config.get(field.name) or defaults[field.name] for field in fields(cls)}
        values |= {name: tuple(values[name] or ()) for name in ("schemas", "tables")}
        values |= {name: values[name] or {} for name in ("row_filters", "lookback")}
        values["resume_snapshots"] = config.get("resume_snapshots") is not False
        values["ssh_tunnel"] = read_ssh_tunnel(config.get("ssh_tunnel"))
        return cls(**values)
