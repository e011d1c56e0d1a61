"""The reference page says what the settings are."""

from __future__ import annotations

from tools.target_delta_reference import PAGE, page


def test_settings_of_the_reference() -> None:
    """After a change of settings: python -m tools.target_delta_reference."""
    text = PAGE.read_text(encoding="utf-8")

    assert page(text) == text
