"""A STATE as its parts: streams, and inside a stream the parts that keep a bookmark each.

Takes the JSON object that a target printed or Meltano keeps; gives marks. Refuses what is no STATE. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.state.parents import WORDS, parts_of
from singerkit.state.values import KEY, VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTS: Mapping[str, Any] = {"partitions": [], "parents": {}, "halves": {}}
_WRAPPERS = ("singer_state", "value")  # Meltano's payload, and a whole STATE message


@dataclass(frozen=True)
class Mark:
    """What is kept for one stream, or for one part (context) of it."""

    stream: str
    part: tuple[tuple[str, Any], ...]
    kept: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The stream, and the part where there is one: `commits [repository=a/b]`."""
        inside = ", ".join(f"{name}={value}" for name, value in self.part)
        return f"{self.stream} [{inside}]" if inside else self.stream

    @property
    def key(self) -> str:
        """The name of the replication key."""
        return str(self.kept.get(KEY) or "its key")

    @property
    def value(self) -> Any:
        """The bookmark, or None where none is kept."""
        return self.kept.get(VALUE)


def bookmarks_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bookmarks by stream, the very objects of the STATE; an empty STATE has none."""
    for wrapper in _WRAPPERS:
        if isinstance(state.get(wrapper), dict):
            return bookmarks_of(state[wrapper])
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict) or not all(isinstance(kept, dict) for kept in bookmarks.values()):
        raise SettingsError("the STATE has no bookmarks by stream", remedy="give the object that has `bookmarks` in it")
    if state and "bookmarks" not in state:
        raise SettingsError("this is no Singer STATE", remedy="give the object that has `bookmarks` in it")
    if odd := [stream for stream, kept in bookmarks.items() if not _is_well_formed(kept)]:
        remedy = f"remove bookmarks.{odd[0]} from the STATE to read the stream from the start"
        raise SettingsError("the STATE holds what no run has written", stream=odd[0], remedy=remedy)
    return bookmarks


def _is_well_formed(kept: Mapping[str, Any]) -> bool:
    """Return whether what is kept by part has parts: somebody may have edited it since."""
    parts, parents, halves = (kept.get(word) or empty for word, empty in _PARTS.items())
    objects = (*parts, parents, halves) if isinstance(parts, list) else (None,)
    if not all(isinstance(one, dict) for one in objects):
        return False
    inner = (*(part.get("context") or {} for part in parts), *halves.values())
    return all(isinstance(one, dict) for one in inner)


def marks_of(state: Mapping[str, Any]) -> list[Mark]:
    """Return every mark of a STATE, streams by name, parts in their order."""
    return [mark for stream, kept in sorted(bookmarks_of(state).items()) for mark in _of_stream(stream, kept)]


def _of_stream(stream: str, kept: Mapping[str, Any]) -> Iterator[Mark]:
    parts, below = kept.get("partitions") or [], [*parts_of(kept)]
    left_out = {"partitions", *(WORDS if below else ())}
    own = {name: value for name, value in kept.items() if name not in left_out}
    if own.keys() - {KEY} or not (parts or below):
        yield Mark(stream, (), own)
    for name, one in below:
        yield Mark(stream, (("of", name),), one)
    for part in parts:
        context = part.get("context") or {}
        yield Mark(stream, tuple(context.items()), {name: value for name, value in part.items() if name != "context"})
