"""The tap: its name, its settings and its rows; everything else is the engine's."""

from __future__ import annotations

from typing import ClassVar

from singerkit.rest.tap import RestTap
from tap_example.settings import ENDPOINTS, SOURCE, Settings


class TapExample(RestTap):
    """Customers, their orders, and the products of a shop."""

    name = "tap-example"
    settings_class = Settings
    source_row: ClassVar = SOURCE
    endpoints: ClassVar = ENDPOINTS
