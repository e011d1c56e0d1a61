"""The server's clock, as its answers say: its own dates are by it, and its records too. Pure.

Takes `Date` headers and the time; gives moments and seconds. Refuses nothing: an answer without a date says nothing.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_STEP_S = 2  # the header has whole seconds, and an answer is on its way for a while


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the moment of an answer by the clock of its server, or None."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else None


class Clock:
    """One server's clock: the furthest that it was seen behind."""

    def __init__(self) -> None:
        self.behind_s = 0.0

    def saw(self, headers: Mapping[str, str], now: datetime) -> None:
        """Take note of the date of an answer."""
        there = date_of(headers)
        lag_s = 0.0 if there is None else (now - there).total_seconds()
        if lag_s > _STEP_S:
            self.behind_s = max(self.behind_s, lag_s)
