"""What a person sets, and what there is to read: one row a stream.

Taken from the vendor's documentation; the reference of all words is docs/reference/rest-endpoints.md.
"""

from __future__ import annotations

from typing import Annotated

from singerkit.rest.auth import Bearer
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Parent, Partition, Source
from singerkit.rest.pages import Cursor, Link
from singerkit.rest.settings import RestSettings
from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings


@settings
class Settings(RestSettings):
    """What tap-example can be told."""

    base_url: Annotated[str, Input("Address", "Where the API is.", type="url")] = "https://api.example.com/v1"
    token: Annotated[str, Input("API token", "Made under Settings, API.", secret=True)]


SOURCE = Source(base_url="{base_url}", auth=Bearer(token="{token}"))

ENDPOINTS = (
    Endpoint(
        name="customers",
        path="/customers",
        records="$.data",
        keys=("id",),
        pages=Cursor(param="cursor", path="$.next_cursor", size_param="limit", size=100, max_size=100),
        bookmarks=(Bookmark(field="updated_at", param="updated_since", params={"sort": "updated_at"}, order="asc"),),
        partition=Partition(keys=("created_at",), format="month"),
        scopes=("customers:read",),
        description="One row a customer.",
    ),
    Endpoint(
        name="orders",
        path="/customers/{customer_id}/orders",
        keys=("customer_id", "id"),
        pages=Link(size_param="per_page", size=100, max_size=100),
        parents=(Parent(stream="customers", params={"customer_id": "id"}),),
        scopes=("orders:read",),
        description="One row an order of a customer.",
    ),
    Endpoint(
        name="products",
        path="/products",
        records="$.products",
        keys=("sku",),
        scopes=("products:read",),
        description="One row a product.",
    ),
)
