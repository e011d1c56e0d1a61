"""What a REST stream below others keeps: a bookmark for each parent, one for all, and how far the parents moved. Pure.

Takes what a STATE keeps of a stream; gives each of these as a bookmark of its own, and puts changed ones back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singerkit.state.values import KEY, VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORDS = frozenset({"parents", "halves", "global", "changed", "looked", "covered", "after", "way", "began", "high"})
"""What is kept beside a bookmark; `high` is the stream's own where there is none of the others."""


def parts_of(kept: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part with its name in a person's words, and a bookmark as singer-sdk keeps one."""
    key = kept.get(KEY)
    parents, halves = kept.get("parents") or {}, kept.get("halves") or {}
    for name in dict.fromkeys([*parents, *halves]):
        value = {VALUE: parents[name]} if name in parents else {}
        yield shown(name), {KEY: key, **value, **halves.get(name, {})}
    if "global" in kept:
        yield "all parents", {KEY: key, VALUE: kept["global"]}


def bookmarks_in(kept: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each bookmark as an object that may be changed; when the next is asked for, it is put back."""
    key = kept.get(KEY)
    for name, value in (kept.get("parents") or {}).items():
        one = {KEY: key, VALUE: value}
        yield shown(name), one
        kept["parents"][name] = one[VALUE]
    for word, name in (("global", "all parents"), ("changed", "parents that moved")):
        if isinstance(kept.get(word), str | int):
            one = {KEY: key, VALUE: kept[word]}
            yield name, one
            kept[word] = one[VALUE]
    if isinstance(kept.get("changed"), dict):
        for name, value in kept["changed"].items():
            one = {KEY: key, VALUE: value}
            yield f"what moved of {shown(name)}", one
            kept["changed"][name] = one[VALUE]


def shown(name: str) -> str:
    """Return a parent's name as a person writes it: `octo/hello` for the list of both."""
    try:
        values = json.loads(name)
    except ValueError:
        return name
    return "/".join(map(str, values)) if isinstance(values, list) else name
