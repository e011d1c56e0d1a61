"""What a STATE says, and what has changed between two, one line for a person each.

Takes STATEs and the time; gives lines. Refuses to show tokens: a place to resume at is said to be there, not where.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from singerkit.state.marks import Mark, marks_of
from singerkit.state.values import KEY, VALUE, Value, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAID = frozenset({KEY, VALUE, "full_load", "earliest", "high", "resume", "progress_markers"})
_NEVER_SAID = frozenset(
    {"starting_replication_value", "replication_key_signpost", "fingerprint"}
)  # singer-sdk's notes to itself
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def explain(state: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Yield what the next run will do with this STATE, stream by stream."""
    marks = marks_of(state)
    if not marks:
        yield "the STATE is empty: the next run reads everything"
    for mark in marks:
        yield f"{mark.name}: {'; '.join(_clauses(mark, now))}"


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what changed from one STATE to another; what did not is counted at the end."""
    old, new = ({mark.name: mark for mark in marks_of(state)} for state in (before, after))
    same = 0
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{name}: no longer kept, the next run reads it from the start"
        elif name not in old:
            yield f"{name}: new, {'; '.join(_place(new[name]))}"
        elif old[name].kept == new[name].kept:
            same += 1
        else:
            yield f"{name}: {_change(old[name], new[name])}"
    if same or not (old or new):
        yield f"unchanged: {same}"


def _clauses(mark: Mark, now: datetime) -> Iterator[str]:
    yield from _place(mark)
    if mark.value is not None and (age := _age(read(mark.value), now)):
        yield age
    if markers := mark.kept.get("progress_markers"):
        reached = markers.get(VALUE) if isinstance(markers, dict) else None
        yield f"an unfinished run had come to {reached}, which is read again" if reached else "a run did not finish"
    if others := sorted(set(mark.kept) - _SAID - _NEVER_SAID):
        yield f"also kept: {', '.join(others)}"


def _place(mark: Mark) -> Iterator[str]:
    kept = mark.kept
    load = kept.get("full_load")
    if isinstance(load, dict):
        yield _unfinished_load(load)
    if mark.value is not None:
        yield f"read up to {mark.key} = {mark.value}"
    if "earliest" in kept:
        yield f"newest first, and {kept.get('high')} down to {kept['earliest']} done; what is older comes next"
    if "resume" in kept:
        yield "stopped between two pages; the next run goes on there"
    if not {"full_load", VALUE, "earliest", "resume"} & set(kept):
        yield "nothing is kept: each run reads it in full"


def _unfinished_load(load: Mapping[str, Any]) -> str:
    begun = ""
    if isinstance(load.get("version"), int):
        at = datetime.fromtimestamp(load["version"] / 1000, UTC)
        begun = f" of {at:%Y-%m-%d %H:%M} UTC"
    if isinstance(load.get("done"), list) and isinstance(load.get("edges"), list):
        return f"a full load{begun} is unfinished: {len(load['done'])} of {len(load['edges']) + 1} parts are done"
    return f"a full load{begun} is unfinished"


def _age(value: Value, now: datetime) -> str | None:
    """Return how long ago a bookmark is; of a number or a text nobody knows."""
    if value.kind == "moment":
        distance = now - value.comparable
    elif value.kind == "local time":
        distance = now.replace(tzinfo=None) - value.comparable
    elif value.kind == "day":
        distance = timedelta(days=(now.date() - value.comparable).days)
    else:
        return None
    if distance < timedelta(0):
        return f"{_span(-distance)} in the future: rows until then are not read"
    return f"{_span(distance)} ago"


def _change(old: Mark, new: Mark) -> str:
    if old.value is None or new.value is None or old.value == new.value:
        return "; ".join(_place(new))
    before, after = read(old.value), read(new.value)
    if old.kept.get(KEY) != new.kept.get(KEY):
        return f"now by {new.key} = {new.value}, before by {old.key} = {old.value}"
    if before.kind != after.kind:
        return f"{new.key} was {old.value}, now {new.value}, which is no longer a {before.kind}"
    return f"{new.key} {_step(before, after)}, from {old.value} to {new.value}"


def _step(before: Value, after: Value) -> str:
    if before.kind == "text":
        return "changed"
    forward = after.comparable >= before.comparable
    distance = abs(after.comparable - before.comparable)
    amount = _span(distance) if isinstance(distance, timedelta) else f"{distance:f}"
    return f"{'forward' if forward else 'BACK'} by {amount}"


def _span(distance: timedelta) -> str:
    seconds = int(distance.total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "second"))
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"
