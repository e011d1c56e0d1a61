"""One row a setting; from the rows come the JSON Schema of `--about`, and through it `meltano.yml` and the docs.

Takes rows and a configuration; gives a schema, or every error of a configuration at once. Refuses unknown names.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jsonschema import ValidationError

Kind = Literal["string", "integer", "number", "boolean", "array", "object", "date", "options", "file"]

_JSON_TYPES: Mapping[str, str] = {"date": "string", "options": "string", "file": "string"}


@dataclass(frozen=True)
class Setting:
    """One setting: its wire name, kind, words for a person, and whether it may ever be shown.

    `default=None` means that the setting has no default; `options` are the values that kind "options" allows;
    `schema` adds JSON Schema keywords (bounds, items) where the kind alone says too little.
    """

    name: str
    kind: Kind
    label: str
    caption: str
    default: Any = None
    required: bool = False
    secret: bool = False
    options: Sequence[str] = ()
    schema: Mapping[str, Any] | None = None

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema property, with the keywords that singer-sdk's `--about` and Meltano read."""
        prop: dict[str, Any] = {"type": [_JSON_TYPES.get(self.kind, self.kind), "null"], "title": self.label}
        prop["description"] = self.caption
        if self.kind == "date":
            prop["format"] = "date-time"
        if self.kind == "array":
            prop["items"] = {"type": "string"}
        if self.options:
            prop["enum"] = [*self.options] if self.required else [*self.options, None]
        if self.default is not None:
            prop["default"] = self.default
        if self.secret:
            prop |= {"secret": True, "writeOnly": True}  # the two marks that singer-sdk and the hub's tools look for
        if self.kind in {"options", "file"}:
            prop["x-kind"] = self.kind
        return prop | dict(self.schema or {})


def settings_schema(settings: Iterable[Setting], *, groups: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a whole configuration.

    `groups` are the sets of names of which one must be complete; Meltano knows them as `settings_group_validation`.
    """
    rows = list(settings)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {row.name: row.json_schema() for row in rows},
        "required": [row.name for row in rows if row.required],
        "additionalProperties": False,
    }
    if groups:
        schema["x-settings-groups"] = [list(group) for group in groups]
    return schema


def explain(error: ValidationError, known: Iterable[str]) -> str:
    """Return one error of a configuration in a person's words, without the value that is wrong: it may be a secret."""
    path = ".".join(str(part) for part in error.absolute_path) or "settings"
    instance, asked = cast("Any", error.instance), cast("Any", error.validator_value)
    match error.validator:
        case "additionalProperties":
            names = sorted(set(instance) - set(cast("Any", error.schema).get("properties", {})))
            return "; ".join(_unknown(name, known) for name in names)
        case "required":
            return ", ".join(name for name in asked if name not in instance) + ": missing"
        case "type":
            kinds = [asked] if isinstance(asked, str) else [kind for kind in asked if kind != "null"]
            return f"{path}: must be {_one_of(kinds)}"
        case "enum":
            return f"{path}: must be {_one_of([value for value in asked if value is not None])}"
        case _:
            return f"{path}: breaks {error.validator} {asked}"


def missing_group(config: Mapping[str, Any], groups: Sequence[Sequence[str]]) -> str | None:
    """Return what to say where no group of settings is complete, or None where one is."""
    if not groups or any(all(config.get(name) not in (None, "") for name in group) for group in groups):
        return None
    return "one of these sets must be given: " + " | ".join(" + ".join(group) for group in groups)


def settings_error(plugin: str, errors: Sequence[str]) -> SettingsError:
    """Return all errors of a configuration as one error."""
    return SettingsError(f"{plugin} cannot use its settings: " + "; ".join(errors), remedy=f"see {plugin} --about")


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"{name}: unknown" + (f", did you mean {near[0]}?" if near else "")


def _one_of(values: Sequence[Any]) -> str:
    return " or ".join(str(value) for value in values)
