"""The server's clock: a bookmark never passes the moment that the run began there, however far ours is ahead."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.testing.fake_api import FakeApi, Reply

Schema = Callable[..., dict[str, Any]]
THERE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
"""The server's time when the run begins."""
BEGAN = (THERE + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
"""The latest that a bookmark may say; a test takes less than a minute."""


def served(*ats: datetime) -> Reply:
    rows = [{"id": number, "at": at.isoformat()} for number, at in enumerate(ats, 1)]
    return Reply(rows, headers={"Date": format_datetime(THERE, usegmt=True)})


MET = served(THERE - timedelta(days=1), THERE + timedelta(minutes=5))
"""An old row, and one that came while the run was under way: others that came before it may not have been read."""


def row(made: Schema, name: str, **more: Any) -> Endpoint:
    given: dict[str, Any] = {"path": f"/{name}", "keys": ("id",), "schema": made(id="integer", at="date-time")}
    return Endpoint(name=name, **(given | more))


@pytest.mark.parametrize("order", [None, "asc", "desc"])
def test_a_bookmark(order: Any, api: FakeApi, tries: Any, schema: Schema) -> None:
    """A row that came while the list was walked says nothing of those that came in between."""
    api.route("/items", MET)

    done = tries.run(row(schema, "items", bookmarks=(Bookmark(field="at", order=order),)))

    assert done.state["bookmarks"]["items"]["replication_key_value"] <= BEGAN


@pytest.mark.parametrize("limit", [1, 1000], ids=["one for all parents", "one for each"])
def test_the_bookmarks_of_children(limit: int, api: FakeApi, tries: Any, schema: Schema) -> None:
    """It holds for the bookmark of each parent, and for the one of all."""
    api.route("/items", [{"id": 1}, {"id": 2}])
    api.route("/parts/*", MET)
    above = (Parent(stream="items", params={"item_id": "id"}),)
    own = {"path": "/parts/{item_id}", "keys": ("item_id", "id"), "parents": above}
    rows = (row(schema, "items", selected=False), row(schema, "parts", bookmarks=(Bookmark(field="at"),), **own))

    done = tries.run(*rows, source=replace(tries.tap(*rows).source_row, parents_with_bookmark=limit))

    told = done.state["bookmarks"]["parts"]
    assert max([told["global"]] if limit == 1 else told["parents"].values()) <= BEGAN


def test_how_far_parents_moved(api: FakeApi, tries: Any, schema: Schema) -> None:
    """A parent that changed behind the back of the walk is walked in the next run."""
    api.route("/items", MET)
    api.route("/parts/*", [{"id": 1, "at": THERE.isoformat()}])
    mark = Bookmark(field="at")
    above = (Parent(stream="items", params={"item_id": "id"}, changed_by="at"),)
    own = {"path": "/parts/{item_id}", "keys": ("item_id", "id"), "parents": above}

    done = tries.run(
        row(schema, "items", bookmarks=(mark,), selected=False), row(schema, "parts", bookmarks=(mark,), **own)
    )

    assert done.state["bookmarks"]["parts"]["changed"] <= BEGAN
