"""Every option of the loader, its default and its words, once.

Takes a checked configuration; gives a frozen Settings that the rooms read. Refuses nothing: the schema did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from singerkit.settings.fields import Setting, settings_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

LoadMethod = Literal["append-only", "upsert", "overwrite", "overwrite-stale"]
Activation = Literal["twice", "once", "ignore"]
Nested = Literal["struct", "json"]
T = TypeVar("T")

LOAD_METHODS = ("append-only", "upsert", "overwrite", "overwrite-stale")
CODECS = ("zstd", "snappy", "lz4", "gzip", "none")
_MB = 1 << 20


def _per_stream(values: tuple[str, ...]) -> Mapping[str, Any]:
    """One value for all streams, or an object of stream globs."""
    globs = {"type": "object", "additionalProperties": {"enum": list(values)}}
    return {"type": ["string", "object", "null"], "anyOf": [{"enum": [*values, None]}, globs]}


_PARTITIONING: Mapping[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "mode": {"enum": ["auto", "none", "md5", "numerical", "datetime", "column"]},
        "keys": {"type": ["array", "null"], "items": {"type": "string"}},
        "count": {"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 1 << 31},
        "size": {"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 1 << 63},
        "format": {"enum": ["hour", "day", "week", "month", "year", None]},
        "immutable": {"type": ["boolean", "null"]},
    },
    "required": ["mode"],
    "additionalProperties": False,
}

ROWS = (
    Setting(
        "path", "string", "Path", "Folder or object store address below which each stream has its table.",
        default="./warehouse",
    ),
    Setting(
        "storage_options", "object", "Storage options",
        "What the object store asks for: keys, region, endpoint, by the names that delta-rs knows.",
        secret=True, schema={"additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
    ),
    Setting(
        "load_method", "string", "Load method",
        "How rows reach a table: append-only, upsert, overwrite or overwrite-stale; one for all, or "
        "{stream glob: method}. "
        "Unset: upsert where the stream has keys, append-only where not.",
        schema=_per_stream(LOAD_METHODS),
    ),
    Setting(
        "activate_version", "options", "Activate version",
        "What ACTIVATE_VERSION means: twice (it comes before and after the rows of a full load, and the second one "
        "replaces the table), once (it comes before; the end of the input replaces, even if the tap crashed), ignore.",
        default="twice", options=("twice", "once", "ignore"),
    ),
    Setting(
        "stale_threshold", "number", "Stale threshold",
        "The per cent of a table's living rows that may be missing from a full load with overwrite-stale; where more "
        "are, the run stops (exit 4) and the table is as it was.",
        default=40, schema={"minimum": 0, "maximum": 100},
    ),
    Setting(
        "hard_delete", "boolean", "Hard delete",
        "Whether rows that the source deleted leave the table: those that come with _sdc_deleted_at to a keyed stream, "
        "and those that overwrite-stale finds missing. Otherwise they stay, with the time in _sdc_deleted_at.",
        default=False,
    ),
    Setting(
        "partitioning", "object", "Partitioning",
        "How new tables are cut into partitions: {mode: auto, none, md5, numerical, datetime or column; keys; count; "
        "size; format; immutable}; one for all, or {stream glob: {mode: ...}}. Unset: auto.",
        schema={
            "if": {"properties": {"mode": {"type": "string"}}, "required": ["mode"]},
            "then": _PARTITIONING, "else": {"additionalProperties": _PARTITIONING},
        },
    ),
    Setting(
        "nested", "string", "Nested",
        "What objects and arrays become: struct or json; one for all, or {stream glob: kind}.",
        default="struct", schema=_per_stream(("struct", "json")),
    ),
    Setting(
        "on_invalid_record", "options", "Invalid records",
        "What happens to a record that does not fit its SCHEMA or has no key: fail ends the run, quarantine keeps it "
        "in the table <stream>__quarantine, with the reason, and goes on.",
        default="fail", options=("fail", "quarantine"),
    ),
    Setting(
        "batch_size_rows", "integer", "Batch size in rows", "A batch is committed at so many rows of a stream.",
        default=1_000_000, schema={"minimum": 1},
    ),
    Setting(
        "batch_size_bytes", "integer", "Batch size in bytes",
        "A batch is committed at so many bytes of a stream, as they are in memory.",
        default=512 * _MB, schema={"minimum": 1},
    ),
    Setting(
        "max_batch_age_s", "number", "Age of a batch",
        "A batch is committed when its oldest row has waited so many seconds.",
        default=60, schema={"exclusiveMinimum": 0},
    ),
    Setting(
        "max_memory_mb", "integer", "Memory",
        "The memory that the process plans with, in megabytes, over all streams.",
        default=512, schema={"minimum": 200},
    ),
    Setting(
        "compression", "options", "Compression", "The codec of data files; zstd at level 1 measured best.",
        default="zstd", options=CODECS,
    ),
    Setting(
        "file_size_mb", "integer", "File size", "A data file ends at so many megabytes.",
        default=64, schema={"minimum": 1},
    ),
    Setting(
        "row_group_rows", "integer", "Row group",
        "Rows of a row group, which is what memory holds of a file while it is written or read; smaller ones cost CPU.",
        default=131_072, schema={"minimum": 1024},
    ),
    Setting(
        "dictionary_share", "number", "Dictionary share",
        "A column of texts, dates or decimals gets a dictionary where no more than this share of its first 32,768 "
        "values differ: 0 gives none to any column, 1 one to each.",
        default=0.2, schema={"minimum": 0, "maximum": 1},
    ),
    Setting(
        "add_record_metadata", "boolean", "Record metadata",
        "Whether each row says when it was extracted, received and batched (_sdc_ columns).", default=False,
    ),
    Setting("report_file", "string", "Report file", "Where the run leaves its counts as JSON."),
)  # fmt: skip

SCHEMA = settings_schema(ROWS)


@dataclass(frozen=True)
class Settings:
    """The options of a run, with their defaults."""

    path: str
    storage_options: Mapping[str, str] = field(repr=False)
    load_method: str | Mapping[str, str] | None
    activate_version: Activation
    stale_threshold: float
    hard_delete: bool
    partitioning: Mapping[str, Any] | None
    nested: str | Mapping[str, str]
    on_invalid_record: Literal["fail", "quarantine"]
    batch_size_rows: int
    batch_size_bytes: int
    max_batch_age_s: float
    max_memory_mb: int
    compression: str
    file_size_mb: int
    row_group_rows: int
    dictionary_share: float
    add_record_metadata: bool
    report_file: str | None

    def complete(self, rows: int, size: int) -> bool:
        """Return whether a batch of so many rows and bytes is committed now."""
        return rows >= self.batch_size_rows or size >= self.batch_size_bytes

    def method_of(self, stream: str, *, keyed: bool) -> LoadMethod:
        """Return how a stream is loaded."""
        chosen = _of(self.load_method, stream, None)
        return cast("LoadMethod", chosen or ("upsert" if keyed else "append-only"))

    def partitioning_of(self, stream: str) -> Mapping[str, Any]:
        """Return what is said of the partitions of a stream's table."""
        said = self.partitioning or {}
        chosen = said if isinstance(said.get("mode"), str) else _of(said, stream, None)
        return cast("Mapping[str, Any]", chosen or {"mode": "auto"})

    def nested_of(self, stream: str) -> Nested:
        """Return what the objects and arrays of a stream become."""
        return cast("Nested", _of(self.nested, stream, "struct"))


def settings(config: Mapping[str, Any]) -> Settings:
    """Return the options of a configuration that its schema has accepted; null means the default."""
    values = {row.name: row.default if config.get(row.name) is None else config[row.name] for row in ROWS}
    options = values["storage_options"] or {}
    values["storage_options"] = {name: _text(value) for name, value in options.items() if value is not None}
    return Settings(**values)


def _of(value: str | Mapping[str, str] | None, stream: str, default: T) -> str | T:
    """Return the value for a stream: of the first glob that matches, where the setting is an object of globs."""
    if isinstance(value, str):
        return value
    return next((chosen for glob, chosen in (value or {}).items() if fnmatchcase(stream, glob)), default)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
