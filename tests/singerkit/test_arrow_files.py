"""Batch files: a folder of this run alone, whole files only, and old runs' leavings removed."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singerkit.arrow.files import BatchWriter
from singerkit.batch_folder import STALE_AFTER_S, BatchFolder
from singerkit.errors import StoreError
from singerkit.runs import is_alive, new_run_id

BATCH = pa.record_batch({"n": [1, 2, None], "text": ["a", None, "é"]})
NOW = 1_767_225_600.0
DEAD = "20250101T000000-abcdef01-4194304"  # no process has this number: it is the kernel's limit


def test_a_finished_file_holds_its_batches(tmp_path: Path) -> None:
    """The address is that of a whole file; what is asked next goes to another one."""
    for suffix, read in {"arrow": lambda p: pa.ipc.open_file(p).read_all(), "parquet": pq.read_table}.items():
        writer = BatchWriter(BatchFolder(tmp_path, "a/b ö", "run"), BATCH.schema, suffix)  # type: ignore[arg-type]
        writer.write(BATCH)
        writer.write(BATCH)

        address = writer.finish()

        assert address is not None
        path = Path(unquote(urlsplit(address).path))
        assert path.parent.parent.parent == tmp_path
        assert read(path) == pa.Table.from_batches([BATCH, BATCH])
        assert (writer.rows, writer.bytes, writer.finish()) == (0, 0, None)


def test_a_failed_run_leaves_no_half_file(tmp_path: Path) -> None:
    """What no message names is removed."""
    folder = BatchFolder(tmp_path, "s", "run")
    writer = BatchWriter(folder, BATCH.schema, "arrow")
    writer.write(BATCH)

    writer.abandon()

    assert [*folder.path.iterdir()] == []


def test_only_dead_runs_of_yesterday_are_removed(tmp_path: Path) -> None:
    """A live process keeps its folder however old; a dead one keeps it for a day, for a reader that is late."""
    folder = BatchFolder(tmp_path, "s", "new")
    ages = {DEAD: STALE_AFTER_S + 1, DEAD + "0": STALE_AFTER_S - 1, new_run_id(NOW): STALE_AFTER_S + 1}
    for name, age_s in ages.items():
        path = folder.parent / name
        path.mkdir(parents=True)
        (path / "00001.arrow").write_bytes(b"x")
        os.utime(path, (NOW - age_s, NOW - age_s))

    folder.remove_stale(NOW)

    assert {path.name for path in folder.parent.iterdir()} == {*ages} - {DEAD}


def test_a_folder_that_cannot_be_made_is_the_store(tmp_path: Path) -> None:
    """The error names the path, the reason and the setting."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError, match=r"cannot be written: Not a directory .*set batch_dir elsewhere"):
        BatchWriter(BatchFolder(tmp_path / "file", "s", "run"), BATCH.schema, "arrow").write(BATCH)


def test_a_run_knows_whether_another_lives() -> None:
    """The name of a run tells its process; names of another make are dead."""
    assert is_alive(new_run_id(NOW))
    assert not is_alive(DEAD)
    assert not is_alive("notes")
    assert new_run_id(NOW) != new_run_id(NOW)
