"""tap-example: the contract, singer-sdk's own suite, and a run that is compared value by value."""

from typing import Any

import pytest

from singerkit.testing.contract import promises, world
from tap_example.tap import TapExample


@pytest.mark.slow
@pytest.mark.parametrize("promise", promises(TapExample))
def test_contract(promise: Any) -> None:
    """The tap keeps each promise of the contract."""
    promise(TapExample)


def test_a_run_gives_every_stream() -> None:
    """Customers are bookmarked, orders carry their customer, products are a full load."""
    with world(TapExample) as there:
        done = there.run()

    assert done.error is None
    assert {name: len(done.records(name)) for name in TapExample(config=dict(there.config)).rows} == {
        "customers": 5,
        "orders": 25,
        "products": 5,
    }
    assert done.state["bookmarks"]["customers"]["replication_key"] == "updated_at"
    assert {"customer_id", "id"} <= done.records("orders")[0].keys()
