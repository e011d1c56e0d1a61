"""The tap: its name, its settings and its rows; everything else is the engine's."""

from __future__ import annotations

from typing import ClassVar

from singerkit.rest.tap import RestTap
from singerkit.settings.fields import settings_schema
from tap_example.settings import ENDPOINTS, SETTINGS, SOURCE


class TapExample(RestTap):
    """Customers, their orders, and the products of a shop."""

    name = "tap-example"
    config_jsonschema = settings_schema(SETTINGS)
    source_row: ClassVar = SOURCE
    endpoints: ClassVar = ENDPOINTS
