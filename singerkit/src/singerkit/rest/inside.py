"""Rows that are lists inside of records: taken out, and asked for where the vendor has put only the first ones there.

Takes a record and a client; gives the rows in it. Refuses a list that is not whole, unless the row says how to get it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError
from singerkit.rest import conditions, fill, selector, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.rest.endpoint import Endpoint, Inside, Source
    from singerkit.rest.shape import Shaper
    from singerkit.rest.walk import Sender


def opened(
    sender: Sender, source: Source, row: Endpoint, shaper: Shaper, record: dict[str, Any], values: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one record that meet the row's conditions."""
    inside = row.inside
    if inside is None:
        yield record
        return
    cut = inside.more is not None and any(selector.matches(inside.more)(record))
    lists = _whole(sender, source, row, inside, {**values, **record}) if cut else [_list(inside, record)]
    for found in lists:
        wanted = [one for one in found if conditions.wanted(row, one)]
        yield from shaper.opened(wanted, record)


def _list(inside: Inside, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the record holds; GraphQL has null in lists, where the credential may not see a member."""
    return [one for one in selector.records(inside.path, record) or () if one is not None]


def _whole(
    sender: Sender, source: Source, row: Endpoint, inside: Inside, values: Mapping[str, Any]
) -> Iterator[list[dict[str, Any]]]:
    if inside.rest is None:
        raise SafetyStopError(
            "a list inside of a record is not whole",
            stream=row.name,
            list=inside.path,
            remedy="say in `inside` how the rest is asked for, or have more of it put into the record",
        )
    alone = replace(row, path=inside.rest, pages=inside.pages, method="GET", records="$", body=None, params={})
    for page in walk.pages(sender, alone, fill.first_request(alone, source, values)):
        yield page.records
