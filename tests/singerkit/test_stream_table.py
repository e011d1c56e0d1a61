"""`--discover` for a person: a table of what there is; for a pipe the Singer catalog, as always."""

from __future__ import annotations

from typing import Any

import pytest

from singerkit.show.streams import stream_table


def stream(name: str, keys: list[str], schema: dict[str, Any], metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a stream as a catalog has it."""
    entries = [{"breadcrumb": [], "metadata": metadata}, {"breadcrumb": ["properties", "id"], "metadata": {}}]
    return {"tap_stream_id": name, "key_properties": keys, "schema": schema, "metadata": entries, **more}


ORDERS = stream(
    "public-orders",
    ["id"],
    {"x-partition": {"mode": "numerical", "keys": ["id"], "count": 9, "size": 250_000}},
    {"selected-by-default": True},
    replication_method="INCREMENTAL",
    replication_key="updated_at",
    row_count=2_000_000,
)
EVENTS = stream(
    "public-events",
    [],
    {"x-warnings": ["row security hides rows from this role"]},
    {"selected-by-default": False, "forced-replication-method": "FULL_TABLE"},
)


def test_every_stream_has_a_line() -> None:
    """Keys, method and key of replication, rows, partition; remarks stand below the stream, whole."""
    assert [*stream_table({"streams": [EVENTS, ORDERS]})] == [
        "stream         keys  method       replication key       rows  partition",
        "public-events        FULL_TABLE",
        "    ! read only where it is selected",
        "    ! no key: a loader can only append its rows",
        "    ! row security hides rows from this role",
        "public-orders  id    INCREMENTAL  updated_at       2,000,000  numerical of id, 250,000 a part",
        "2 streams",
    ]


def test_columns_that_say_nothing_are_left_out() -> None:
    """A source that knows no numbers of rows has no column for them."""
    plain = stream("users", ["id"], {}, {})

    assert [*stream_table({"streams": [plain]})] == ["stream  keys", "users   id", "1 stream"]


def test_nothing_is_there() -> None:
    """A source without streams says so."""
    assert [*stream_table({"streams": []})] == ["stream", "0 streams"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal(width: int) -> None:
    """No line of the table is longer than the terminal; remarks may wrap, since they are to be read whole."""
    lines = [line for line in stream_table({"streams": [EVENTS, ORDERS]}, width) if not line.startswith("    !")]

    assert max(map(len, lines)) <= width


HINTS = [
    ({"mode": "md5", "keys": ["a", "b"], "count": 8}, "md5 of a, b, 8 parts"),
    ({"mode": "datetime", "keys": ["at"], "format": "month"}, "datetime of at, by month"),
    ({"mode": "column", "keys": ["country"]}, "column of country"),
    ({"mode": "md5", "keys": ["a"]}, "md5 of a"),
]


@pytest.mark.parametrize(("hint", "words"), HINTS)
def test_a_hint_in_few_words(hint: dict[str, Any], words: str) -> None:
    """How a loader could cut the table."""
    said = [*stream_table({"streams": [stream("s", ["id"], {"x-partition": hint}, {})]})]

    assert said[1].endswith(f"  {words}")
