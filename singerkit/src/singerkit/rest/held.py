"""What a STATE may hold of a stream: each word with the shape that a run gave it, whoever has edited it since. Pure.

Takes what a STATE holds of one stream; gives nothing. Refuses a word of another shape by its name, never its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

REMEDY = "remove bookmarks.<stream> from the STATE (meltano state edit) to read the stream from the start"


def check(state: Mapping[str, Any], stream: str) -> None:
    """Raise where a word is not of its shape; values of bookmarks are judged where their type is known."""
    if wrong := _wrong(state):
        raise SettingsError("the STATE holds what no run has written", stream=stream, word=wrong[0], remedy=REMEDY)


def _wrong(state: Mapping[str, Any]) -> list[str]:
    return [word for word, fits in SHAPES.items() if state.get(word) is not None and not fits(state[word])]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and [*map(_is_plain, value)] == [True, True]


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_place(value: Any) -> bool:
    if not isinstance(value, Mapping) or not _is_text(value.get("url")):
        return False
    return isinstance(value.get("params", {}), Mapping) and isinstance(value.get("carried", []), list)


def _is_walk(value: Any) -> bool:
    return isinstance(value, Mapping) and not _wrong(value)


def _all(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(fits, value.values()))


SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "replication_key": _is_text,
    "replication_key_value": _is_plain,
    "earliest": _is_plain,
    "high": _is_plain,
    "resume": _is_place,
    "fingerprint": _is_text,
    "passed": _is_count,
    "parents": _all(_is_plain),
    "global": _is_plain,
    "halves": _all(_is_walk),
    "changed": lambda value: _is_plain(value) or _all(_is_plain)(value),
    "covered": _all(_is_pair),
    "looked": _is_moment,
    "after": _is_text,
    "way": _is_text,
    "began": _is_moment,
}
"""The words of a STATE, with what tells whether a value is of their shape."""
