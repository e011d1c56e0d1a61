"""STATEs that somebody has edited: said in one line with the word that is wrong, never a traceback."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SettingsError
from singerkit.rest import held
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.testing.fake_api import FakeApi

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from([*held.SHAPES])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("replication_key", 1),
        ("replication_key_value", ["2024-01-01"]),
        ("parents", ["1"]),
        ("parents", {"1": {}}),
        ("global", True),
        ("halves", {"1": {"resume": "page 2"}}),
        ("covered", {"1": ["2024-01-01"]}),
        ("changed", {"1": None}),
        ("after", 1),
        ("way", []),
        ("began", "yesterday"),
        ("began", "2024-01-01T00:00:00"),
        ("resume", {"params": {}}),
        ("resume", {"url": "http://x", "params": []}),
        ("passed", -1),
    ],
)
def test_a_word_of_another_shape(word: str, value: Any) -> None:
    """The error names stream and word, never the value, and says how to go on."""
    with pytest.raises(SettingsError) as caught:
        held.check({word: value}, "items")

    assert str(caught.value) == (
        f"the STATE holds what no run has written (stream=items, word={word}); "
        "remove bookmarks.<stream> from the STATE (meltano state edit) to read the stream from the start"
    )


@given(st.dictionaries(WORDS, JSON, max_size=4))
def test_whatever_a_state_holds(state: dict[str, Any]) -> None:
    """It is good, or a matter of settings: no other error comes of it."""
    with contextlib.suppress(SettingsError):
        held.check(state, "items")


@pytest.mark.parametrize("edited", [{"parents": ["1"]}, {"after": "1", "began": 7}, {"global": {"at": 1}}], ids=str)
def test_a_run_with_such_a_state(
    edited: dict[str, Any], api: FakeApi, tries: Any, schema: Callable[..., dict[str, Any]]
) -> None:
    """The stream fails before it asks for anything, and its STATE stays for whoever puts it right."""
    known = schema(id="integer", at="date-time")
    items = Endpoint(name="items", path="/items", keys=("id",), schema=known, selected=False)
    above = (Parent(stream="items", params={"item_id": "id"}),)
    mark = (Bookmark(field="at"),)
    parts = Endpoint(
        name="parts", path="/{item_id}", keys=("item_id", "id"), schema=known, parents=above, bookmarks=mark
    )
    state = {"bookmarks": {"parts": {"replication_key": "at", **edited}}}

    done = tries.run(items, parts, state=state)

    assert done.exit_code == 2
    assert done.state == state
    assert not api.asked
