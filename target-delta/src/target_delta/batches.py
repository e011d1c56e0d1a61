"""BATCH messages -> rows, read file by file and piece by piece.

Takes the message and the stream's schema; gives rows that conform to it. Refuses an encoding it does not know, and
a file that is not there or not what the message says.
"""

from __future__ import annotations

import gzip
from contextlib import closing, contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from singerkit.errors import CredentialsError, SafetyStopError, SettingsError
from target_delta.conform import fit
from target_delta.exact import RefusedError, reader
from target_delta.jsontext import json_texts
from target_delta.omitted import OMITTED, names_of
from target_delta.parse import Parsed, RecordParser
from target_delta.typed import from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping

    from target_delta.careful import OnInvalid
    from target_delta.columns import Column
    from target_delta.schema import StreamSchema

    Parse = Callable[[bytes], Parsed]
    """Reads whole lines of JSON."""
    Batches = Generator[Parsed, None, None]

ROWS = 1 << 16  # a piece of a Parquet file
BLOCK = 1 << 20  # bytes of JSON Lines
ASKED = "x-delete-after-commit"
# What object stores of Delta call it -> what fsspec's s3fs calls it
_S3_OPTIONS = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "aws_session_token": "token",
    "aws_endpoint_url": "endpoint_url",
}
_AS_TEXT = frozenset({"instant", "local", "date", "binary", "decimal"})  # kinds that JSON writes as text
_BROKEN = (pa.ArrowException, OSError, EOFError, ValueError)


def read_batches(
    message: Mapping[str, Any],
    schema: StreamSchema,
    storage_options: Mapping[str, Any] | None = None,
    on_invalid: OnInvalid | None = None,
    may_be_odd: Collection[str] = (),
) -> Iterator[Parsed]:
    """Return the rows of a BATCH message's files, in order, with the schema's columns and what each row omits.

    Files are read piece by piece: memory is bounded by a row group or an Arrow batch, whatever the size of a file.
    """
    encoding = message.get("encoding")
    kind = encoding.get("format") if isinstance(encoding, dict) else encoding
    read = _READERS.get(str(kind).lower())
    if read is None:
        raise SafetyStopError(
            "a BATCH message has an encoding that is not known",
            remedy="let the tap write jsonl, parquet or arrow",
            stream=schema.stream, format=kind,
        )  # fmt: skip
    parse = partial(RecordParser(schema, may_be_odd, bare=True).parse, on_invalid=on_invalid)
    for url in _manifest(message):
        with _explained(schema.stream, url), closing(read(_path(url, storage_options), schema, parse)) as batches:
            yield from batches


def delete(message: Mapping[str, Any], storage_options: Mapping[str, Any] | None = None) -> None:
    """Remove the message's files where the tap asked for it; to be called once their rows are committed."""
    if message.get(ASKED) is True:
        for url in _manifest(message):
            _path(url, storage_options).unlink(missing_ok=True)


def _manifest(message: Mapping[str, Any]) -> list[str]:
    urls = message.get("manifest") or []
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise SafetyStopError("the manifest of a BATCH message is no list of addresses", remedy="correct the tap")
    return urls


def _path(url: str, storage_options: Mapping[str, Any] | None) -> UPath:
    """Return the file; an S3 address is opened with the store's own credentials, others as fsspec is configured."""
    given = {name.lower(): value for name, value in (storage_options or {}).items()}
    options = {_S3_OPTIONS[name]: value for name, value in given.items() if name in _S3_OPTIONS}
    return UPath(url, **options) if url.startswith(("s3:", "s3a:")) else UPath(url)


@contextmanager
def _explained(stream: str, url: str) -> Iterator[None]:
    """Say of a file that cannot be read which it is and what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise SafetyStopError(
            "a file of a BATCH message is not there", remedy="let the tap run again", stream=stream, file=url
        ) from error
    except ImportError as error:
        raise SettingsError(
            "a file of a BATCH message is in a store that nothing here can open",
            remedy="install fsspec's package for it beside target-delta (s3fs, gcsfs, adlfs)", stream=stream, file=url,
        ) from error  # fmt: skip
    except PermissionError as error:
        raise CredentialsError(
            "a file of a BATCH message may not be read", remedy="let this user read it", stream=stream, file=url
        ) from error
    except _BROKEN as error:
        raise SafetyStopError(
            "a file of a BATCH message is broken, or not what its encoding says",
            remedy="let the tap write it again", stream=stream, file=url,
        ) from error  # fmt: skip


def _parquet(path: UPath, schema: StreamSchema, _: Parse) -> Batches:
    with path.open("rb") as file, pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=ROWS):
            yield _columns(batch, schema)


def _arrow(path: UPath, schema: StreamSchema, _: Parse) -> Batches:
    with _mapped(path) as file:
        if file.read(6) == b"ARROW1":
            with pa.ipc.open_file(file) as whole:
                for index in range(whole.num_record_batches):
                    yield _columns(whole.get_batch(index), schema)
        else:
            file.seek(0)
            with pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    yield _columns(batch, schema)


def _mapped(path: UPath) -> Any:
    """Return the file as Arrow reads it best: mapped where it is local, so that its rows are never copied."""
    return (
        pa.memory_map(path.path) if path.protocol in {"", "file", "local"} else pa.PythonFile(path.open("rb"), mode="r")
    )


def _jsonl(path: UPath, _: StreamSchema, parse: Parse) -> Batches:
    with path.open("rb") as file, _plain(file) as lines:
        rest = b""
        while block := lines.read(BLOCK):
            whole = rest + block
            end = whole.rfind(b"\n") + 1
            rest = whole[end:]
            if end:
                yield parse(whole[:end])
        if rest:
            yield parse(rest)


def _plain(file: IO[bytes]) -> Any:
    """Return the bytes uncompressed; the file says how, since taps mislabel it (singer-sdk writes gzip as `none`)."""
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(file)
    return pa.CompressedInputStream(file, "zstd") if magic == b"\x28\xb5\x2f\xfd" else pa.PythonFile(file, mode="r")


def _columns(batch: pa.RecordBatch, schema: StreamSchema) -> Parsed:
    """Return the batch with the schema's columns, each with its values unchanged; one that is absent is NULL."""
    present = {name: index for index, name in enumerate(batch.schema.names)}
    arrays = [
        _column(batch.column(present[column.source]), column)
        if column.source in present
        else pa.nulls(batch.num_rows, column.type)
        for column in schema.columns
    ]
    omitted = names_of(batch.column(present[OMITTED])) if OMITTED in present else None
    declared = {OMITTED, *(column.source for column in schema.columns)}
    undeclared = tuple(name for name in present if name not in declared)
    return Parsed(pa.RecordBatch.from_arrays(arrays, schema=schema.arrow), omitted=omitted, undeclared=undeclared)


def _column(array: pa.Array, column: Column) -> pa.Array:
    if column.kind == "json" and not _is_text(array.type):
        return json_texts(array)
    if column.kind in _AS_TEXT and _is_text(array.type):
        return _read(array.cast(pa.string()), column)
    return fit(array, column.type, column.name)


def _read(texts: pa.StringArray, column: Column) -> pa.Array:
    """Return the column that the texts stand for: as a whole, or one by one to accept or explain the odd ones."""
    try:
        return from_text(texts, column)
    except (ValueError, OverflowError):
        read = reader(column)
    try:
        return pa.array(
            [None if text is None else read(msgspec.json.encode(text)) for text in texts.to_pylist()], column.type
        )
    except RefusedError as refused:
        raise SafetyStopError(
            f"a file of a BATCH message does not fit the SCHEMA: expected {refused.expected}",
            remedy="correct the type in the tap's SCHEMA", column=refused.path,
        ) from refused  # fmt: skip


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


_READERS: Mapping[str, Callable[[UPath, StreamSchema, Parse], Batches]] = {
    "arrow": _arrow,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
