"""The settings that every tap has, with one name and one meaning everywhere; a tap's own class adds to them. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from singerkit.settings.kinds import Input, Select
from singerkit.settings.rows import settings

AT_LEAST_ONE: dict[str, Any] = {"minimum": 1}

BatchRows = Annotated[int, Input("Batch rows", "A batch file is closed at this many rows.", schema=AT_LEAST_ONE)]


@settings
class TapSettings:
    """What every tap can be told."""

    start_date: Annotated[
        str | None,
        Input(
            "Start date",
            "Without a bookmark, an incremental stream with a date or timestamp as its replication key begins here.",
            type="date",
        ),
    ] = None
    output: Annotated[
        Literal["records", "batch"],
        Select(
            "Output",
            "records: RECORD lines, for any target. batch: files named by BATCH messages, for a target that reads "
            "them.",
        ),
    ] = "records"
    batch_dir: Annotated[
        Path | None,
        Input(
            "Batch folder",
            "Where batch files are written, one folder a stream and run. Unset: singer-batches in the temporary "
            "folder.",
        ),
    ] = None
    batch_size_rows: BatchRows = 100_000
    batch_size_bytes: Annotated[
        int, Input("Batch bytes", "... or at this many bytes of data.", schema=AT_LEAST_ONE)
    ] = 128 << 20
    max_rows: Annotated[
        int | None,
        Input(
            "Row limit",
            "Rows of each stream in a run at most. Where the source expects more, the run ends before its first record "
            "(exit 4); where nobody knows how many, the stream stops there and the next run goes on.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    report_file: Annotated[
        Path | None, Input("Report file", "Where to write what the run did, stream by stream, as JSON.")
    ] = None
