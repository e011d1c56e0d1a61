"""The settings that all REST taps share; a tap adds its own by a class on top of this one. Pure."""

from __future__ import annotations

from typing import Annotated

from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings
from singerkit.settings.taps import AT_LEAST_ONE, TapSettings


@settings
class RestSettings(TapSettings):
    """What every REST tap can be told."""

    page_size: Annotated[
        int | None,
        Input(
            "Page size",
            "Records of a page at most. Unset: as each stream's row says. Above a vendor's maximum: refused.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        Input(
            "Concurrency",
            "Requests under way at once at most. Unset: as the source's row says, 4 where it says nothing.",
            schema={"minimum": 1, "maximum": 64},
        ),
    ] = None
    rate_limit: Annotated[
        float | None,
        Input(
            "Rate limit", "Requests a second at most. Unset: as the source's row says.", schema={"exclusiveMinimum": 0}
        ),
    ] = None
    request_timeout_s: Annotated[
        float, Input("Request timeout", "Seconds to wait for an answer.", schema={"minimum": 1, "maximum": 86_400})
    ] = 60
    max_attempts: Annotated[
        int | None,
        Input(
            "Attempts",
            "How often a request is sent at most. Unset: as the source's row says, 8 where it says nothing.",
            schema=AT_LEAST_ONE,
        ),
    ] = None
    retry_deadline_s: Annotated[
        float | None,
        Input(
            "Retry deadline",
            "Seconds that one request may take with its repeats. Unset: as the source's row says, 900 by default.",
        ),
    ] = None
    retry_base_s: Annotated[
        float | None,
        Input(
            "First wait",
            "Seconds before the first repeat; it doubles each time. Unset: as the source's row says, 1 by default.",
        ),
    ] = None
    state_interval_s: Annotated[
        float, Input("STATE interval", "Seconds between STATE messages at least.", schema={"minimum": 0})
    ] = 5
    allow_private_hosts: Annotated[
        bool, Input("Private hosts", "Whether hosts of private networks may be reached.")
    ] = False
