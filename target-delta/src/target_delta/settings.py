"""Every option of the loader, its default and its words, once: a settings class, whose values the rooms read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from singerkit.settings.kinds import Input, Select
from singerkit.settings.rows import settings
from target_delta.names import DEFAULT, TEMPLATE, table_folder

if TYPE_CHECKING:
    from target_delta.contract import Contract

LoadMethod = Literal["append-only", "upsert", "overwrite", "overwrite-stale"]
Activation = Literal["twice", "once", "ignore"]
Nested = Literal["struct", "json"]
Codec = Literal["zstd", "snappy", "lz4", "gzip", "none"]
T = TypeVar("T")

_MB = 1 << 20
_AT_LEAST_ONE = {"minimum": 1}

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

_PARTITIONINGS = {
    "if": {"properties": {"mode": {"type": "string"}}, "required": ["mode"]},
    "then": _PARTITIONING,
    "else": {"additionalProperties": _PARTITIONING},
}


_CONTRACT: Mapping[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "tables": {"enum": ["evolve", "freeze", "discard_row"]},
        "columns": {"enum": ["evolve", "freeze", "discard_value", "discard_row"]},
        "types": {"enum": ["evolve", "evolve_to_text", "freeze", "discard_value", "discard_row", "variant"]},
    },
    "additionalProperties": False,
}
_CONTRACTS: Mapping[str, Any] = {
    "if": {"additionalProperties": {"type": "string"}},
    "then": _CONTRACT,
    "else": {"additionalProperties": _CONTRACT},
}


@settings
class Settings:
    """What target-delta can be told."""

    path: Annotated[str, Input("Path", "Folder or object store address below which each stream has its table.")] = (
        "./warehouse"
    )
    table_path: Annotated[
        str | Mapping[str, str],
        Input(
            "Path of a table",
            "The folder of a stream's table below path, made of {stream} (its name), {schema} and {table} (what stands "
            "before and behind the first - of it); one for all, or {stream glob: template}.",
            schema={"pattern": TEMPLATE, "additionalProperties": {"type": "string", "pattern": TEMPLATE}},
        ),
    ] = DEFAULT
    storage_options: Annotated[
        Mapping[str, str],
        Input(
            "Storage options",
            "What the object store asks for: keys, region, endpoint, by the names that delta-rs knows.",
            secret=True,
        ),
    ] = field(default_factory=dict)
    single_writer: Annotated[
        bool,
        Input(
            "Single writer",
            "Whether never two programs write these tables at once: then a store that lets a log entry be overwritten, "
            "which is refused otherwise, is good enough.",
        ),
    ] = False
    load_method: Annotated[
        LoadMethod | Mapping[str, LoadMethod] | None,
        Input(
            "Load method",
            "How rows reach a table: append-only, upsert, overwrite or overwrite-stale; one for all, or "
            "{stream glob: method}. Unset: upsert where the stream has keys, append-only where not.",
        ),
    ] = None
    activate_version: Annotated[
        Activation,
        Select(
            "Activate version",
            "What ACTIVATE_VERSION means: twice (it comes before and after the rows of a full load, and the "
            "second one replaces the table), once (it comes before; the end of the input replaces, even if "
            "the tap crashed), ignore.",
        ),
    ] = "twice"
    stale_threshold: Annotated[
        float,
        Input(
            "Stale threshold",
            "The per cent of a table's living rows that may be missing from a full load with overwrite-stale; "
            "where more are, the run stops (exit 4) and the table is as it was.",
            schema={"minimum": 0, "maximum": 100},
        ),
    ] = 40
    hard_delete: Annotated[
        bool,
        Input(
            "Hard delete",
            "Whether rows that the source deleted leave the table: those that come with _sdc_deleted_at to a "
            "keyed stream, and those that overwrite-stale finds missing. Otherwise they stay, with the time "
            "in _sdc_deleted_at.",
        ),
    ] = False
    partitioning: Annotated[
        Mapping[str, Any] | None,
        Input(
            "Partitioning",
            "How new tables are cut into partitions: {mode: auto, none, md5, numerical, datetime or column; "
            "keys; count; size; format; immutable}; one for all, or {stream glob: {mode: ...}}. Unset: auto.",
            schema=_PARTITIONINGS,
        ),
    ] = None
    nested: Annotated[
        Nested | Mapping[str, Nested],
        Input("Nested", "What objects and arrays become: struct or json; one for all, or {stream glob: kind}."),
    ] = "struct"
    on_invalid_record: Annotated[
        Literal["fail", "quarantine"],
        Select(
            "Invalid records",
            "What happens to a record that does not fit its SCHEMA or has no key: fail ends the run, "
            "quarantine keeps it in the table <stream>__quarantine, with the reason, and goes on.",
        ),
    ] = "fail"
    schema_contract: Annotated[
        Mapping[str, Any] | None,
        Input(
            "Schema contract",
            "What a stream may change: {tables: evolve, freeze or discard_row; columns: evolve, freeze, discard_value "
            "or discard_row; types: evolve, evolve_to_text, freeze, discard_value, discard_row or variant}; one for "
            "all, or {stream glob: {...}}. Unset: tables and columns evolve, types freeze.",
            schema=_CONTRACTS,
        ),
    ] = None
    history: Annotated[
        bool | str | Mapping[str, bool | str],
        Input(
            "History",
            "Whether every version of a row stays, in the table <stream>__history: true, false, or the column that "
            "says when a row changed; one for all streams with keys, or {stream glob: ...}.",
        ),
    ] = False
    widen_limit_mb: Annotated[
        int,
        Input(
            "Limit of widening",
            "With types: evolve a table is written again for a wider type up to so many megabytes.",
            schema=_AT_LEAST_ONE,
        ),
    ] = 2048
    batch_size_rows: Annotated[
        int, Input("Batch size in rows", "A batch is committed at so many rows of a stream.", schema=_AT_LEAST_ONE)
    ] = 1000000
    batch_size_bytes: Annotated[
        int,
        Input(
            "Batch size in bytes",
            "A batch is committed at so many bytes of a stream, as they are in memory.",
            schema=_AT_LEAST_ONE,
        ),
    ] = 512 * _MB
    max_batch_age_s: Annotated[
        float,
        Input(
            "Age of a batch",
            "A batch is committed when its oldest row has waited so many seconds.",
            schema={"exclusiveMinimum": 0},
        ),
    ] = 60
    max_memory_mb: Annotated[
        int,
        Input(
            "Memory", "The memory that the process plans with, in megabytes, over all streams.", schema={"minimum": 256}
        ),
    ] = 512
    compression: Annotated[Codec, Select("Compression", "The codec of data files; zstd at level 1 measured best.")] = (
        "zstd"
    )
    file_size_mb: Annotated[int, Input("File size", "A data file ends at so many megabytes.", schema=_AT_LEAST_ONE)] = (
        64
    )
    row_group_rows: Annotated[
        int,
        Input(
            "Row group",
            "Rows of a row group, which is what memory holds of a file while it is written or read; smaller "
            "ones cost CPU.",
            schema={"minimum": 1024},
        ),
    ] = 131072
    dictionary_share: Annotated[
        float,
        Input(
            "Dictionary share",
            "A column of texts, dates or decimals gets a dictionary where no more than this share of its "
            "first 32,768 values differ: 0 gives none to any column, 1 one to each.",
            schema={"minimum": 0, "maximum": 1},
        ),
    ] = 0.2
    compact_files: Annotated[
        int,
        Input(
            "Small files",
            "After a good run, tables are looked after that it wrote to and that have more small files than "
            "this in a partition: as target-delta maintain does it. 0 leaves it to that verb.",
            schema={"minimum": 0},
        ),
    ] = 20
    vacuum_hours: Annotated[
        int,
        Input(
            "Hours before vacuum",
            "So many hours a file stays that left its table: older versions can be read and rolled back to as long.",
            schema={"minimum": 24},
        ),
    ] = 168
    add_record_metadata: Annotated[
        bool,
        Input("Record metadata", "Whether each row says when it was extracted, received and batched (_sdc_ columns)."),
    ] = False
    report_file: Annotated[Path | None, Input("Report file", "Where the run leaves its counts as JSON.")] = None

    def complete(self, rows: int, size: int) -> bool:
        """Return whether a batch of so many rows and bytes is committed now."""
        return rows >= self.batch_size_rows or size >= self.batch_size_bytes

    def folder_of(self, stream: str) -> str:
        """Return the folder of a stream's table below the path."""
        return table_folder(stream, _of(self.table_path, stream, DEFAULT))

    def method_of(self, stream: str, *, keyed: bool) -> LoadMethod:
        """Return how a stream is loaded."""
        chosen = _of(self.load_method, stream, None)
        return cast("LoadMethod", chosen or ("upsert" if keyed else "append-only"))

    def partitioning_of(self, stream: str) -> Mapping[str, Any]:
        """Return what is said of the partitions of a stream's table."""
        said = self.partitioning or {}
        chosen = said if isinstance(said.get("mode"), str) else _of(said, stream, None)
        return cast("Mapping[str, Any]", chosen or {"mode": "auto"})

    def contract_of(self, stream: str) -> Contract:
        """Return what a stream may change of its table."""
        from target_delta.contract import Contract  # Arrow is behind it, and --help needs none

        said = self.schema_contract or {}
        chosen = said if all(isinstance(value, str) for value in said.values()) else _of(said, stream, None)
        return Contract(**cast("dict[str, Any]", chosen or {}), limit_bytes=self.widen_limit_mb << 20)

    def history_of(self, stream: str) -> bool | str:
        """Return whether a stream has a history, or the column that says when a row of it changed."""
        said = self.history
        if isinstance(said, Mapping):
            return next((chosen for glob, chosen in said.items() if fnmatchcase(stream, glob)), False)
        return said

    def nested_of(self, stream: str) -> Nested:
        """Return what the objects and arrays of a stream become."""
        return cast("Nested", _of(self.nested, stream, "struct"))


def _of(value: str | Mapping[str, str] | None, stream: str, default: T) -> str | T:
    """Return the value for a stream: of the first glob that matches, where the setting is an object of globs."""
    if isinstance(value, str):
        return value
    return next((chosen for glob, chosen in (value or {}).items() if fnmatchcase(stream, glob)), default)
