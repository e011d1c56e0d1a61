"""Write docs/reference/tap-postgres.md and tap-postgres-types.md from the tap's own tables; a test holds them to it.

Run: python -m tools.tap_postgres_reference
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from singerkit.settings.about import table
from singerkit.settings.schema import settings_schema
from tap_postgres.settings import Settings
from tap_postgres.types import PgType, rendering

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"

TYPES: Sequence[tuple[str, PgType]] = (
    ("`boolean`", PgType("bool")),
    ("`smallint`", PgType("int2")),
    ("`integer`", PgType("int4")),
    ("`bigint`", PgType("int8")),
    ("`oid`", PgType("oid")),
    ("`xid`", PgType("xid")),
    ("`real`", PgType("float4")),
    ("`double precision`", PgType("float8")),
    ("`numeric(p,s)`, to 38 digits", PgType("numeric", precision=12, scale=2)),
    ("`numeric(p,s)`, more digits", PgType("numeric", precision=50, scale=2)),
    ("`numeric`", PgType("numeric")),
    ("`money`", PgType("money")),
    ("`text`, `varchar`", PgType("text")),
    ("`char(n)`", PgType("bpchar")),
    ('`name`, `"char"`', PgType("name")),
    ("`citext`", PgType("citext", builtin=False)),
    ("`uuid`", PgType("uuid")),
    ("`bytea`", PgType("bytea")),
    ("`date`", PgType("date")),
    ("`timestamp`", PgType("timestamp")),
    ("`timestamptz`", PgType("timestamptz")),
    ("`time`", PgType("time")),
    ("`timetz`", PgType("timetz")),
    ("`interval`", PgType("interval")),
    ("`json`", PgType("json")),
    ("`jsonb`", PgType("jsonb")),
    ("`hstore`", PgType("hstore", builtin=False)),
    ("`inet`, `cidr`", PgType("inet")),
    ("enum", PgType("mood", "e", builtin=False)),
    ("composite", PgType("pair", "c", builtin=False)),
    ("range, multirange", PgType("int4range", "r")),
    (
        "`macaddr`, `bit`, `tsvector`, `tsquery`, `xml`, `point` and other shapes, `pg_lsn`, `xid8`, any other",
        PgType("x"),
    ),
    ("domain", PgType("int4")),
    ("`integer[]`, and arrays of the types above down to `interval`", PgType("int4", depth=1)),
    ("`numeric(p,s)[]`", PgType("numeric", precision=12, scale=2, depth=1)),
    ("`jsonb[]`, `inet[]`, composite and range arrays, ...", PgType("jsonb", depth=1)),
    ("`integer[][]` and deeper", PgType("int4", depth=2)),
)
NOTES = {
    "domain": "what it rests on, here integer",
    "`integer[]`, and arrays of the types above down to `interval`": "a value of more dimensions stops the stream",
    "`jsonb[]`, `inet[]`, composite and range arrays, ...": "the whole array as JSON",
    "`integer[][]` and deeper": "the whole array as JSON",
    "`numeric`": "exact text: no decimal type holds every number that it may hold",
    "`numeric(p,s)`, more digits": "exact text",
    "`numeric(p,s)`, to 38 digits": "a JSON number with all its digits; NaN by `out_of_range`",
    "`date`": "infinity and far years by `out_of_range`",
    "`timestamp`": "no zone, so no offset: a target that checks formats refuses it; far years by `out_of_range`",
    "`timestamptz`": "UTC; infinity and far years by `out_of_range`",
    "`double precision`": 'in RECORD, NaN and infinities are the texts "NaN", "Infinity", "-Infinity"',
}


def settings_page() -> str:
    """Return the reference of the settings."""
    return _page("tap-postgres: settings", SETTINGS_INTRO, table(settings_schema(Settings)))


def types_page() -> str:
    """Return the reference of the types."""
    rows = [
        (label, f"`{kind.arrow}`", _words(kind.schema), NOTES.get(label, kind.note), "yes" if kind.ordered else "")
        for label, kind in ((label, rendering(kind)) for label, kind in TYPES)
    ]
    head = ("PostgreSQL", "In batches (Arrow)", "In SCHEMA (JSON Schema)", "Note", "Replication key")
    return _page("tap-postgres: types", TYPES_INTRO, _table(head, rows))


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    return {FOLDER / "tap-postgres.md": settings_page(), FOLDER / "tap-postgres-types.md": types_page()}


SETTINGS_INTRO = """Either `connection_url`, or `host`, `user` and `database` must be given. Bad settings are refused
all at once, in one line and without their values. Every setting is also an environment variable with `--config ENV`:
`TAP_POSTGRES_HOST` and so on; lists are written as JSON.
"""
TYPES_INTRO = """Every value arrives as PostgreSQL itself would print it, or the stream stops and says why: the tests
read each type with its extremes from a real server. All columns may be NULL. The RECORD form of a list is a JSON array;
JSON itself stays text, so that no digit, key order or duplicate key is lost.

`out_of_range` decides about what dates and decimals of other systems cannot hold: `infinity`, years before 1 or after
9999, and NaN in a `numeric(p,s)`. `fail` (the default) stops the stream and names the column and the count; `null`
writes NULL; `clamp` writes `0001-01-01` or `9999-12-31T23:59:59.999999`, and NULL for NaN. A clamped value
never becomes a bookmark.
"""


def _words(schema: dict[str, object]) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    first = next(str(kind) for kind in kinds if kind != "null")
    rest = {name: word for name, word in schema.items() if name != "type"}
    return ", ".join([first, *(f"{name} {_word(word)}" for name, word in rest.items())])


def _word(word: object) -> str:
    if isinstance(word, dict):
        return "(" + (_words(word) if "type" in word else ", ".join(f"{n} {w}" for n, w in word.items())) + ")"
    return f"`{word}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)])


def _page(title: str, intro: str, table: str) -> str:
    return f"# {title}\n\n<!-- made by python -m tools.tap_postgres_reference -->\n\n{intro}\n{table}\n"


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
