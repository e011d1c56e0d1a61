"""Rows that find no room in memory: on the disk for a while, in order, and gone with the process."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from target_delta import overflow
from target_delta.batch import Batch
from target_delta.memory import Memory
from target_delta.overflow import Overflow
from target_delta.target import TargetDelta

from .conftest import Rows, as_lines, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path


def rows(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"v": pa.array(values, pa.int64())})


def test_order() -> None:
    """Rows come back in the order in which they came, whether they were in memory or on the disk."""
    batch, disk = Batch(), Overflow()
    for number in range(6):
        batch.add(rows(number))
        if number % 2:
            batch.spill(disk)
    batch.add(rows(6))

    taken = [value for table in batch.take() for value in table["v"].to_pylist()]

    assert taken == list(range(7))
    assert list(batch.take()) == []
    assert batch.rows == 7


def test_files_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to clean after a kill: no folder shows the files, and their space is free once they are read."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(overflow, "FILE_BYTES", 1)
    disk = Overflow()

    first, second = disk.put(pa.table({"v": [1]})), disk.put(pa.table({"v": [2]}))

    assert list(tmp_path.iterdir()) == []
    assert first.file is not second.file
    assert [one.read()["v"].to_pylist() for one in (second, first)] == [[2], [1]]


def test_disk_that_takes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be put aside the rows stay where they are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    batch = Batch()
    batch.add(rows(1, 2))

    with pytest.raises(FileNotFoundError):
        batch.spill(Overflow())

    assert [table["v"].to_pylist() for table in batch.take()] == [[1, 2]]


class Held:
    """Something that holds rows in memory."""

    def __init__(self, memory: Memory, size: int) -> None:
        self.memory, self.asked = memory, 0
        memory.note(self, size)

    def make_room(self) -> None:
        """Count the calls; whoever asks notes that nothing is held."""
        self.asked += 1


def test_the_largest_make_room() -> None:
    """Who holds most makes room first, and nobody is asked once the rest fits."""
    memory = Memory(0)
    half = memory.ceiling // 2
    small, large, middle = Held(memory, 10), Held(memory, half), Held(memory, half - 9)

    memory.keep()

    assert (small.asked, middle.asked, large.asked) == (0, 0, 1)


STREAMS = [schema(f"s{number}", ["id"], id="integer", text="string") for number in range(8)]
ROUNDS = [
    record(f"s{number}", id=turn, text=f"{turn:08d}" * 64) for turn in range(900) for number in range(len(STREAMS))
]


@pytest.mark.slow
@pytest.mark.parametrize("room", [True, False], ids=["on the disk", "no room on the disk"])
def test_many_streams(
    room: bool, rows: Rows, warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Small batches of many streams wait on the disk for their commit; without room there they are committed early."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path if room else tmp_path / "nowhere"))
    monkeypatch.setattr("target_delta.memory.BASE_MB", 255)
    monkeypatch.setattr("target_delta.memory.LEAST_MB", 1)
    (tmp_path / "input").write_bytes(as_lines([*STREAMS, *ROUNDS, state(s0={"seen": 1})]))
    target = TargetDelta(config={"path": str(warehouse), "max_memory_mb": 256, "max_batch_age_s": 600})

    with (tmp_path / "input").open("rb") as source:
        target.listen(source)  # type: ignore[arg-type]  # bytes and text both work

    commits = [len(list((warehouse / f"s{number}/_delta_log").glob("*.json"))) for number in range(len(STREAMS))]
    assert [len(rows(f"s{number}")) for number in range(len(STREAMS))] == [900] * len(STREAMS)
    assert (max(commits) <= 3) == room  # the table is made, and one or two batches
    assert capsys.readouterr().out.endswith('{"bookmarks":{"s0":{"seen":1}}}\n')
