"""Writes the reference of REST rows and the editors' schema from the rows' own types: `python -m tools.rest_reference`.

Takes the row types; gives docs/reference/rest-endpoints.md and docs/reference/rest-manifest.schema.json.
"""

from __future__ import annotations

import json

from singerkit.rest import words
from tools.setup import ROOT

PAGE = ROOT / "docs/reference/rest-endpoints.md"
SCHEMA = ROOT / "docs/reference/rest-manifest.schema.json"

_HEAD = """# REST endpoints

Every word of a row, in a manifest of tap-rest and in the `settings.py` of a tap. Made of the rows' own types by
`python -m tools.rest_reference`. Editors complete and check a manifest by its JSON Schema; its first line is then

    # yaml-language-server: $schema=rest-manifest.schema.json

Texts may hold `{names}`: of settings, of `variables` and `secrets` (tap-rest), or of a parent's parameters.
"""


def page() -> str:
    """Return the reference as Markdown."""
    parts = [_HEAD]
    parts += [f"## {row.__name__}\n\n{words.sentence(row)}\n\n{_table(row)}" for row in words.ROWS]
    for kind, (word, names) in words.CHOICES.items():
        parts.append(f"## {kind.__name__}\n\nNamed by `{word}`.\n\n### All of them\n\n{_table(kind)}")
        parts += [f"### {name}\n\n{words.sentence(row)}\n\n{_table(row, but=kind)}" for name, row in names.items()]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def schema() -> str:
    """Return the JSON Schema of a manifest."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "tap-rest manifest"}
    return json.dumps(made | words.json_schema(words.Manifest), indent=1) + "\n"


def _table(row: type, but: type | None = None) -> str:
    known = {one.name for one in words.words(but)} if but else set()
    lines = [_line(one) for one in words.words(row) if one.name not in known]
    return "\n".join(["| word | holds | unless said | meaning |", "| --- | --- | --- | --- |", *lines]) if lines else ""


def _line(one: words.Word) -> str:
    default = "**required**" if one.required else _default(one.default)
    return f"| `{one.name}` | {words.spelled(one.kind)} | {default} | {one.meaning} |"


def _default(value: object) -> str:
    if value in (None, "", (), {}):
        return ""
    name = getattr(value, "style", None) or getattr(value, "method", None)
    return f"`{name}`" if name else "" if hasattr(value, "__dataclass_fields__") else f"`{json.dumps(value)}`"


def main() -> None:
    """Write both files."""
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
