"""The settings of a tap that takes webhooks. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from singerkit.rest.settings import RestSettings
from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings


@settings
class WebhookSettings(RestSettings):
    """What a REST tap with webhooks can be told."""

    webhook_spool: Annotated[
        Path | None,
        Input(
            "Webhook spool",
            "Folder of `webhook serve`: its deliveries become rows. One spool for one pipeline. Unset: none are read.",
        ),
    ] = None
    webhook_secret: Annotated[
        str | None, Input("Webhook secret", "What the vendor signs deliveries with; of your choice.", secret=True)
    ] = None
