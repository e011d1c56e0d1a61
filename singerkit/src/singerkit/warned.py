"""Warnings of a run by their kind: a sample of each and the true total; a storm of one kind does not fill the log.

Takes log records; gives samples and counts. Refuses to keep every one: a run may warn a million times.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from singerkit.settings.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KINDS = 100
"""So many kinds are told apart; those after them are one kind."""
SHOWN = 10
"""So many of a kind are in the log; the others are counted."""
_OTHERS = "warnings of further kinds"
_SAMPLE = 500  # letters of a sample


@dataclass
class _Kind:
    sample: str
    count: int = 0


class Warned(logging.Filter):
    """A filter of log handlers that counts warnings; what is a warning and comes often does not pass."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Count a warning by its text without its facts; let it pass while its kind is rare."""
        if record.levelno != logging.WARNING:
            return True
        known = getattr(record, "singerkit_kind", None)
        if known is None:  # the same record comes to each handler
            known = self._kind(record)
            known.count += 1
            record.singerkit_kind = known
        return bool(known.count <= SHOWN)

    def counts(self) -> Sequence[tuple[str, int]]:
        """Return a sample of each kind with how often it came, in the order of their first coming."""
        return [(kind.sample, kind.count) for kind in self._kinds.values()]

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Filter what the root logger's handlers say, inside the block."""
        handlers = [*logging.getLogger().handlers]
        for handler in handlers:
            handler.addFilter(self)
        try:
            yield
        finally:
            for handler in handlers:
                handler.removeFilter(self)

    def _kind(self, record: logging.LogRecord) -> _Kind:
        key = (record.name, str(record.msg))
        if key not in self._kinds and len(self._kinds) >= KINDS:
            key = ("", _OTHERS)
        if key not in self._kinds:
            text = redacted(record.getMessage()) if key[0] else _OTHERS  # before it is cut
            self._kinds[key] = _Kind(text[:_SAMPLE])
        return self._kinds[key]
