"""What is wrong with a value, in a person's words and without the value: it may be a secret in the wrong place.

Takes errors of JSON Schema, names and texts; gives sentences. Pure.
"""

from __future__ import annotations

import difflib
import re
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jsonschema import ValidationError

_TYPES = {
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "minLength": "a text of at least this length:",
    "maxLength": "a text of at most this length:",
    "minItems": "a list of at least this length:",
    "pattern": "like",
}


def settings_error(plugin: str, errors: Sequence[str]) -> SettingsError:
    """Return all errors of a configuration as one error."""
    return SettingsError(f"{plugin} cannot use its settings: " + "; ".join(errors), remedy=f"see {plugin} --about")


def unknown(name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that no setting has, with the nearest that one has."""
    near = difflib.get_close_matches(name.rpartition(".")[2], list(known), n=1)
    return f"{name}: unknown" + (f", did you mean {near[0]}?" if near else "")


def missing_group(given: Mapping[str, Any], groups: Sequence[Sequence[str]]) -> str | None:
    """Return what to say where no group of settings is complete, or None where one is."""
    if not groups or any(all(given.get(name) not in (None, "", ()) for name in group) for group in groups):
        return None
    return "one of these sets must be given: " + " | ".join(" + ".join(group) for group in groups)


def broken(value: Any, prop: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield each way in which a value breaks the schema of its setting."""
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(prop).iter_errors(value):
        if error.validator == "type" and not {"enum", "anyOf"}.isdisjoint(error.schema):
            continue  # the choices have been said
        yield from _said(error, ".".join(map(str, [path, *error.absolute_path])))
    if isinstance(value, str) and (wish := _malformed(value, str(prop.get("format")))):
        yield f"{path}: {wish}"


def _said(error: ValidationError, at: str) -> Iterator[str]:
    given, wanted, schema = cast("Any", (error.instance, error.validator_value, error.schema))
    if error.validator == "required":
        yield from (f"{at}.{name}: missing" for name in wanted if name not in given)
    elif error.validator == "additionalProperties" and wanted is False:
        known = schema.get("properties", {})
        yield from (unknown(f"{at}.{name}", known) for name in sorted(set(given) - set(known)))
    else:
        yield f"{at}: {_wish(str(error.validator), wanted, schema)}"


def _wish(keyword: str, wanted: Any, schema: Any) -> str:
    match keyword:
        case "type" | "enum" | "anyOf" | "additionalProperties":
            return f"must be {shape(schema)}"
        case "not":
            return f"must not be {shape(wanted)}"
        case _:
            return f"must be {_BOUNDS.get(keyword, keyword)} {wanted}"


def shape(prop: Mapping[str, Any]) -> str:
    """Return what a value must be, such as `an integer` or `fast or exact`."""
    if "anyOf" in prop:
        return _one_of([words for part in prop["anyOf"] if part.get("type") != "null" and (words := shape(part))])
    if "enum" in prop:
        return _one_of([_text(value) for value in prop["enum"] if value is not None])
    types = [prop["type"]] if isinstance(prop.get("type"), str) else prop.get("type", [])
    inner = prop.get("additionalProperties")
    if "object" in types and isinstance(inner, dict) and (values := shape(inner)):
        return f"an object whose values are {values}"
    return _one_of([_TYPES[kind] for kind in types if kind != "null"])


def _malformed(text: str, kind: str) -> str | None:
    wish, is_good = _FORMATS.get(kind, ("", lambda _: True))
    return None if is_good(text) else f"must be {wish}"


def _is_url(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme and urlsplit(text).hostname)
    except ValueError:
        return False


def _parses(read: Callable[[str], object]) -> Callable[[str], bool]:
    def is_good(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return is_good


_FORMATS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "email": ("an address like ada@example.com", lambda text: bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text))),
    "uri": ("an address like https://host/path", _is_url),
    "time": ("a time of the day like 09:30", _parses(time.fromisoformat)),
    "date-time": ("a date or a time like 2026-01-31 or 2026-01-31T09:30:00Z", _parses(datetime.fromisoformat)),
}


def _one_of(words: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
