"""Changes in batch files: the very rows that lines have, and no file that is written over another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pytest

from singerkit.output import FEW_ROWS, rows_of
from tests.postgres_server import Database, database, server
from tests.tap_postgres.test_cdc_sync import S, applied, capture, following, source, t

if TYPE_CHECKING:
    from tests.tap_postgres.running import Message, Run

__all__ = ["database", "server", "t"]
pytestmark = pytest.mark.slow  # needs a server


def addresses(run: Run) -> list[str]:
    return [address for message in run.of("BATCH") for address in message["manifest"]]


def unpacked(run: Run) -> Run:
    """Return the run as if every row in its files had come as a line."""
    messages: list[Message] = []
    for message in run.messages:
        messages += [message] if message["type"] != "BATCH" else map(_as_record, _rows(message))
    return replace(run, messages=messages)


def _rows(message: Message) -> list[Message]:
    found: list[Message] = []
    for address in message["manifest"]:
        with pa.ipc.open_file(Path(unquote(urlsplit(address).path))) as file:
            batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        found += [row for batch in batches for row in rows_of(message["stream"], batch)]
    return found


def _as_record(row: Message) -> Message:
    return {"type": "RECORD", "stream": S, "record": row}


def test_files_have_the_rows_of_lines(t: Database, tmp_path: Path) -> None:
    """What is omitted, deleted or of another shape is said in files as in lines; few rows come as lines."""
    first = capture(t)
    t.psql(
        f"""
        INSERT INTO t SELECT g, 'v' || g, repeat('long', 600) FROM generate_series(10, {4 * FEW_ROWS}) g;
        UPDATE t SET v = 'new' WHERE id % 2 = 0; DELETE FROM t WHERE id % 5 = 0; UPDATE t SET id = -id WHERE id < 20;
        ALTER TABLE t ADD w int; INSERT INTO t SELECT g, 'v', NULL, g FROM generate_series(-5000, -3000) g;
        ALTER TABLE t ADD x int; INSERT INTO t VALUES (0, 'few');
        """
    )
    files = capture(t, first.state, output="batch", batch_dir=str(tmp_path))
    lines = capture(t, first.state)

    as_lines = unpacked(files)
    assert as_lines.records == lines.records
    assert applied([first, as_lines]) == source(t)
    assert any("_sdc_omitted" in record for record in as_lines.records[S])
    assert files.of("BATCH")
    assert len(files.records[S]) < FEW_ROWS
    assert not lines.of("BATCH")


def test_no_file_is_written_over_another(t: Database, tmp_path: Path) -> None:
    """A table that is read again in the run that changed it has other files: nobody has read the first ones yet."""
    first = capture(t, output="batch", batch_dir=str(tmp_path))
    second = following(
        t,
        first.state,
        f"""
        INSERT INTO t SELECT g FROM generate_series(10, {2 * FEW_ROWS}) g; SELECT pg_sleep(2);
        ALTER TABLE t ADD d text DEFAULT 'filled'; INSERT INTO t VALUES (6);
        """,
        6,
        output="batch",
        batch_dir=str(tmp_path),
    )

    assert len(second.of("ACTIVATE_VERSION")) == 2
    assert len(addresses(second)) == len({*addresses(second)}) >= 2
    assert applied([unpacked(first), unpacked(second)]) == source(t)
