"""A Delta loader as most are written with singer-sdk: a batch sink, rows as dictionaries, one append a batch.

Takes Singer messages on stdin; gives a Delta table. A contestant of bench.records, nothing else.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pyarrow as pa
from deltalake import write_deltalake
from singer_sdk import Target
from singer_sdk.sinks import BatchSink

from target_delta.schema import stream_schema


class PlainSink(BatchSink):
    """Gathers rows by 10,000, singer-sdk's own default, and appends them."""

    max_size = 10_000

    def process_batch(self, context: dict[str, Any]) -> None:
        """Append the rows of a batch."""
        schema = stream_schema({"stream": self.stream_name, "schema": self.original_schema}).arrow
        rows = pa.Table.from_pylist([_plain(row) for row in context["records"]], schema=schema)
        write_deltalake(f"{self.config['path']}/{self.stream_name}", rows, mode="append")


class PlainTarget(Target):
    """The command line around the sink."""

    name = "plain-sink"
    config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {"path": {"type": "string"}}, "required": ["path"]}
    default_sink_class = PlainSink


def _plain(value: Any) -> Any:
    """Return the value with doubles for the decimals as which singer-sdk reads numbers."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return float(value) if isinstance(value, Decimal) else value


if __name__ == "__main__":
    PlainTarget.cli()
