"""Batches of one stream to their loader, beside the reading of input; what became of them to the ledger and the report.

Takes loaders and batches; gives jobs to the worker. A job's error ends the run, said in our words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_delta.batches import delete
from target_delta.full_load import Stager
from target_delta.loaders import Loader, SoFar
from target_delta.wall import store_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_delta.batch import Batch
    from target_delta.past import Past
    from target_delta.plan import Change
    from target_delta.run import Run


class Writing:
    """Writes what one stream hands over, in that order."""

    def __init__(self, run: Run, stream: str, source: str, uri: str) -> None:
        self.run, self.stream, self.source, self.uri = run, stream, source, uri
        self.settled_at: float | None = None
        """When the last batch was made safe, or None before the first."""
        self.past: Past | None = None
        """The history of the table, which follows each of its commits before a STATE does."""

    def ahead(self, loader: Loader, batch: Batch) -> None:
        """Write the rows that a batch has so far; nobody sees them before the batch is settled."""
        pieces = batch.take()

        def job() -> None:
            for rows in pieces:
                loader.write(rows)

        self.do(job)

    def settle(self, loader: Loader, batch: Batch) -> None:
        """Write the rest of a batch and make all of it safe; what STATE says now is what was said of it."""
        pieces, bookmark = batch.take(), self.run.bookmark(self.source)
        left, past = bool(self.run.ledger.left(self.source)), None if isinstance(loader, Stager) else self.past

        def job() -> tuple[Change, Change | None]:
            for rows in pieces:
                loader.write(rows)
            change = loader.settle(SoFar(bookmark, batch.progress, batch.marks, left=left))
            return change, None if past is None else past.follow()

        self._submit(job, lambda changes: self._settled(loader, batch, *changes))

    def swap(self, stager: Stager, upto: int) -> None:
        """Put a full load in the place of the table's rows, which are safe up to this one then."""
        bookmark, past = self.run.bookmark(self.source), self.past

        def job() -> tuple[Change, Change | None]:
            change = stager.complete(bookmark)
            return change, None if past is None else past.follow()

        self._submit(job, lambda changes: self._swapped(upto, *changes))
        self.run.ledger.swap(self.stream)

    def follow(self) -> None:
        """Bring the history up to what a run before left in the table alone."""
        if self.past is not None:
            self._submit(self.past.follow, self._remembered)

    def do(self, job: Callable[[], Any]) -> None:
        """Do something else after what was handed over."""
        self._submit(job, lambda _: None)

    def _submit(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def walled() -> Any:
            with store_errors(self.stream, self.uri):
                return job()

        self.run.worker.submit(walled, then)

    def _settled(self, loader: Loader, batch: Batch, change: Change, remembered: Change | None) -> None:
        if isinstance(loader, Stager):
            self.run.ledger.staged(self.stream, batch.received)
        else:
            self.run.ledger.durable(self.stream, batch.received)
        self.settled_at = self.run.clock()
        self._count(self.stream, change)
        self._remembered(remembered)
        for message in batch.consumed:
            delete(message, self.run.settings.storage_options)

    def _swapped(self, upto: int, change: Change, remembered: Change | None) -> None:
        self.run.ledger.durable(self.stream, upto)
        self.run.ledger.free(self.stream)
        self._count(self.stream, change)
        self._remembered(remembered)

    def _remembered(self, change: Change | None) -> None:
        if self.past is not None and change is not None and change.adds:
            self._count(self.past.committer.table.stream, change)

    def _count(self, stream: str, change: Change) -> None:
        size = sum(file.size for file in change.adds)
        self.run.report.add(
            stream,
            inserted=change.inserted, updated=change.updated, deleted=change.deleted,
            files=len(change.adds), bytes=size, commits=int(bool(change.adds or change.replaces)),
        )  # fmt: skip
