"""A plugin's settings in Meltano's words, as they stand in meltano.yml and on its hub.

Takes the JSON Schema of a configuration; gives rows: `kind`, `sensitive`, `options`; and the groups. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.settings.about import caption
from singerkit.settings.schema import flat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPTIONS = "options"
KINDS = {"boolean": "boolean", "integer": "integer", "number": "decimal", "array": "array", "object": "object"}


def settings(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each setting; Meltano nests names with dots, so a group's own settings each have a kind and secrecy."""
    for name, (prop, _) in flat(schema).items():
        row: dict[str, Any] = {"name": name}
        row |= {"label": prop["title"]} if prop.get("title") else {}
        row |= {"kind": kind(prop)}
        row |= {"sensitive": True} if prop.get("secret") else {}
        row |= {"value": prop["default"]} if prop.get("default") is not None else {}
        row |= {"options": _options(prop)} if row["kind"] == OPTIONS else {}
        row |= {"placeholder": prop["examples"][0]} if prop.get("examples") else {}
        row |= {"description": caption(prop)} if prop.get("description") else {}
        yield row


def groups(schema: Mapping[str, Any]) -> list[list[str]]:
    """Return the sets of settings of which one must be complete: `settings_group_validation`."""
    return [list(group) for group in schema.get("x-settings-groups", ())]


def kind(prop: Mapping[str, Any]) -> str:
    """Return Meltano's kind for a JSON Schema property.

    Choices among numbers or switches are of their own kind: Meltano compares options with the texts of the environment.
    """
    choices = [value for value in prop.get("enum", ()) if value is not None]
    if choices and all(isinstance(value, str) for value in choices):
        return OPTIONS
    if prop.get("x-kind") == "file":
        return "file"
    types = [prop["type"]] if isinstance(prop.get("type"), str) else prop.get("type", [])
    first = next((word for word in types if word != "null"), "string")
    if first == "string" and prop.get("format") in {"date", "date-time"}:
        return "date_iso8601"
    if first == "string" and prop.get("format") == "email":
        return "email"
    return KINDS.get(first, "string")


def _options(prop: Mapping[str, Any]) -> list[dict[str, Any]]:
    labels = prop.get("x-labels", {})
    values = [value for value in prop["enum"] if value is not None]
    return [{"label": labels.get(str(value), str(value)), "value": value} for value in values]
