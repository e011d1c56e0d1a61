"""What all streams of one run share: its settings, its clock, its ledger, and the newest STATE that came.

Takes what the shell made; gives it to the rooms. Refuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_delta.ledger import Ledger
from target_delta.memory import Memory
from target_delta.names import Folders, folder_address
from target_delta.overflow import Overflow
from target_delta.proof import prove
from target_delta.store import Store
from target_delta.wall import store_errors

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
        self._folders = Folders()
        self._is_proven = False

    def store_of(self, stream: str) -> Store:
        """Return where the table of a stream lies, which no other stream of the run shares."""
        folder = self._folders.take(stream, self.settings.folder_of(stream))
        depth = folder.count("/") + 1
        return Store(folder_address(self.settings.path, folder), self.settings.storage_options, depth=depth)

    def prove_store(self, stream: str) -> None:
        """See once in a run, before anything is written, that the store is one that loses no commit."""
        if not self._is_proven:
            chosen = self.settings
            with store_errors(stream, chosen.path):
                prove(chosen.path, chosen.storage_options, single_writer=chosen.single_writer)
        self._is_proven = True

    def bookmark(self, stream: str) -> Any:
        """Return what the newest STATE says about a stream, or None."""
        bookmarks = self.state.get("bookmarks")
        return bookmarks.get(stream) if isinstance(bookmarks, dict) else None
