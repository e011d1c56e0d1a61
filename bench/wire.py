"""RECORD lines to Arrow: the loader's parser beside the parsers that it could have been.

Takes nothing; gives a table of CPU nanoseconds a line, written into docs/explanation/wire-to-arrow.md. The contestants
read the same block in turn, many times, and the minimum of each counts: a shared machine only ever adds time.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.json
from arro3.io import read_json

from bench.orders import PROPERTIES, STREAM, records
from bench.report import machine
from target_delta.lines import Records, pieces
from target_delta.parse import RecordParser
from target_delta.schema import StreamSchema, stream_schema
from target_delta.source import BLOCK

PAGE = Path(__file__).parent.parent / "docs/explanation/wire-to-arrow.md"
Parse = Callable[[bytes], object]


def block_of(size: int) -> bytes:
    """Return RECORD lines, as many as fit."""
    lines = b"".join(records(size // 300))
    return lines[: lines.rindex(b"\n", 0, size) + 1]


def contestants(schema: StreamSchema) -> dict[str, Parse]:
    """Return each way by what it is called in the table."""
    return {
        "target-delta: lines and parse": _target_delta(schema),
        "arro3-io, unguarded: changes values silently": _arro3(schema),
        "arro3-io, temporals cast strictly, numbers guarded by a msgspec pass": _guarded(schema),
        "pyarrow.json, temporals cast strictly": _pyarrow(schema),
        "json.loads with Decimal, as singer-sdk reads (dictionaries only)": _standard_library,
    }


def cpu_ns(parse: Parse, block: bytes) -> int:
    """Return the CPU nanoseconds of one pass over the block."""
    begun = time.process_time_ns()
    parse(block)
    return time.process_time_ns() - begun


def main() -> None:
    """Measure in interleaved rounds, print the table, and with `--write` put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/wire-to-arrow.md")
    options = parser.parse_args()
    message = {"stream": STREAM, "schema": {"properties": PROPERTIES}, "key_properties": ["id"]}
    block, ways = block_of(BLOCK), contestants(stream_schema(message))

    best = dict.fromkeys(ways, 1 << 62)
    for _ in range(options.rounds):
        best = {name: min(best[name], cpu_ns(parse, block)) for name, parse in ways.items()}

    lines = block.count(b"\n")
    rows = [f"| {name} | {ns // lines:,} |" for name, ns in best.items()]
    versions = machine("msgspec", "pyarrow", "arro3-io")
    text = "\n".join(["| lines to typed Arrow | CPU ns a line |", "|---|---:|", *rows, "", versions])
    print(text)
    if options.write:
        _write(text)


def _target_delta(schema: StreamSchema) -> Parse:
    parser = RecordParser(schema)

    def parse(block: bytes) -> object:
        return [parser.parse(one.lines, rows=one.rows) for one in pieces(block) if isinstance(one, Records)]

    return parse


def _as_text(schema: StreamSchema) -> pa.Schema:
    """Return the envelope with temporals as text, which Arrow's own cast then reads strictly."""
    fields = [field.with_type(pa.string()) if pa.types.is_temporal(field.type) else field for field in schema.arrow]
    return pa.schema([("record", pa.struct(fields))])


def _cast(batch: pa.RecordBatch, schema: StreamSchema) -> pa.RecordBatch:
    records = pa.RecordBatch.from_struct_array(batch.column("record"))
    arrays = [array.cast(field.type) for array, field in zip(records.columns, schema.arrow, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.arrow)


def _arro3(schema: StreamSchema) -> Parse:
    envelope = pa.schema([("record", pa.struct(list(schema.arrow)))])
    return lambda block: list(
        pa.RecordBatchReader.from_stream(read_json(io.BytesIO(block), envelope, batch_size=BLOCK))
    )


def _guarded(schema: StreamSchema) -> Parse:
    envelope = _as_text(schema)
    lat = msgspec.defstruct("Address", [("lat", float | None, None)], gc=False)
    numbers = [("id", int | None, None), ("qty", int | None, None), ("price", float | None, None)]
    record = msgspec.defstruct("Numbers", [*numbers, ("address", lat | None, None)], gc=False)
    guard = msgspec.json.Decoder(msgspec.defstruct("Message", [("record", record)], gc=False))

    def parse(block: bytes) -> object:
        guard.decode_lines(block)
        reader = pa.RecordBatchReader.from_stream(read_json(io.BytesIO(block), envelope, batch_size=BLOCK))
        return [_cast(batch, schema) for batch in reader]

    return parse


def _pyarrow(schema: StreamSchema) -> Parse:
    options = pyarrow.json.ParseOptions(explicit_schema=_as_text(schema), unexpected_field_behavior="ignore")

    def parse(block: bytes) -> object:
        reading = pyarrow.json.ReadOptions(block_size=len(block) + 1, use_threads=False)
        table = pyarrow.json.read_json(io.BytesIO(block), read_options=reading, parse_options=options)
        return [_cast(batch, schema) for batch in table.to_batches()]

    return parse


def _standard_library(block: bytes) -> object:
    return [json.loads(line, parse_float=Decimal) for line in block.splitlines()]


def _write(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split("<!-- begin wire -->", 1)
    after = rest.split("<!-- end wire -->", 1)[1]
    PAGE.write_text(f"{before}<!-- begin wire -->\n{text}\n<!-- end wire -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
