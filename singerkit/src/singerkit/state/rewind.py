"""Going back: a STATE whose next run reads a stream again from an earlier place.

Takes a STATE, a stream and a place; gives a new STATE and what was done. Refuses to go forward, and to guess. Pure.
"""

from __future__ import annotations

import copy
import difflib
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.state.marks import bookmarks_of
from singerkit.state.parents import bookmarks_in
from singerkit.state.values import KEY, VALUE, Value, asked, like, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNFINISHED = (
    "progress_markers",
    "starting_replication_value",
    "replication_key_signpost",
    "earliest",
    "high",
    "resume",
    "fingerprint",
    "halves",
    "covered",
    "looked",
    "after",
    "way",
    "began",
)
"""What an unfinished run left: it lies after the place that is gone back to, and is read again with the rest."""


def rewind(state: Mapping[str, Any], stream: str, to: str) -> tuple[dict[str, Any], list[str]]:
    """Return the STATE with one stream, in all its parts, back at a place, and a line for each part.

    A part that is not as far yet stays where it is; rows are read again, and nothing is ever skipped.
    """
    changed = copy.deepcopy(dict(state))
    bookmarks = bookmarks_of(changed)
    if stream not in bookmarks:
        near = difflib.get_close_matches(stream, bookmarks, n=1)
        raise SettingsError(
            "the STATE has no such stream",
            stream=stream,
            remedy=f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(bookmarks)) or 'none'}",
        )
    kept = bookmarks[stream]
    places = [(name, dict(one)) for name, one in _places(stream, kept)]
    if not places:
        raise _nothing_to_rewind(stream, kept)
    lines = [_go_back(name, one, to) for name, one in _places(stream, kept)]
    if not any(moved for moved, _ in lines):
        raise SettingsError(
            "the stream has not come that far: going there would skip rows",
            stream=stream,
            reached=", ".join(sorted({str(one[VALUE]) for _, one in places})[:3]),
            remedy="choose an earlier place",
        )
    for leftover in _UNFINISHED:
        kept.pop(leftover, None)
    return changed, [line for _, line in lines]


def _places(stream: str, kept: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object that holds a bookmark, with its name."""
    if kept.get(VALUE) is not None:
        yield stream, kept
    for part in kept.get("partitions") or []:
        if part.get(VALUE) is not None:
            inside = ", ".join(f"{name}={value}" for name, value in (part.get("context") or {}).items())
            yield f"{stream} [{inside}]", part
    for name, one in bookmarks_in(kept):
        yield f"{stream} [{name}]", one


def _go_back(name: str, kept: dict[str, Any], to: str) -> tuple[bool, str]:
    """Move one bookmark back in place; return whether it moved, and what to say."""
    old = read(kept[VALUE])
    place = _place(name, kept, old, to)
    if place.comparable >= old.comparable:
        return False, f"{name}: stays at {kept[VALUE]}"
    kept[VALUE] = like(place, old)
    for leftover in _UNFINISHED:
        kept.pop(leftover, None)
    return True, f"{name}: {kept.get(KEY, 'its key')} back from {old.written} to {kept[VALUE]}"


def _place(name: str, kept: Mapping[str, Any], old: Value, to: str) -> Value:
    if old.kind == "text":
        raise SettingsError(
            "the bookmark is a text whose order only the source knows",
            stream=name,
            key=kept.get(KEY),
            remedy="remove the stream from the STATE to read it from the start",
        )
    place = asked(to, old.kind)
    if place is None:
        raise SettingsError(
            f"the bookmark is a {old.kind}, and what was asked for is not",
            stream=name,
            key=kept.get(KEY),
            holds=old.written,
            asked=to,
            remedy=_REMEDIES[old.kind],
        )
    return place


_REMEDIES = {
    "moment": "write it as 2026-01-31 or 2026-01-31T12:00:00Z",
    "local time": "write it without an offset, as 2026-01-31T12:00:00: the source's clock has none",
    "day": "write it as 2026-01-31",
    "number": "write a number: whether this one counts rows, seconds or something else is not known",
}


def _nothing_to_rewind(stream: str, kept: Mapping[str, Any]) -> SettingsError:
    if kept.get("full_load") or not kept:
        what = "the stream is read in full, so there is no place to go back to"
    else:
        what = "no run of the stream has finished, so there is no place to go back to"
    return SettingsError(what, stream=stream, remedy="remove the stream from the STATE to read it from the start")
