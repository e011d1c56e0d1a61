"""The contract of every installed tap, those of other packages too."""

from typing import Any

import pytest

from singerkit.testing.contract import cases


@pytest.mark.slow  # each tap of ours has the same promises among its own tests
@pytest.mark.parametrize(("tap", "promise"), cases())
def test_contract(tap: Any, promise: Any) -> None:
    """A tap keeps each promise of the contract."""
    promise(tap)
