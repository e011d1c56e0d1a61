"""What no row can say: the repositories, organisations and people that the settings choose, however they are named.

Takes the settings and a way to ask; gives records. Refuses a choice of which nothing is there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.rest.own import records
from singerkit.rest.pages import Single
from tap_github.selection import selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singerkit.rest.endpoint import ReadCall
    from tap_github.selection import Selection

logger = logging.getLogger("tap_github")

_OLDEST_FIRST = {"sort": "created", "direction": "asc"}  # the order in which a new repository moves no other one


def repositories(call: ReadCall) -> Iterator[dict[str, Any]]:
    """Yield each chosen repository once: those of owners by list, others by name, also after they were renamed."""
    chosen = selection(call.config)
    seen: set[int] = set()
    met = bool(chosen.owners)
    for record in _found(call, chosen):
        met = True
        if record["id"] not in seen:
            seen.add(record["id"])
            yield record
    if not met:
        raise SettingsError(
            "none of the repositories is there, or this credential sees none of them",
            stream=call.endpoint.name,
            remedy="check the names, and what the token may read",
        )


def organizations(call: ReadCall) -> Iterator[dict[str, Any]]:
    """Yield each owner that is an organisation."""
    chosen = selection(call.config)
    for owner in chosen.owners:
        if owner not in chosen.people:
            yield from records(call, path=f"/orgs/{owner}", pages=Single())


def users(call: ReadCall) -> Iterator[dict[str, Any]]:
    """Yield each person whom the settings name."""
    for name in sorted(selection(call.config).people):
        yield from records(call, path=f"/users/{name}", pages=Single())


def _found(call: ReadCall, chosen: Selection) -> Iterator[dict[str, Any]]:
    for owner in chosen.owners:
        for record in _of_owner(call, owner, chosen):
            if chosen.lists(record):
                yield record
    for name in chosen.names:
        found = [*records(call, path=f"/repos/{name}", pages=Single())]
        if not found:
            logger.warning("no such repository, or this credential does not see it name=%s", name)
        yield from found


def _of_owner(call: ReadCall, owner: str, chosen: Selection) -> Iterator[dict[str, Any]]:
    """Yield what an owner has; whether that is an organisation or a person is found by asking."""
    empty = True
    if owner not in chosen.people:
        for record in records(call, path=f"/orgs/{owner}/repos", params={"type": "all", **_OLDEST_FIRST}):
            empty = False
            yield record
    if empty:
        yield from records(call, path=f"/users/{owner}/repos", params={"type": "owner", **_OLDEST_FIRST})
