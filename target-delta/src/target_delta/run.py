"""What all streams of one run share: its settings, its clock, its ledger, and the newest STATE that came.

Takes what the shell made; gives it to the rooms. Refuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_delta.ledger import Ledger
from target_delta.memory import Memory
from target_delta.overflow import Overflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from singerkit.report import Report
    from target_delta.settings import Settings
    from target_delta.worker import Worker


@dataclass
class Run:
    """What all streams of one run share."""

    settings: Settings
    id: str
    started: datetime
    worker: Worker
    report: Report
    clock: Callable[[], float]
    ledger: Ledger = field(default_factory=Ledger)
    state: Mapping[str, Any] = field(default_factory=dict)
    """The newest STATE that came."""
    overflow: Overflow = field(default_factory=Overflow)

    def __post_init__(self) -> None:
        self.memory = Memory(self.settings.max_memory_mb)

    def bookmark(self, stream: str) -> Any:
        """Return what the newest STATE says about a stream, or None."""
        bookmarks = self.state.get("bookmarks")
        return bookmarks.get(stream) if isinstance(bookmarks, dict) else None
