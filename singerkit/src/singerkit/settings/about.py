"""What a plugin says of its settings on a terminal and in Markdown: one line a single setting, inside of groups too.

Takes singer-sdk's facts about a plugin; gives text. singer-sdk's own formats name a group and stop there. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singerkit.settings.environment import variable
from singerkit.settings.schema import flat
from singerkit.settings.words import shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.about import AboutInfo


def rendered(info: AboutInfo, output_format: str | None) -> str:
    """Return the answer to `--about`, in one of singer-sdk's formats."""
    from singer_sdk.about import AboutFormatter

    formatter = AboutFormatter.get_formatter(output_format or "text")
    match output_format:
        case "json":
            return formatter.format_about(info)
        case "markdown":
            return formatter.format_about(replace(info, settings=_flattened(info.settings)))
        case _:
            head = formatter.format_about(replace(info, settings={}))
            return head + "\n".join(_lines(info.name, info.settings)) + "\n"


def table(schema: Mapping[str, Any]) -> str:
    """Return the settings as a table in Markdown, for a page of documentation."""
    lines = ["| Setting | Kind | Default | Meaning |", "| --- | --- | --- | --- |"]
    for name, (prop, needed) in flat(schema).items():
        default = f"`{_text(prop['default'])}`" if prop.get("default") is not None else ""
        marks = (" **Required.**" if needed else "") + (" **Secret.**" if prop.get("secret") else "")
        cells = (f"`{name}`", _kind(prop), default, caption(prop) + marks)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def caption(prop: Mapping[str, Any]) -> str:
    """Return the sentence of a setting, on one line."""
    return " ".join(prop.get("description", "").split())


def _lines(plugin: str, schema: Mapping[str, Any]) -> Iterator[str]:
    for name, (prop, needed) in flat(schema).items():
        yield f"  - Name: {name}"
        yield f"    Type: {_kind(prop)}"
        yield f"    Environment Variable: {variable(plugin, name)}"
        yield from (["    Required: true"] if needed else [])
        yield from ([f"    Default: {_text(prop['default'])}"] if prop.get("default") is not None else [])
        yield f"    Description: {caption(prop)}"


def _flattened(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = flat(schema)
    return {
        "properties": {name: {**prop, "description": caption(prop)} for name, (prop, _) in found.items()},
        "required": [name for name, (_, needed) in found.items() if needed],
    }


def _kind(prop: Mapping[str, Any]) -> str:
    if prop.get("x-kind") == "file":
        return "a file"
    return {"date-time": "a date"}.get(str(prop.get("format")), shape(prop))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
