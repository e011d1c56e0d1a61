"""Several connections that read one table side by side, all of them in one exported snapshot.

Takes SELECTs; gives batches as they come, each with its place, and None after the last of each. At most two batches a
connection wait in memory. An error of one ends them all.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any

from tap_postgres.connect import BulkReader, catalog_connection, parameters
from tap_postgres.failures import translated

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import pyarrow as pa

    from singerkit.connect.route import Route
    from tap_postgres.settings import Settings

    Items = queue.Queue[tuple[int, pa.RecordBatch | None, BaseException | None]]
JOIN_S = 5.0
LOOK_EVERY_S = 0.5


class Readers:
    """Connections in one snapshot, opened when they are needed."""

    def __init__(self, settings: Settings, route: Route | None, snapshot: str) -> None:
        self.snapshot = snapshot
        self._settings, self._route = settings, route
        self._readers: list[BulkReader] = []
        self._stopped = threading.Event()

    @property
    def first(self) -> BulkReader:
        """A connection for whoever needs one alone."""
        return self._at_least(1)[0]

    def side_by_side(
        self, queries: Sequence[str], stream: str
    ) -> Generator[tuple[int, pa.RecordBatch | None], None, None]:
        """Yield the batches of all queries as they come, with the place of the query, and None after its last."""
        count = min(self._settings.snapshot_workers, len(queries))
        items: Items = queue.Queue(2 * count)
        todo = queue.SimpleQueue[int]()
        for place in range(len(queries)):
            todo.put(place)
        self._stopped = stopped = threading.Event()
        threads = [
            threading.Thread(target=_work, args=(reader, queries, stream, todo, items, stopped), daemon=True)
            for reader in self._at_least(count)
        ]
        for thread in threads:
            thread.start()
        try:
            left = len(queries)
            while left and not stopped.is_set():
                with contextlib.suppress(queue.Empty):
                    place, batch, error = items.get(timeout=LOOK_EVERY_S)
                    if error is not None:
                        raise error
                    left -= batch is None
                    yield place, batch
        finally:
            self._end(threads, items)

    def cancel(self) -> None:
        """Ask the server to stop all queries at hand; called from another thread."""
        self._stopped.set()
        for reader in self._readers:
            reader.cancel()

    def close(self) -> None:
        """Close all connections."""
        for reader in self._readers:
            reader.close()

    def _end(self, threads: Sequence[threading.Thread], items: Items) -> None:
        self._stopped.set()
        for thread, reader in zip(threads, self._readers, strict=False):
            if thread.is_alive():
                reader.cancel()
        for thread in threads:
            while thread.is_alive() and not items.empty():
                items.get()
            thread.join(JOIN_S)

    def _at_least(self, count: int) -> list[BulkReader]:
        while len(self._readers) < count:
            self._readers.append(BulkReader(self._settings, self._route, self.snapshot))
        return self._readers[:count]


@contextlib.contextmanager
def one_snapshot(settings: Settings, route: Route | None) -> Iterator[Readers]:
    """Export a snapshot for as long as the block lasts, and yield readers in it."""
    with catalog_connection(settings, route) as connection, translated(parameters(settings)):
        with connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            row: Any = cursor.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        readers = Readers(settings, route, str(row[0]))
        try:
            yield readers
        finally:
            readers.close()


def _work(
    reader: BulkReader,
    queries: Sequence[str],
    stream: str,
    todo: queue.SimpleQueue[int],
    items: Items,
    stopped: threading.Event,
) -> None:
    """Read query after query until none is left; what goes wrong is handed over."""
    try:
        while True:
            try:
                place = todo.get_nowait()
            except queue.Empty:
                return
            with contextlib.closing(reader.batches(queries[place], stream)) as batches:
                for batch in batches:
                    if not _put(items, (place, batch, None), stopped):
                        return
            _put(items, (place, None, None), stopped)
    except BaseException as error:  # noqa: BLE001  # raised again in the thread that reads the queue
        _put(items, (-1, None, error), stopped)


def _put(items: Items, item: tuple[int, Any, BaseException | None], stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            items.put(item, timeout=LOOK_EVERY_S)
        except queue.Full:
            continue
        return True
    return False
