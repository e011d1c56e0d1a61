"""Batch files: a folder of this run alone, whole files only, and old runs' leavings removed."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singerkit import batch_folder
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


def test_streams_of_long_names_have_folders(tmp_path: Path) -> None:
    """A name that no disk takes, as those of PostgreSQL in another alphabet may be, is shortened to one of its own."""
    paths = {BatchFolder(tmp_path, "схема" * 20 + end, "run").next_path("arrow") for end in ("", "a", "b")}

    assert len({path.parent.parent for path in paths}) == 3
    assert all(path.parent.is_dir() for path in paths)


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


def test_leavings_that_another_run_removes_meanwhile(tmp_path: Path) -> None:
    """What is gone when it is looked at is no matter of this run."""
    folder = BatchFolder(tmp_path, "s", "new")
    folder.parent.mkdir()
    (folder.parent / DEAD).symlink_to(tmp_path / "gone")  # listed, and not there

    folder.remove_stale(NOW)

    assert [path.name for path in folder.parent.iterdir()] == [DEAD]


def test_a_folder_that_cannot_be_made_is_the_store(tmp_path: Path) -> None:
    """The error names the path, the reason and the setting."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError, match=r"cannot be written: Not a directory .*set batch_dir elsewhere"):
        BatchWriter(BatchFolder(tmp_path / "file", "s", "run"), BATCH.schema, "arrow").write(BATCH)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few bytes be much, and a moment long."""
    monkeypatch.setattr(batch_folder, "MOST_BYTES", 100)
    monkeypatch.setattr(batch_folder, "PATIENCE_S", 0.1)
    monkeypatch.setattr(batch_folder, "_LOOK_S", 0.001)


def fill(folder: BatchFolder, files: int) -> None:
    for _ in range(files):
        folder.next_path("arrow").write_bytes(bytes(50))


@pytest.mark.usefixtures("small")
def test_a_reader_that_is_far_behind_is_waited_for(tmp_path: Path) -> None:
    """The disk holds no more than a little that is unread; the next file comes once the reader has removed enough."""
    looks: list[int] = []

    def read_one() -> None:
        looks.append(len([*folder.path.iterdir()]))
        min(folder.path.iterdir()).unlink()

    folder = BatchFolder(tmp_path, "s", "run", read_one)
    fill(folder, 9)  # nothing has been removed yet: it may be a reader that never does
    assert looks == []

    min(folder.path.iterdir()).unlink()
    fill(folder, 9)
    assert looks == [8, 7, 6, 5] + [5] * 8
    assert folder.count == 18


@pytest.mark.usefixtures("small")
def test_a_reader_that_removes_nothing_more_is_not_waited_for_again(tmp_path: Path) -> None:
    """It is waited for once, and then the tap goes on as with one that never removes a file."""
    looks: list[None] = []
    folder = BatchFolder(tmp_path, "s", "run", lambda: looks.append(None))
    fill(folder, 9)
    min(folder.path.iterdir()).unlink()
    folder.next_path("arrow")
    waited = len(looks)
    fill(folder, 3)

    assert waited > 1
    assert len(looks) == waited


@pytest.mark.usefixtures("small")
def test_a_stop_is_heard_while_a_reader_is_waited_for(tmp_path: Path) -> None:
    """What `look` raises ends the wait."""

    def stop() -> None:
        raise KeyboardInterrupt

    folder = BatchFolder(tmp_path, "s", "run", stop)
    fill(folder, 9)
    min(folder.path.iterdir()).unlink()

    with pytest.raises(KeyboardInterrupt):
        folder.next_path("arrow")


def test_a_run_knows_whether_another_lives() -> None:
    """The name of a run tells its process; names of another make are dead."""
    assert is_alive(new_run_id(NOW))
    assert not is_alive(DEAD)
    assert not is_alive("notes")
    assert new_run_id(NOW) != new_run_id(NOW)
