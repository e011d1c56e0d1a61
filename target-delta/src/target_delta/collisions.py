"""Names of columns that readers of Delta take for one, since they differ by case or by how a letter is encoded.

Takes names; gives names that can be told apart, by a rule that asks for no order: a name stays where it is free, and
else gets two underscores and six digits that follow from it. Pure. A column that was renamed says so in the table.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING

import pyarrow as pa

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PROPERTY, COMMENT = b"target-delta.property", b"comment"
"""What the table keeps of a column that was renamed: the property that fills it, for the loader and for people."""
_DIGITS = 6


def folded(name: str) -> str:
    """Return what names have in common that a reader takes for one."""
    return unicodedata.normalize("NFC", name).lower()


def apart(name: str) -> str:
    """Return the name under which a property stands whose own is taken."""
    return f"{name}__{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGITS]}"


def distinct(names: Iterable[str], first: Collection[str] = ()) -> dict[str, str]:
    """Return the column of each property: of several that are taken for one, a key or the first keeps its name."""
    names = [*names]
    taken: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name not in first):
        taken.setdefault(folded(name), name)
    return {name: name if taken[folded(name)] == name else apart(name) for name in names}


def renamed(field: pa.Field, source: str) -> pa.Field:
    """Return a column that says which property fills it, where that has another name."""
    if source == field.name:
        return field
    return field.with_metadata({PROPERTY: source, COMMENT: f"the property {source}"})


def property_of(field: pa.Field) -> str:
    """Return the property that fills a column."""
    said: bytes | None = (field.metadata or {}).get(PROPERTY)
    return field.name if said is None else said.decode()


def in_table(incoming: pa.Schema, table: pa.Schema, fixed: Collection[str] = ()) -> pa.Schema:
    """Return columns under the names that they have, or get, in a table; those of `fixed` names keep theirs.

    The column of the property's own name; else that of the name that sets it apart; else a new one, which is set apart
    where the table has one that is taken for it.
    """
    known = {folded(name) for name in table.names}
    fields = []
    for field in incoming:
        source = property_of(field)
        free = source if source in table.names or folded(source) not in known else apart(source)
        if free != field.name and field.name in fixed:
            raise SafetyStopError(
                "a key differs from a column of the table by case or encoding only",
                remedy="rename it (stream_maps can do it)", column=field.name,
            )  # fmt: skip
        fields.append(renamed(field.with_name(free), source) if free != field.name else field)
    return pa.schema(fields)
