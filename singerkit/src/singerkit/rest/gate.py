"""Holds requests back: by the rate that was set, and while the vendor's quota is used up.

Takes moments in monotonic seconds; gives seconds to wait. Pure but for its lock.
"""

from __future__ import annotations

import threading


class Gate:
    """One gate for all threads of a source."""

    def __init__(self, rate: float | None) -> None:
        self.gap_s = 1 / rate if rate else 0.0
        self.free_at = 0.0
        self.lock = threading.Lock()

    def turn(self, now_s: float) -> float:
        """Take the next turn and return how long to wait for it."""
        with self.lock:
            at = max(self.free_at, now_s)
            self.free_at = at + self.gap_s
            return at - now_s

    def hold(self, until_s: float) -> None:
        """Let nobody pass before this moment."""
        with self.lock:
            self.free_at = max(self.free_at, until_s)
