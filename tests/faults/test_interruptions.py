"""A run that is killed or told to stop at any point loses nothing, doubles nothing it can know, and says no untruth.

The points are lines of the loader's own rooms, counted over all threads, so every numbered step of a commit is among
them; each step is met by its number as well. STRESS=<seeds> runs more of them.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import re
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from target_delta.commit import Committer
from tests.object_store import s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .conftest import Ended, Nursery

pytestmark = pytest.mark.slow

ROWS = 40
STATE_EVERY = 4
STRESS = int(os.environ.get("STRESS", "100"))
PADDING = {"no column": "x" * 30_000}  # so that the input is several blocks, with a STATE in each
TIME = {"type": ["string", "null"], "format": "date-time"}
INTEGER = {"type": ["integer", "null"]}
SCHEMA = {"properties": {"id": INTEGER, "v": INTEGER, "odd": INTEGER, "_sdc_deleted_at": TIME, "at": TIME}}
DELETED = "2024-01-02T03:04:05Z"

Table = list[tuple[int, int]]


def _steps() -> dict[int, str]:
    """Return the source line of each numbered step of a commit, as its comments number them."""
    lines = Path(inspect.getfile(Committer)).read_text().splitlines()
    return {int(line[-1]): line.strip() for line in lines if re.search(r"  # \d$", line)}


STEPS = _steps()


@dataclass(frozen=True)
class Tap:
    """A source of ROWS rows that goes on from a STATE, and what its table may hold after the first n of them."""

    keys: tuple[str, ...]
    row: Callable[[int], dict[str, Any]]
    full: bool = False
    """Whether it announces a full load, which goes on from where STATE says."""
    ends: bool = False
    """Whether the end of its output completes a load of all rows (load_method: overwrite)."""
    config: Mapping[str, Any] = field(default_factory=dict)

    def messages(self, state: dict[str, Any] | None) -> bytes:
        """Return what the tap prints when it starts with this STATE."""
        bookmark = (state or {}).get("bookmarks", {}).get("s", {})
        load = bookmark.get("full_load", {"version": 8, "below": 0})
        start = load["below"] if self.full else 0 if self.ends else bookmark.get("n", 0)
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
        if self.config.get("hard_delete"):
            sent = [row for row in sent if row.get("_sdc_deleted_at") is None]
        return sorted((row["id"], row["v"]) for row in sent)

    @property
    def replaces(self) -> bool:
        """Whether the rows take the place of those that were there."""
        return self.full or self.ends


BY_KEY: Mapping[str, Any] = {"partitioning": {"mode": "md5", "count": 3}}


def _numerical(key: str) -> Mapping[str, Any]:
    return {"partitioning": {"mode": "numerical", "keys": [key], "size": 8}}


TAPS = {
    "append": Tap((), lambda place: {"id": place, "v": place}),
    "upsert": Tap(("id",), lambda place: {"id": place % 13, "v": place}),
    "upsert with deletes": Tap(
        ("id",),
        lambda place: {"id": place % 13, "v": place, "_sdc_deleted_at": DELETED if place % 3 == 1 else None},
        config={"hard_delete": True},
    ),
    "overwrite": Tap((), lambda place: {"id": place, "v": place}, ends=True, config={"load_method": "overwrite"}),
    "overwrite-stale": Tap(
        ("id",),
        lambda place: {"id": place, "v": place},
        ends=True,
        config={"load_method": "overwrite-stale", "hard_delete": True, "stale_threshold": 100},
    ),
    "append into partitions": Tap((), lambda place: {"id": place, "v": place}, config=_numerical("id")),
    "upsert into partitions": Tap(("id",), lambda place: {"id": place % 13, "v": place}, config=BY_KEY),
    "upsert between partitions": Tap(("id",), lambda place: {"id": place % 13, "v": place}, config=_numerical("v")),
    "full load into partitions": Tap(("id",), lambda place: {"id": place, "v": place}, full=True, config=BY_KEY),
    "full load": Tap(("id",), lambda place: {"id": place, "v": place}, full=True),
    "append of odd values": Tap(
        (),
        lambda place: {"id": place, "v": place, "odd": "odd" if place in {11, 25} else place},
        config={"schema_contract": {"types": "variant"}},
    ),
    "history": Tap(
        ("id",),
        lambda place: {"id": place % 13, "v": place, "at": f"2024-01-02T03:{place:02}:00Z"},
        config={"history": "at"},
    ),
    "history of full loads": Tap(
        ("id",), lambda place: {"id": place, "v": place}, full=True, config={"history": True, "hard_delete": True}
    ),
    "full load without keys": Tap((), lambda place: {"id": place, "v": place}, full=True),
}
SEEDS = max(1, STRESS // (2 * len(TAPS)))
"""Of each way to load, killed and stopped."""
OLD: Table = [(-1, -1), (0, -1)]


@dataclass(frozen=True)
class Place:
    """Where the tables of one run and the next are: a folder, or a store that is reached by storage options."""

    folder: Path
    path: str
    options: Mapping[str, str] = field(default_factory=dict)

    def run(self, nursery: Nursery, tap: Tap, lines: bytes, **how: Any) -> Ended:
        """Run the loader as the tap's stream is loaded, a commit every seven rows."""
        config = {"path": self.path, "storage_options": dict(self.options), "batch_size_rows": 7, **tap.config}
        alone = bool(self.options)  # moto looks, then writes: now and then it fails the proof for two writers
        return nursery.run(self.folder, lines, **how, single_writer=alone, **config)

    def begin(self, tap: Tap, nursery: Nursery) -> None:
        """Give a full load something to replace."""
        if tap.replaces:
            lines = [{"type": "SCHEMA", "stream": "s", "key_properties": ["id"], "schema": SCHEMA}]
            lines += [{"type": "RECORD", "stream": "s", "record": {"id": number, "v": value}} for number, value in OLD]
            plain = replace(
                tap, config={name: tap.config[name] for name in {"partitioning", "history"} & {*tap.config}}
            )
            assert self.run(nursery, plain, b"".join(json.dumps(line).encode() + b"\n" for line in lines)).code == 0

    def rows(self, stream: str = "s") -> list[dict[str, Any]]:
        """Return the rows of a table as its log says."""
        if not DeltaTable.is_deltatable(f"{self.path}/{stream}", dict(self.options)):
            return []
        table = DeltaTable(f"{self.path}/{stream}", storage_options=dict(self.options)).to_pyarrow_table()
        return list(table.to_pylist())

    def found(self) -> Table:
        """Return the table."""
        return sorted((row["id"], row["v"]) for row in self.rows())


def in_folder(folder: Path) -> Place:
    """Return a new place on the disk."""
    folder.mkdir()
    return Place(folder, str(folder / "warehouse"))


@pytest.mark.parametrize("name", TAPS)
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_any_point(name: str, signum: int, tmp_path: Path, nursery: Nursery) -> None:
    """At any point a kill or a stop leaves a table and a STATE that agree, and the next run completes them."""
    tap, dice = TAPS[name], random.Random(f"{name} {signum}")
    whole = in_folder(tmp_path / "whole")
    whole.begin(tap, nursery)
    points = whole.run(nursery, tap, tap.messages(None)).points
    assert points > 200

    for seed in range(SEEDS):
        place = in_folder(tmp_path / str(seed))
        place.begin(tap, nursery)
        ended = place.run(nursery, tap, tap.messages(None), point=dice.randint(1, points), signum=signum)

        check(tap, place, ended, nursery, signum)


@pytest.mark.parametrize(
    "name", [name for name in TAPS if not name.endswith("into partitions") or "load" in name]
)  # as without
@pytest.mark.parametrize("step", range(1, 7))
def test_each_step_of_a_commit(name: str, step: int, tmp_path: Path, nursery: Nursery) -> None:
    """A kill before any numbered step of a commit, the last or one on the way, leaves what the next run completes."""
    tap = TAPS[name]
    for time in (1, 3):
        place = in_folder(tmp_path / f"{step} {time}")
        place.begin(tap, nursery)
        ended = place.run(nursery, tap, tap.messages(None), step=[STEPS[step], time])

        assert ended.code == -9 or time > 1
        check(tap, place, ended, nursery, signal.SIGKILL)


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    """Storage options that reach a bucket named lake."""
    with s3("lake") as reached:
        yield reached


@pytest.mark.parametrize("name", ["append into partitions", "upsert between partitions", "full load into partitions"])
def test_any_point_in_an_object_store(name: str, tmp_path: Path, nursery: Nursery, options: dict[str, str]) -> None:
    """What holds on a disk holds in an object store."""
    tap, dice = TAPS[name], random.Random(name)
    whole = Place(tmp_path, f"s3://lake/{name}/whole".replace(" ", "-"), options)
    whole.begin(tap, nursery)
    points = whole.run(nursery, tap, tap.messages(None)).points

    for seed in range(max(2, STRESS // 100)):
        place = replace(whole, path=f"s3://lake/{name}/{seed}".replace(" ", "-"))
        place.begin(tap, nursery)
        signum = dice.choice([signal.SIGKILL, signal.SIGTERM])
        ended = place.run(nursery, tap, tap.messages(None), point=dice.randint(1, points), signum=signum)

        check(tap, place, ended, nursery, signum)


def check(tap: Tap, place: Place, ended: Ended, nursery: Nursery, signum: int) -> None:
    """The run ended as it should, with a table and a STATE that agree; the next run completes them."""
    state = ended.states[-1] if ended.states else None
    assert ended.code in ({-9, 0} if signum == signal.SIGKILL else {143, 0}), ended.log
    check_first_run(tap, place.found(), state)
    resumed = place.run(nursery, tap, tap.messages(state))
    assert resumed.code == 0, resumed.log
    assert place.found() == tap.table(ROWS)  # every row is there, once
    if "history" in tap.config:
        check_history(tap, place.rows("s__history"))


def check_history(tap: Tap, versions: list[dict[str, Any]]) -> None:
    """Each version that was sent is there once, and the current ones are the table."""
    assert sorted((row["id"], row["v"]) for row in versions if row["_sdc_is_current"]) == tap.table(ROWS)
    before: Table = sorted((row["id"], row["v"]) for row in versions if row["_sdc_deleted_at"] is None)
    assert before == sorted([*(OLD if tap.replaces else []), *((tap.row(place)["id"], place) for place in range(ROWS))])


def check_first_run(tap: Tap, table: Table, state: dict[str, Any] | None) -> None:
    """The table holds what the first n rows mean, and no STATE is ahead of it; a full load is there whole or not."""
    bookmark = (state or {}).get("bookmarks", {}).get("s", {})
    if tap.replaces:
        assert table in (OLD, tap.table(ROWS))
        assert table == tap.table(ROWS) or bookmark.get("n", 0) < ROWS
    else:
        assert table in [tap.table(rows) for rows in range(bookmark.get("n", 0), ROWS + 1)]
