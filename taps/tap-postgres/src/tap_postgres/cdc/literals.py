"""The text of an array to its elements. Pure.

Takes what array_out prints: `{1,NULL,"a \\"b\\""}`, with or without bounds before it; gives texts and None. Refuses an
array of more dimensions than one.
"""

from __future__ import annotations

import re

_BOUNDS = re.compile(r"\[-?\d+:-?\d+\]=(?=\{)")
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}]+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class NestedArrayError(ValueError):
    """The value has more dimensions than one."""


def elements(text: str) -> list[str | None]:
    """Return the elements of an array of one dimension, or of none."""
    body = _BOUNDS.sub("", text, count=1)
    if not body.startswith("{") or not body.endswith("}"):
        raise NestedArrayError(f"dimensions: {text[: text.find('=')].count('[')}")
    if body.startswith("{{"):
        raise NestedArrayError(f"dimensions: {len(body) - len(body.lstrip('{'))}")
    if '"' not in body:
        return [None if part == "NULL" else part for part in body[1:-1].split(",")] if body != "{}" else []
    return [_element(match) for match in _ELEMENT.finditer(body)]


def _element(match: re.Match[str]) -> str | None:
    quoted, plain = match.groups()
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted)
    return None if plain == "NULL" else plain
