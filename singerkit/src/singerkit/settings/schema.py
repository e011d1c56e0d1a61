"""A settings class as JSON Schema, which is what `--about`, Meltano's settings, a form and the docs are made of.

Takes a settings class; gives a schema: groups and options as `oneOf`, defaults, and marks for what JSON Schema has no
word for (`secret`, `x-kind`, `x-settings-groups`). Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_origin

from singerkit.settings.kinds import FileUpload, Input, Select
from singerkit.settings.rows import ENABLED, TEXTUAL, Row, choices, label_of, members, rows

_JSON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number"}
_FORMATS = {"email": "email", "url": "uri", "date": "date-time", "time": "time"}
GROUPS = frozenset({"select", "switch_group", "oauth", "ssh_tunnel"})
"""The `x-kind` of settings that hold settings."""
_SHOWN_KINDS = frozenset({"search", "textarea"})  # only a form tells them from a text


def settings_schema(settings: type) -> dict[str, Any]:
    """Return the JSON Schema of a whole configuration.

    `groups`, on the class, are the sets of names of which one must be complete: Meltano's settings_group_validation.
    """
    schema = {"type": "object", **_members(settings), "additionalProperties": False}
    if groups := getattr(settings, "groups", ()):
        schema["x-settings-groups"] = [list(group) for group in groups]
    return schema


def property_of(row: Row) -> dict[str, Any]:
    """Return the schema of one setting, with the words for a person."""
    words = {"title": row.field.label, "description": row.field.caption}
    if row.options:
        return {"type": ["object", "null"], **words, "x-kind": "select", **_default(row), **_selected(row)}
    if row.group:
        return {"type": ["object", "null"], **words, "x-kind": row.field.kind, **_default(row), **_grouped(row)}
    return {**leaf(row), **words, **_default(row), **_marks(row), **dict(getattr(row.field, "schema", {}))}


def leaf(row: Row) -> dict[str, Any]:
    """Return the schema of a single value: its type, or null."""
    prop = _either([value_schema(kind) for kind in row.types])
    if isinstance(row.field, FileUpload) and row.types[0] is not Path:
        prop["type"] = ["object", "string"]  # inline, or by path
    types = prop.get("type")
    if isinstance(types, list) or types is not None:
        prop["type"] = [*([types] if isinstance(types, str) else types), "null"]
    if "enum" in prop and not row.required:
        prop["enum"] = [*prop["enum"], None]
    if "anyOf" in prop:
        prop["anyOf"] = [*prop["anyOf"], {"type": "null"}]
    return prop


def value_schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a type that a setting may have."""
    if values := choices(kind):
        return {"type": _JSON_TYPES.get(type(values[0]), "string"), "enum": list(values)}
    if kind in TEXTUAL:
        return {"type": "string"}
    if kind in _JSON_TYPES:
        return {"type": _JSON_TYPES[kind]}
    inner = get_args(kind)
    if get_origin(kind) is tuple:
        return {"type": "array", "items": value_schema(inner[0])}
    if get_origin(kind) is Mapping:
        return {"type": "object"} | ({} if inner[1] is Any else {"additionalProperties": _named(inner[1])})
    raise TypeError(f"{kind} is no type of a setting")


def json_value(value: Any) -> Any:
    """Return a default as JSON has it; None where there is nothing to show."""
    if isinstance(value, Path | datetime):
        return str(value)
    if isinstance(value, tuple):
        return [*value] or None
    if isinstance(value, Mapping):
        return dict(value) or None
    return value


def _members(settings: type, defaults: object = None) -> dict[str, Any]:
    """Return properties, and which of them there must be; a secret may stand in a file instead."""
    found = rows(settings, defaults)
    properties: dict[str, Any] = {}
    for row in found:
        properties[row.name] = property_of(row) if _may_be_null(row) else _not_null(property_of(row))
        if row.file_name:
            properties[row.file_name] = _by_file(row)
    needed = [row.name for row in found if row.required and not row.file_name]
    either = [(row.name, row.file_name) for row in found if row.required and row.file_name]
    said: dict[str, Any] = {"properties": properties, "required": needed}
    if either:
        said["allOf"] = [{"anyOf": [_given(name) for name in names]} for names in either]
    return said


def _may_be_null(row: Row) -> bool:
    """Return whether null may stand for a setting: it is as good as none, so not where there must be one."""
    return not row.required or bool(row.file_name)


def _not_null(prop: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a setting that must be given."""
    if isinstance(types := prop.get("type"), list):
        kept = [kind for kind in types if kind != "null"]
        prop["type"] = kept[0] if len(kept) == 1 else kept
    prop |= {"anyOf": [part for part in prop["anyOf"] if part != {"type": "null"}]} if "anyOf" in prop else {}
    return prop


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _grouped(row: Row) -> dict[str, Any]:
    assert row.group is not None  # noqa: S101  # the caller has looked
    if not row.switched:
        return {**_members(row.group, row.default), "additionalProperties": False}
    on_by_default = row.default is not None and not row.required
    caption = "Whether the settings below are read."
    switch = {"type": ["boolean", "null"], "title": f"Use: {row.field.label}", "description": caption}
    off_values, on_values = ([False], [True, None]) if on_by_default else ([False, None], [True])
    off: dict[str, Any] = {"title": "off", "properties": {ENABLED: {"enum": off_values}}, "required": []}
    on = {"title": "on", **_members(row.group, row.default), "additionalProperties": False}
    on["properties"] = {ENABLED: {"enum": on_values}, **on["properties"]}
    (off if on_by_default else on)["required"].append(ENABLED)
    return {"properties": {ENABLED: {**switch, "default": on_by_default}}, "oneOf": [off, on]}


def _selected(row: Row) -> dict[str, Any]:
    assert isinstance(row.field, Select)  # noqa: S101  # the caller has looked
    by, sides, known = row.field.by, [], {row.field.by}
    chosen = None if row.required else type(row.default)
    labels = {value: label_of(option) for value, option in row.options.items()}
    which: dict[str, Any] = {"type": ["string", "null"], "title": row.field.label, "description": row.field.caption}
    which |= {"x-kind": "options", "x-labels": labels}
    for value, option in row.options.items():
        is_default = option is chosen
        side = {"title": labels[value], **_members(option, row.default)}
        known |= set(side["properties"])
        side["properties"] = {by: {"enum": [value, None] if is_default else [value]}, **side["properties"]}
        side["required"] += [] if is_default else [by]
        which |= {"default": value} if is_default else {}
        sides.append(side)
    which["enum"] = [*labels, None]
    return {"properties": {by: which}, "oneOf": sides, "propertyNames": {"enum": sorted(known)}}


def _default(row: Row) -> dict[str, Any]:
    if row.required or row.group or dataclasses.is_dataclass(row.default):
        return {}
    value = json_value(row.default)
    return {} if value is None else {"default": value}


def _marks(row: Row) -> dict[str, Any]:
    kind, marks = row.field, dict[str, Any]()
    if row.secret:
        marks |= {"secret": True, "writeOnly": True}  # the two that singer-sdk and the hub's tools look for
    elif getattr(kind, "secret", None) is False:
        marks["secret"] = False  # stated: it only sounds like one
    if isinstance(kind, FileUpload) or Path in row.types:
        marks["x-kind"] = "file"
    elif isinstance(kind, Select):
        marks["x-kind"] = "options"
        marks |= {"x-labels": {str(value): label for value, label in kind.labels.items()}} if kind.labels else {}
    elif isinstance(kind, Input):
        marks |= {"x-kind": kind.type} if kind.type in _SHOWN_KINDS else {}
        marks |= {"format": _FORMATS[kind.type]} if kind.type in _FORMATS else {}
        marks |= {"examples": [kind.placeholder]} if kind.placeholder else {}
    return marks


def _by_file(row: Row) -> dict[str, Any]:
    caption = f"File that holds `{row.name}`, in its place."
    return {"type": ["string", "null"], "title": f"{row.field.label}: file", "description": caption, "x-kind": "file"}


def _named(kind: Any) -> dict[str, Any]:
    """Return the schema of an object's values; numbers and switches may stand where texts are read."""
    if kind is str:
        return {"type": ["string", "number", "boolean", "null"]}
    return _either([value_schema(part) for part in members(kind)])


def _either(props: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a value that fits one of these; types alone are merged, anything else stays a choice."""
    if len(props) == 1:
        return dict(props[0])
    types = list(dict.fromkeys(prop["type"] for prop in props))
    if all(set(prop) == {"type"} for prop in props):
        return {"type": types}
    return {"type": types, "anyOf": props}


def branches(prop: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the objects whose settings a setting may hold: itself, and each option or side of a switch; or none.

    An object that is one value to Meltano, such as singer-sdk's stream maps, has none.
    """
    if prop.get("x-kind") not in GROUPS:
        return ()
    return [part for part in (prop, *prop.get("oneOf", ())) if "properties" in part]


def flat(schema: Mapping[str, Any], parent: str = "") -> dict[str, tuple[Mapping[str, Any], bool]]:
    """Return each single setting by its dotted name: its schema, and whether no configuration can do without it."""
    found: dict[str, tuple[Mapping[str, Any], bool]] = {}
    for name, prop in schema["properties"].items():
        inner = branches(prop)
        for branch in inner:
            for path, (one, _) in flat(branch, f"{parent}{name}.").items():
                found.setdefault(path, (one, False))
        if not inner:
            found[parent + name] = (prop, name in required(schema))
    return found


def required(schema: Mapping[str, Any]) -> list[str]:
    """Return the settings that a configuration must hold, those too that it may hold by the path of a file."""
    either = [rule["anyOf"][0]["required"][0] for rule in schema.get("allOf", ())]
    return [*schema.get("required", ()), *either]
