"""Texts that stand for other values: the one place where what the environment says becomes a number or a list.

Takes a value and the schema of its setting; gives the value as the schema wants it, or as it came where it cannot be.
Refuses nothing: what did not become what it should is refused by the check that follows. Pure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_INTEGER = re.compile(r"[+-]?\d{1,30}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_KEY = "-----BEGIN"
_KEPT_AS_WRITTEN = frozenset({"textarea"})


def typed(value: Any, prop: Mapping[str, Any]) -> Any:
    """Return what a text stands for under this schema; an empty one is a setting that was not given."""
    if isinstance(value, list):
        return [part if part == "" else typed(part, prop.get("items", {})) for part in value]
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    types = _types(prop)
    if "enum" in prop:
        return next((choice for choice in prop["enum"] if _written(choice) == _lower(value)), value)
    for kind in types:
        meant = _READERS[kind](value.strip()) if kind in _READERS else None
        if meant is not None:
            return typed(meant, prop)
    return _trimmed(value, prop)


def _types(prop: Mapping[str, Any]) -> list[str]:
    """Return the types of a schema; a list or an object is looked for before a text, which anything is."""
    said = prop.get("type", [])
    types = [said] if isinstance(said, str) else said
    return sorted(types, key=lambda kind: kind == "string")


def _trimmed(value: str, prop: Mapping[str, Any]) -> str:
    """Return a text without what slips in when it is copied: of a secret or a long text, only the end of its line."""
    if value.startswith(_KEY) and "\n" not in value.strip():
        value = value.replace("\\n", "\n")  # a key on one line, as variables often hold it
    if prop.get("secret") or prop.get("x-kind") in _KEPT_AS_WRITTEN:
        return value.strip("\r\n")
    return value.strip()


def _list(text: str) -> list[Any] | None:
    if text.startswith("["):
        found = _json(text)
        return found if isinstance(found, list) else None
    return [part.strip() for part in text.split(",") if part.strip()]


def _object(text: str) -> dict[str, Any] | None:
    found = _json(text) if text.startswith("{") else None
    return found if isinstance(found, dict) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _written(choice: Any) -> str | None:
    return None if choice is None else _lower(json.dumps(choice) if isinstance(choice, bool) else str(choice))


def _lower(text: str) -> str:
    return text.strip().lower()


_READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: _WORDS.get(text.lower()),
    "integer": lambda text: int(text) if _INTEGER.fullmatch(text) else None,
    "number": lambda text: float(text) if _NUMBER.fullmatch(text) else None,
    "array": _list,
    "object": _object,
}
