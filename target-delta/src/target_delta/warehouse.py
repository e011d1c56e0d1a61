"""The tables below a root, wherever the templates of their paths have put them.

Takes a root; gives the stores of its tables. Refuses a root that cannot be reached, and a new table inside another one,
whose upkeep would delete its files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from singerkit.errors import SafetyStopError
from target_delta.names import DEPTH, folder_address, is_encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_delta.store import Store

LOG = "_delta_log"


def reached(store: Store) -> list[str]:
    """Return the folders directly below, or say within seconds what is wrong with the address or the credentials."""
    return store.at(store.uri, hurried=True).folders()


def tables_below(store: Store, depth: int = DEPTH) -> Iterator[Store]:
    """Yield the stores of the tables below a folder, or of the table that it is itself, in the order of their paths."""
    names = store.folders()
    if LOG in names:
        yield store
    elif depth:
        for name in names:
            if not name.startswith(("_", ".")) or is_encoded(name):
                yield from tables_below(store.at(folder_address(store.uri, name)), depth - 1)


def refuse_nested(store: Store, stream: str) -> None:
    """Stop before a table is made in the folder of another one, or around it."""
    above = [store.at(store.uri.rsplit("/", up)[0]) for up in range(1, store.depth)]
    around = (one for one in above if LOG in one.folders())
    inside = (one for one in tables_below(store, DEPTH - 1) if one.uri != store.uri)
    if other := next(around, None) or next(inside, None):
        raise SafetyStopError(
            "a new table would lie inside another one, or around it, and upkeep of the one deletes files of the other",
            remedy="give one of them another path: see table_path", stream=stream, path=store.uri, table=other.uri,
        )  # fmt: skip
