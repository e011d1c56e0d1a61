"""The spool as rows of the tap's streams: the newest version of each record, and how far a STATE covers the deliveries.

Takes a spool and the STATE that a run began with; gives batches of rows. Refuses to forget a delivery before the STATE
that covers it has come back.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit.webhooks.events import latest
from singerkit.webhooks.spool import event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from singerkit.webhooks.events import Hooks
    from singerkit.webhooks.spool import Spool

logger = logging.getLogger("singerkit.webhooks")

THROUGH = "webhooks"
"""Where a stream's bookmark holds the place of the newest delivery that is among its rows."""
_AT_ONCE = 5000  # deliveries whose versions are compared with each other


def _is_named(stream: str, row: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Return whether a record has its keys; one without them is nobody's row, and would end every run that meets it."""
    missing = [name for name in keys if row.get(name) is None]
    if missing:
        logger.warning("passed over a delivery without its key stream=%s key=%s", stream, missing[0])
    return not missing


@dataclass(frozen=True)
class Drain:
    """What a run does with its spool."""

    spool: Spool
    hooks: Hooks
    wants: Callable[[Any], bool] = lambda body: True  # noqa: ARG005  # a tap whose settings choose says better
    """Whether the settings choose what a delivery is about: a vendor may send more than that."""

    def rows(
        self, stream: str, keys: Sequence[str], versions: Sequence[str], after: str
    ) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """Yield rows of a stream from the deliveries after a place, each time with the place that they reach."""
        places = (one for one in self.spool.places(after) if stream in self.hooks.streams(event_of(one)))
        while batch := list(itertools.islice(places, _AT_ONCE)):
            wanted = (one for one in self.spool.read(batch) if self.wants(one.body))
            found = self.hooks.rows(stream, wanted)
            yield latest((row for row in found if _is_named(stream, row, keys)), keys, versions), batch[-1]

    def forget(self, bookmarks: Mapping[str, Any], reading: Collection[str]) -> int:
        """Remove the deliveries that the STATE covers for each stream that is read, and return how many."""
        reached = {stream: str((bookmarks.get(stream) or {}).get(THROUGH, "")) for stream in reading}
        covered = []
        for place in self.spool.places():
            concerned = self.hooks.streams(event_of(place)) & reached.keys()
            if all(place <= reached[stream] for stream in concerned):
                covered.append(place)
        self.spool.remove(covered)
        return len(covered)
