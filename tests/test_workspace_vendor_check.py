"""The check of rows against a vendor's own description: each kind of flaw is found, and what agrees is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.rest.pages import Link
from tools.vendor_check import Vendor, flaws

ITEM = {"properties": {"id": {}, "at": {}, "author": {"$ref": "#/components/schemas/person"}}}
LIST = {"type": "object", "properties": {"items": {"type": "array", "items": {"allOf": [ITEM]}}}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/teams/{team_slug}/items": {
            "get": {
                "parameters": [
                    {"$ref": "#/components/parameters/size"},
                    {"name": "sort", "in": "query", "schema": {"enum": ["created", "updated"]}},
                    {"name": "since", "in": "query", "schema": {}},
                    {"name": "team_slug", "in": "path", "schema": {}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": LIST}}}},
            }
        }
    },
    "components": {
        "parameters": {"size": {"name": "per_page", "in": "query", "description": "Results (max 100).", "schema": {}}},
        "schemas": {"person": {"properties": {"id": {}}}},
    },
}
ROW = Endpoint(
    name="items",
    path="/teams/{team}/items",
    records="$.items",
    params={"sort": "updated"},
    pages=Link(size_param="per_page", size=100),
    bookmarks=(Bookmark(field="at", param="since"),),
    lifted={"author_id": "author.id"},
    parents=(Parent(stream="teams", params={"team": "slug"}),),
)
COLUMNS = ("id", "at", "author", "author_id", "team")


@pytest.mark.parametrize(
    ("changes", "columns", "found"),
    [
        ({}, COLUMNS, []),
        ({"path": "/teams/{team}/things"}, COLUMNS, ["path /teams/{team}/things is not documented"]),
        ({"params": {"order": "asc"}}, COLUMNS, ["parameter order is not documented"]),
        ({"params": {"sort": "newest"}}, COLUMNS, ["parameter sort may not be newest: created, updated"]),
        (
            {"pages": Link(size_param="per_page", size=200)},
            COLUMNS,
            ["page size 200 is above the documented 100"],
        ),
        ({"bookmarks": (Bookmark(field="at", param="from"),)}, COLUMNS, ["parameter from is not documented"]),
        ({"lifted": {"author_id": "author.number"}}, COLUMNS, ["lifted author.number is not in the documented record"]),
        ({}, (*COLUMNS, "price"), ["column price is not in the documented record"]),
        ({"records": "$.rows", "lifted": {}}, ("id",), ["column id is not in the documented record"]),
    ],
    ids=["agrees", "path", "parameter", "value", "size", "bookmark", "lifted", "column", "records"],
)
def test_flaws(changes: dict[str, Any], columns: tuple[str, ...], found: list[str]) -> None:
    """What a row says and the vendor does not is named, one line each."""
    assert [*flaws(Vendor(DOCUMENT), replace(ROW, **changes), columns)] == found
