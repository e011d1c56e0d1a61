"""The check of rows against a vendor's own description: each kind of flaw is found, and what agrees is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Inside, Parent
from singerkit.rest.pages import Link
from tools.vendor import Vendor
from tools.vendor_check import asked, flaws, type_flaws

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
    assert [*flaws(Vendor(DOCUMENT), replace(ROW, **changes), {name: {} for name in columns})] == found


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"type": "string"}, {"type": "string"}, []),
        ({"type": "string"}, {"type": ["string", "null"]}, ["x may be null"]),
        ({"type": "string"}, {"type": "string", "nullable": True}, ["x may be null"]),
        ({"type": "string"}, {"enum": ["a", None], "type": "string"}, ["x may be null"]),
        ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, ["x may be null"]),
        ({"type": ["string", "null"]}, {"oneOf": [{"type": "string"}, {"type": "integer"}]}, ["x may be integer"]),
        ({"type": "number"}, {"type": "integer"}, []),
        ({}, {"type": ["array", "null"]}, []),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "string"}}}, ["x.a may be missing"]),
        (
            {"properties": {"a": {"type": "string"}}},
            {"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"type": "null"}]},
            ["x may be null"],
        ),
        (
            {"type": "array", "items": {"type": "string"}},
            {"type": "array", "items": {"type": ["string", "null"]}},
            ["x[] may be null"],
        ),
    ],
)
def test_types(ours: dict[str, Any], theirs: dict[str, Any], found: list[str]) -> None:
    """A schema allows all that the vendor says it may send: null, other types, fields that are not always there."""
    assert [*type_flaws(Vendor({}), ours, theirs, "x")] == found


def test_what_is_held() -> None:
    """Rows of the REST API are, and the list that a query's row falls back on; a function's own requests are not."""
    inside = Inside(path="parts.nodes", lifted={"c": "of.c"}, rest="/items/{number}/parts", pages=Link())
    query = Endpoint(name="parts", method="POST", path="../graphql", lifted={"item": "id"}, inside=inside)
    own = Endpoint(name="own", read="m:f")

    held = [*asked([ROW, query, own, replace(query, inside=None)])]

    assert [(row.name, row.path) for row in held] == [("items", ROW.path), ("parts", "/items/{number}/parts")]
    assert {*held[1].renames} == {"c", "item"}
