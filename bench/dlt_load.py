"""RECORD lines to Delta by dlt, run by a Python that has it: it is no dependency of this project.

Takes a file of Singer messages and a folder; gives a Delta table in it. A contestant of bench.records, nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}  # dlt reads them when imported

import dlt  # type: ignore[import-not-found]  # only where it is measured
from dlt.destinations import filesystem  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_ROWS = 10_000


def pages(file: Path) -> Iterator[list[dict[str, Any]]]:
    """Return the records, many at once, which dlt takes faster than one by one."""
    page: list[dict[str, Any]] = []
    with file.open("rb") as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "RECORD":
                page.append(message["record"])
            if len(page) == PAGE_ROWS:
                yield page
                page = []
    yield page


def main(file: Path, folder: Path) -> None:
    """Load the file into a table of the folder."""
    place = filesystem(bucket_url=folder.as_uri())
    pipeline = dlt.pipeline("orders", pipelines_dir=str(folder / "work"), destination=place, dataset_name="loaded")
    rows = dlt.resource(pages(file), name="orders", write_disposition="append", max_table_nesting=0)
    pipeline.run(rows, table_format="delta")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
