"""The versions of rows and when each was valid: `_sdc_valid_from`, `_sdc_valid_to`, `_sdc_is_current`.

Takes the stored versions of some keys and what was seen of them; gives which stored rows go and which rows come. Pure.
A version is valid until the next one of its key; a deletion is a version of no length, and what is deleted is not
current.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from target_delta.arrays import whole
from target_delta.jsontext import json_texts
from target_delta.keys import group_numbers
from target_delta.metadata import COLUMNS, DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from target_delta.omitted import Masks

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

T = TypeVar("T", bound=np.generic)

FROM, TO, CURRENT = "_sdc_valid_from", "_sdc_valid_to", "_sdc_is_current"
_INSTANT = pa.timestamp("us", "UTC")
ADDED = pa.schema([(FROM, _INSTANT), (TO, _INSTANT), (CURRENT, pa.bool_())])
"""The columns of a history beside those of its table."""


@dataclass(frozen=True)
class Seen:
    """Rows that were seen of some keys, each with its time in `_sdc_valid_from`."""

    rows: pa.Table
    omitted: Masks = field(default_factory=dict)
    """Which rows have the value of the version before them in which column."""
    gone: bool = False
    """Whether the rows only say that their keys were no longer there."""
    dated_by: str | None = None
    """The column without which a row is older than what its key has with it: such a row says nothing new."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of the stored versions of the keys that were seen."""

    goes: Bools
    """Which stored rows are no longer as they were."""
    comes: pa.Table
    inserted: int
    updated: int


def columns(table: pa.Schema) -> pa.Schema:
    """Return the columns of the history of a table with these columns."""
    schema = table if DELETED_AT in table.names else table.append(COLUMNS.field(DELETED_AT))
    return pa.schema([*schema, *ADDED])


def outcome(stored: pa.Table, seen: Seen, keys: Sequence[str], versions: Sequence[str], time: str | None) -> Outcome:
    """Return what the history of the keys becomes; what was seen before changes nothing.

    With `time`, a column, the time of a row is that of its change: rows may come late, and of several at one time the
    last stays; a row that has none there follows those that came before it. Else rows come in the order of their
    changes.

    1. Put the versions of every key in their order.
    2. Give a row what it omits, from the version before it.
    3. Leave out rows that say nothing new, and what another row at the same time replaces.
    4. Let each version end where the next begins.
    """
    seen = _dated(stored, seen, keys)
    every = pa.concat_tables([stored, seen.rows])
    group, _ = group_numbers(every, keys)
    untimed = _untimed(every, time)
    ranks = [_rank(every[name]) for name in reversed(versions)] if time else []
    order = _order(_micros(every[FROM]), stored.num_rows, group, ranks, None if seen.gone or not time else untimed)  # 1
    ordered, group, is_new = every.take(pa.array(order)), group[order], order >= stored.num_rows
    ordered = _filled(ordered, group, seen.omitted, order - stored.num_rows)  # 2
    kept = _kept(ordered, group, is_new, seen, by_time=time is not None)  # 3
    ordered, group, order = ordered.filter(pa.array(kept)), group[kept], order[kept]
    result = _valid(ordered, group, untimed[order])  # 4
    is_new = order >= stored.num_rows
    changed = is_new | ~_same(result, ordered)
    goes = np.ones(stored.num_rows, dtype=bool)
    goes[order[~changed]] = False
    return Outcome(goes, result.filter(pa.array(changed)), int(is_new.sum()), int((changed & ~is_new).sum()))


def astray(versions: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the versions whose times are not those that the other versions of their keys give them.

    All versions of each key have to be among them.
    """
    dated = versions.filter(versions[FROM].is_valid())
    group, _ = group_numbers(dated, keys)
    order = np.lexsort([_micros(dated[FROM]), group])
    ordered = dated.take(pa.array(order))
    right = _same(_valid(ordered, group[order], np.zeros(len(order), dtype=bool)), ordered)
    return pa.concat_tables([versions.filter(versions[FROM].is_null()), ordered.filter(pa.array(~right))])


def _dated(stored: pa.Table, seen: Seen, keys: Sequence[str]) -> Seen:
    """Return what was seen without rows that do not say when they changed, behind one of their key that does."""
    if seen.dated_by is None or not seen.rows[seen.dated_by].null_count:
        return seen
    every = pa.concat_tables([stored, seen.rows])
    group, count = group_numbers(every, keys)
    says, place = ~_untimed(every, seen.dated_by), np.arange(every.num_rows)
    first = np.full(count, every.num_rows)
    np.minimum.at(first, group[says], place[says])
    stays = (says | (place < first[group]))[stored.num_rows :]
    omitted = {name: mask[stays] for name, mask in seen.omitted.items()}
    return Seen(seen.rows.filter(pa.array(stays)), omitted, seen.gone)


def _untimed(rows: pa.Table, time: str | None) -> Bools:
    """Return which rows do not say when they changed; a deletion has a time of its own."""
    if time is None:
        return np.zeros(rows.num_rows, dtype=bool)
    return np.asarray(rows[time].is_null().to_numpy() & rows[DELETED_AT].is_null().to_numpy())


def _order(times: Ints, stored: int, group: Ints, ranks: Sequence[Ints], untimed: Bools | None) -> Ints:
    """Return the places of the rows, key by key; in a key by their times, or stored rows before those that came."""
    place = np.arange(len(times))
    is_new = place >= stored
    came = np.lexsort([place, np.where(is_new, 0, times), is_new, group])
    if untimed is None:
        return came
    level = np.unique(times, return_inverse=True)[1].astype(np.int64) + 1
    base = group * (len(times) + 1)
    level = np.where(untimed, 0, level) + base  # of a row without a time: that of the newest one before it
    level[came] = np.where(untimed[came], np.maximum(np.maximum.accumulate(level[came]), base[came]), level[came])
    return np.lexsort([place, *ranks, untimed, level])


def _rank(column: pa.ChunkedArray) -> Ints:
    return np.asarray(
        pc.rank(whole(column), "ascending", null_placement="at_start", tiebreaker="dense"), dtype=np.int64
    )


def _filled(rows: pa.Table, group: Ints, omitted: Masks, coming: Ints) -> pa.Table:
    for name, mask in omitted.items():
        takes = np.zeros(rows.num_rows, dtype=bool)
        takes[coming >= 0] = mask[coming[coming >= 0]]
        given = np.maximum.accumulate(np.where(takes, -1, np.arange(rows.num_rows)))
        none = (given < 0) | (group[given] != group)
        values = rows[name].take(pa.array(given, mask=none))
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)
    return rows


def _kept(rows: pa.Table, group: Ints, is_new: Bools, seen: Seen, *, by_time: bool) -> Bools:
    keep = np.ones(rows.num_rows, dtype=bool)
    deleted = rows[DELETED_AT].is_valid().to_numpy()
    if seen.gone:  # of a key that is there, and no more than once
        known: Bools = ~is_new | (_follows(group) & ~_before(deleted))
        return known
    times = _micros(rows[FROM])
    for rule in ("repeat", "replaced", "repeat"):
        at = np.flatnonzero(keep)
        same = _follows(group[at])
        if not same.any():
            break
        if rule == "repeat":
            once = (
                times[at] == _before(times[at]) if by_time else np.True_
            )  # of deletions a late change may lie between
            gone = deleted[at] & _before(deleted[at])
            again = np.where(deleted[at], gone & once, ~_before(deleted[at]) & _alike(rows.take(pa.array(at))))
            keep[at[same & again]] = False
        elif by_time:
            keep[at[:-1][same[1:] & (times[at][1:] == times[at][:-1])]] = False
    return keep


def _alike(rows: pa.Table) -> Bools:
    """Return which rows have the same values as the row before them, but for what the loader adds to a row."""
    alike = np.ones(rows.num_rows, dtype=bool)
    for name in rows.column_names:
        if name not in ADDED.names and name not in COLUMNS.names:
            column = _comparable(whole(rows[name]))
            one, other = column.slice(1), column.slice(0, len(column) - 1)
            equal = pc.equal(one, other).fill_null(False)  # noqa: FBT003  # pyarrow's own
            alike[1:] &= pc.or_(equal, pc.and_(one.is_null(), other.is_null())).to_numpy(zero_copy_only=False)
    return alike


def _comparable(column: pa.Array) -> pa.Array:
    """Return values that are equal where those of a column are: NaN is NaN, and objects are their texts."""
    if pa.types.is_nested(column.type):
        return json_texts(column)
    if pa.types.is_floating(column.type):
        return pc.add(column.cast(pa.float64()), 0.0).view(pa.int64())
    return column


def _valid(rows: pa.Table, group: Ints, untimed: Bools) -> pa.Table:
    """Return the rows with the times between which each is valid."""
    begins = _rising(_early(_micros(rows[FROM]).copy(), group, untimed), group)
    deleted = rows[DELETED_AT].is_valid().to_numpy()
    last = np.append(group[1:] != group[:-1], True)[: len(group)]
    ends = np.where(deleted, begins, np.append(begins[1:], 0)[: len(group)])
    values = {
        FROM: pa.array(begins, pa.int64()).cast(pa.timestamp("us")).cast(_INSTANT),
        TO: pa.array(ends, pa.int64(), mask=last & ~deleted).cast(pa.timestamp("us")).cast(_INSTANT),
        CURRENT: pa.array(last & ~deleted),
    }
    for name, array in values.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), array)
    return rows


def _early(times: Ints, group: Ints, untimed: Bools) -> Ints:
    """Return times of which those that are not of a change lie before the change that follows: it was read later."""
    late = np.flatnonzero(untimed[:-1] & _follows(group)[1:])
    for place in late[::-1]:
        times[place] = min(times[place], times[place + 1] - 1)
    return times


def _rising(times: Ints, group: Ints) -> Ints:
    """Return times of which none is that of the version before it, or earlier: clocks differ."""
    while len(late := np.flatnonzero(_follows(group) & (times <= _before(times)))):
        times[late[0]] = times[late[0] - 1] + 1
        for place in late[1:]:
            times[place] = max(times[place], times[place - 1] + 1)
    return times


def _same(result: pa.Table, before: pa.Table) -> Bools:
    same = np.ones(result.num_rows, dtype=bool)
    for name in ADDED.names:
        one, other = result[name], before[name]
        equal = pc.equal(one, other).fill_null(False).to_numpy()  # noqa: FBT003  # pyarrow's own
        same &= equal | (one.is_null().to_numpy() & other.is_null().to_numpy())
    return same


def _micros(column: pa.ChunkedArray) -> Ints:
    return np.asarray(whole(column).cast(pa.int64()).to_numpy(zero_copy_only=False))


def _before(values: NDArray[T]) -> NDArray[T]:
    """Return beside every value the one before it; the first is beside itself."""
    return np.concatenate([values[:1], values[:-1]])


def _follows(group: Ints) -> Bools:
    """Return which rows have a row of the same key before them."""
    return np.concatenate([np.zeros(min(1, len(group)), dtype=bool), group[1:] == group[:-1]])
