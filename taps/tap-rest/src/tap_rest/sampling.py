"""A schema from samples, where a row has none: a few pages of a few parents.

Takes a tap and a row; gives a JSON Schema that all samples fit. Refuses to guess where there is no record at all.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.rest import walk
from singerkit.rest.fanout import Families
from singerkit.rest.parents import ParentRows
from singerkit.rest.progress import Span
from singerkit.rest.reading import Reading
from singerkit.rest.shape import Shaper
from tap_rest.shapes import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.rest.endpoint import Endpoint
    from singerkit.rest.tap import RestTap

_PARENTS = 10  # parents whose children are looked at
_RECORDS = 500  # records that are looked at


def sampled(tap: RestTap, row: Endpoint, rows: Mapping[str, Endpoint]) -> dict[str, Any]:
    """Return a schema that the first records of a stream fit; `rows` are those that its parents are found in."""
    sender = tap.client.for_stream()
    try:
        known, values = ParentRows(tap.source.parents_kept), tap.values
        families = Families(
            sender, tap.source, rows, values, known, now=tap.now, start_date=tap.start_date, look=sender.look
        )
        records = list(itertools.islice(_records(tap, row, families), _RECORDS))
    finally:
        sender.stop()
    if not records:
        raise SettingsError(
            "the stream has no records to make a schema of", stream=row.name, remedy="give the row a `schema`"
        )
    return schema_of(records, keys=row.keys)


def _records(tap: RestTap, row: Endpoint, families: Families) -> Iterator[dict[str, Any]]:
    shaper = Shaper(row)
    for context in itertools.islice(families.contexts(row), _PARENTS):
        values = {**tap.values, **context.params}
        reading = Reading(families.sender, tap.source, row, shaper, None, values, context.columns)
        for page in walk.pages(families.sender, row, reading.request(Span()), parent=context.params):
            yield from shaper.rows(page.records, context.columns)
