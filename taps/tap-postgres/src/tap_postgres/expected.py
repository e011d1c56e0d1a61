"""How many rows a run will read: the server's estimate for a whole table, a count where a bookmark or a filter chooses.

Takes the SELECTs of a run; gives a number, or None where the server would have to look for too long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from singerkit.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_postgres.look import Lookout
    from tap_postgres.reads import Read


def counted(selects: Iterable[Read], lookout: Lookout, stream: str) -> int | None:
    """Return how many rows these SELECTs would give together, or None where counting takes longer than looking may."""
    total = 0
    try:
        for read in selects:
            rows = lookout.fetched(f"SELECT pg_catalog.count(*) FROM ({read.sql}) AS counted", stream)
            total += int(rows[0][0])
    except UnavailableError as error:
        if "stream" not in error.where:
            raise
        return None
    return total
