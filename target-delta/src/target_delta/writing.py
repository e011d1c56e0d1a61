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
    from target_delta.plan import Change
    from target_delta.run import Run


class Writing:
    """Writes what one stream hands over, in that order."""

    def __init__(self, run: Run, stream: str, source: str, uri: str) -> None:
        self.run, self.stream, self.source, self.uri = run, stream, source, uri
        self.settled_at: float | None = None
        """When the last batch was made safe, or None before the first."""

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
        left = bool(self.run.ledger.left(self.source))

        def job() -> Change:
            for rows in pieces:
                loader.write(rows)
            return loader.settle(SoFar(bookmark, batch.progress, batch.marks, left=left))

        self._submit(job, lambda change: self._settled(loader, batch, change))

    def swap(self, stager: Stager, upto: int) -> None:
        """Put a full load in the place of the table's rows, which are safe up to this one then."""
        bookmark = self.run.bookmark(self.source)
        self._submit(lambda: stager.complete(bookmark), lambda change: self._swapped(upto, change))
        self.run.ledger.swap(self.stream)

    def do(self, job: Callable[[], Any]) -> None:
        """Do something else after what was handed over."""
        self._submit(job, lambda _: None)

    def _submit(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def walled() -> Any:
            with store_errors(self.stream, self.uri):
                return job()

        self.run.worker.submit(walled, then)

    def _settled(self, loader: Loader, batch: Batch, change: Change) -> None:
        if isinstance(loader, Stager):
            self.run.ledger.staged(self.stream, batch.received)
        else:
            self.run.ledger.durable(self.stream, batch.received)
        self.settled_at = self.run.clock()
        self._count(change)
        for message in batch.consumed:
            delete(message, self.run.settings.storage_options)

    def _swapped(self, upto: int, change: Change) -> None:
        self.run.ledger.durable(self.stream, upto)
        self.run.ledger.free(self.stream)
        self._count(change)

    def _count(self, change: Change) -> None:
        size = sum(file.size for file in change.adds)
        self.run.report.add(
            self.stream,
            inserted=change.inserted, updated=change.updated, deleted=change.deleted,
            files=len(change.adds), bytes=size, commits=int(bool(change.adds or change.replaces)),
        )  # fmt: skip
