"""When each version of a row was valid, whatever the order in which its changes came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from target_delta.metadata import DELETED_AT
from target_delta.validity import CURRENT, FROM, TO, Seen, columns, outcome

SCHEMA = columns(pa.schema([("id", pa.int64()), ("x", pa.string()), ("at", pa.int64())]))
NOTHING = SCHEMA.empty_table()
Change = tuple[int, int, str | None]
"""A key, a time, and a value; None is a deletion."""
Versions = dict[int, list[tuple[int, int | None, str | None, bool]]]
"""By key: from when, until when, the value, whether it is current."""


def time(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def number(moment: datetime | None) -> int | None:
    return None if moment is None else round((moment - time(0)).total_seconds())


def rows(changes: list[Change]) -> pa.Table:
    values = [
        {"id": key, "x": value, "at": at, FROM: time(at), DELETED_AT: None if value else time(at)}
        for key, at, value in changes
    ]
    return pa.Table.from_pylist(values, SCHEMA)


def seen(stored: pa.Table, changes: pa.Table, **how: Any) -> pa.Table:
    """Return the stored versions after rows were seen."""
    time = how.pop("time", "at")
    found = outcome(stored, Seen(changes, **{"dated_by": time, **how}), ["id"], [], time)
    return pa.concat_tables([stored.filter(pa.array(~found.goes)), found.comes])


def versions(table: pa.Table) -> Versions:
    found: Versions = {}
    for row in table.sort_by([("id", "ascending"), (FROM, "ascending")]).to_pylist():
        begin, end = number(row[FROM]), number(row[TO])
        assert begin is not None
        found.setdefault(row["id"], []).append((begin, end, row["x"], row[CURRENT]))
    return found


def model(changes: list[Change]) -> Versions:
    """Return the same by a dictionary: of the changes of a key at one time the last stays."""
    last: dict[int, dict[int, str | None]] = {}
    for key, at, value in changes:
        last.setdefault(key, {})[at] = value
    found: Versions = {}
    for key, by_time in last.items():
        times = sorted(by_time)
        ends = [*times[1:], None]
        found[key] = [
            (at, at if by_time[at] is None else end, by_time[at], end is None and by_time[at] is not None)
            for at, end in zip(times, ends, strict=True)
        ]
    return found


CHANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.sampled_from(["a", "b", None])), max_size=14)


@settings(max_examples=20)
@given(st.lists(CHANGES, max_size=5))
def test_changes_in_any_order(batches: list[list[Change]]) -> None:
    """Late, repeated and deleted: the history is what the changes say by their times, however they were cut."""
    table = NOTHING
    for batch in batches:
        table = seen(table, rows(batch))

    assert versions(table) == model([change for batch in batches for change in batch])


@settings(max_examples=20)
@given(st.lists(CHANGES, max_size=4))
def test_changes_that_come_again(batches: list[list[Change]]) -> None:
    """A run that sends the same once more, cut as it likes, leaves the history as it is."""
    every = [change for batch in batches for change in batch]
    table = NOTHING
    for batch in [*batches, every]:
        table = seen(table, rows(batch))

    assert versions(table) == model(every)


@settings(max_examples=20)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None])), max_size=6), max_size=5))
def test_order_of_arrival(batches: list[list[tuple[int, str | None]]]) -> None:
    """Without a time of its own a row is a version where it says something new, and times rise within a key."""
    table, expected = NOTHING, dict[int, list[str | None]]()
    for batch in batches:
        changes = rows([(key, 0, value) for key, value in batch])
        table = seen(table, changes, time=None)
        for key, value in batch:
            known = expected.setdefault(key, [])
            if not known or known[-1] != value:
                known.append(value)

    found = versions(table)
    assert {key: [value for _, _, value, _ in rows] for key, rows in found.items()} == expected
    for row in table.sort_by([("id", "ascending"), (FROM, "ascending")]).to_pylist():
        assert row[TO] is None or row[TO] >= row[FROM]
    currents = [row["id"] for row in table.to_pylist() if row[CURRENT]]
    assert sorted(currents) == sorted(key for key, values in expected.items() if values and values[-1] is not None)


def test_keys_that_are_gone() -> None:
    """A key that is no longer there ends its current version; one that was not there, or is deleted, says nothing."""
    table = seen(NOTHING, rows([(0, 1, "a"), (1, 1, "b"), (1, 2, None)]))

    table = seen(table, rows([(0, 5, None), (1, 5, None), (2, 5, None)]), gone=True)

    assert versions(table) == {
        0: [(1, 5, "a", False), (5, 5, None, False)],
        1: [(1, 2, "b", False), (2, 2, None, False)],
    }


def test_values_that_are_omitted() -> None:
    """A change that omits a column has the value of the version before it in time, of its own key."""
    table = seen(NOTHING, rows([(0, 1, "a"), (0, 9, "z")]))
    changes = rows([(0, 5, "-"), (1, 5, "-"), (0, 6, "b"), (0, 7, "-")])

    table = seen(table, changes, omitted={"x": np.array([True, True, False, True])})

    assert versions(table) == {
        0: [(1, 5, "a", False), (5, 6, "a", False), (6, 7, "b", False), (7, 9, "b", False), (9, None, "z", True)],
        1: [(5, None, None, True)],
    }


def test_rows_that_change_nothing_stay() -> None:
    """Versions whose ends stay are not written again."""
    table = seen(NOTHING, rows([(0, 1, "a"), (0, 2, "b"), (0, 3, "c")]))

    found = outcome(table, Seen(rows([(0, 4, "d")])), ["id"], [], "at")

    assert found.goes.tolist() == [False, False, True]
    assert (found.inserted, found.updated, found.comes.num_rows) == (1, 1, 2)


def test_changes_that_are_older_than_the_reading_of_a_row() -> None:
    """A row without a time of change is older than the changes of its key, whenever it was read, and however often."""
    silent = rows([(0, 9, "copy")]).set_column(2, SCHEMA.field("at"), pa.array([None], pa.int64()))
    table = seen(NOTHING, pa.concat_tables([silent, rows([(0, 4, "a")])]))

    for change in [(0, 6, "b"), (0, 5, "late")]:
        table = seen(table, rows([change]))
    again = seen(table, silent)

    assert [value for _, _, value, _ in versions(table)[0]] == ["copy", "a", "late", "b"]
    assert versions(table)[0][1:] == [(4, 5, "a", False), (5, 6, "late", False), (6, None, "b", True)]
    assert versions(again) == versions(table)
