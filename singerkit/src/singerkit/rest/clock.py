"""How far the server's clock is behind ours, as its answers say. Pure.

Takes `Date` headers and the time; gives seconds. Refuses nothing: an answer without a date says nothing.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_STEP_S = 2  # the header has whole seconds, and an answer is on its way for a while


class Clock:
    """One server's clock: the furthest that it was seen behind."""

    def __init__(self) -> None:
        self.behind_s = 0.0

    def saw(self, date: str | None, now: datetime) -> None:
        """Take note of the date of an answer."""
        try:
            lag_s = (now - parsedate_to_datetime(date or "")).total_seconds()
        except (ValueError, TypeError):  # no date, or one without a zone
            return
        if lag_s > _STEP_S:
            self.behind_s = max(self.behind_s, lag_s)
