"""Stream names as folders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_delta.names import folder_name, is_encoded, table_address


@pytest.mark.parametrize("name", ["orders", "public-orders", "Orders", "a.b", "a_b", "0"])
def test_plain_names_stay(name: str) -> None:
    """A name of letters, digits, dots, dashes and underscores is its own folder."""
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "_delta_log",
        ".x",
        "a b",
        "a%20b",
        "ü",
        "x" * 200,
        "a.",
        "a~b",
        "\ud800",
        "a\n",
    ],
)
def test_unusual_names_stay_inside(name: str) -> None:
    """Any other name becomes one harmless segment that no plain name is."""
    folder = folder_name(name)

    assert "~" in folder
    assert is_encoded(folder)
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-~")


@given(st.sets(st.text(max_size=12), min_size=2, max_size=2))
def test_two_streams_never_share(names: set[str]) -> None:
    """Two names are two folders."""
    first, second = names

    assert folder_name(first) != folder_name(second)


@pytest.mark.parametrize(("root", "address"), [
    ("w", "w/s"), ("w/", "w/s"), ("/", "/s"), ("s3://bucket/x", "s3://bucket/x/s"), ("file:///x/", "file:///x/s"),
])  # fmt: skip
def test_address_of_a_table(root: str, address: str) -> None:
    """The table lies right below the root."""
    assert table_address(root, "s") == address
