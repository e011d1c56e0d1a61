"""A run that is killed or told to stop at any point loses nothing, doubles nothing it can know, and says no untruth.

The points are lines of the loader's own rooms, counted over all threads, so every numbered step of a commit is among
them. STRESS=<seeds> runs more of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Nursery

pytestmark = pytest.mark.slow

ROWS = 40
STATE_EVERY = 4
SEEDS = int(os.environ.get("STRESS", "34"))
PADDING = {"no column": "x" * 30_000}  # so that the input is several blocks, with a STATE in each
SCHEMA = {"properties": {"id": {"type": "integer"}, "v": {"type": "integer"}}}

Table = list[tuple[int, int]]


@dataclass(frozen=True)
class Tap:
    """A source of ROWS rows that goes on from a STATE, and what its table may hold after the first n of them."""

    keys: tuple[str, ...]
    row: Callable[[int], dict[str, int]]
    full: bool = False

    def messages(self, state: dict[str, Any] | None) -> bytes:
        """Return what the tap prints when it starts with this STATE."""
        bookmark = (state or {}).get("bookmarks", {}).get("s", {})
        load = bookmark.get("full_load", {"version": 8, "below": 0})
        start = load["below"] if self.full else bookmark.get("n", 0)
        lines: list[dict[str, Any]] = [{"type": "STATE", "value": state}] if state else []
        lines.append({"type": "SCHEMA", "stream": "s", "key_properties": self.keys, "schema": SCHEMA})
        swap = {"type": "ACTIVATE_VERSION", "stream": "s", "version": load["version"]}
        lines += [swap] if self.full else []
        for place in range(start, ROWS):
            lines.append({"type": "RECORD", "stream": "s", "record": self.row(place) | PADDING})
            if (place + 1) % STATE_EVERY == 0:
                done = (
                    {"full_load": {"version": load["version"], "below": place + 1}} if self.full else {"n": place + 1}
                )
                lines.append({"type": "STATE", "value": {"bookmarks": {"s": done}}})
        lines += [swap, {"type": "STATE", "value": {"bookmarks": {"s": {"n": ROWS}}}}] if self.full else []
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def table(self, rows: int) -> Table:
        """Return what the table holds after the first rows."""
        sent = [self.row(place) for place in range(rows)]
        if self.keys:
            sent = list({row["id"]: row for row in sent}.values())
        return sorted((row["id"], row["v"]) for row in sent)


TAPS = {
    "append": Tap((), lambda place: {"id": place, "v": place}),
    "upsert": Tap(("id",), lambda place: {"id": place % 13, "v": place}),
    "full load": Tap(("id",), lambda place: {"id": place, "v": place}, full=True),
    "full load without keys": Tap((), lambda place: {"id": place, "v": place}, full=True),
}
OLD: Table = [(-1, -1), (0, -1)]


def before(tap: Tap, folder: Path, nursery: Nursery) -> None:
    """Give a full load something to replace."""
    if tap.full:
        lines = [{"type": "SCHEMA", "stream": "s", "key_properties": ["id"], "schema": SCHEMA}]
        lines += [{"type": "RECORD", "stream": "s", "record": {"id": number, "v": value}} for number, value in OLD]
        assert nursery.run(folder, b"".join(json.dumps(line).encode() + b"\n" for line in lines)).code == 0


def found(folder: Path) -> Table:
    """Return the table as its log says."""
    path = folder / "warehouse" / "s"
    if not DeltaTable.is_deltatable(str(path)):
        return []
    return sorted((row["id"], row["v"]) for row in DeltaTable(path).to_pyarrow_table().to_pylist())


def check_first_run(tap: Tap, folder: Path, state: dict[str, Any] | None) -> None:
    """The table holds what the first n rows mean, and no STATE is ahead of it; a full load is there whole or not."""
    table, bookmark = found(folder), (state or {}).get("bookmarks", {}).get("s", {})
    if tap.full:
        assert table in (OLD, tap.table(ROWS))
        assert table == tap.table(ROWS) or "n" not in bookmark
    else:
        assert table in [tap.table(rows) for rows in range(bookmark.get("n", 0), ROWS + 1)]


def check_second_run(tap: Tap, folder: Path) -> None:
    """After a resume every row is there, once."""
    assert found(folder) == tap.table(ROWS)


@pytest.mark.parametrize("name", TAPS)
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_any_point(name: str, signum: int, tmp_path: Path, nursery: Nursery) -> None:
    """At any point a kill or a stop leaves a table and a STATE that agree, and the next run completes them."""
    tap, dice = TAPS[name], random.Random(f"{name} {signum}")
    (whole := tmp_path / "whole").mkdir()
    before(tap, whole, nursery)
    points = nursery.run(whole, tap.messages(None), batch_size_rows=7).points
    assert points > 200

    for seed in range(SEEDS // 2):
        (folder := tmp_path / str(seed)).mkdir()
        before(tap, folder, nursery)
        ended = nursery.run(folder, tap.messages(None), batch_size_rows=7, point=dice.randint(1, points), signum=signum)
        state = ended.states[-1] if ended.states else None

        assert ended.code in ({-9, 0} if signum == signal.SIGKILL else {143, 0}), ended.log
        check_first_run(tap, folder, state)
        resumed = nursery.run(folder, tap.messages(state), batch_size_rows=7)
        assert resumed.code == 0, resumed.log
        check_second_run(tap, folder)
