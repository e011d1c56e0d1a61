"""The one stream class of all REST sources: a row in singer-sdk's clothes.

Takes a row and its catalog entry; gives rows and checkpoints. Refuses a replication key that the row does not know.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import MetadataMapping

from singerkit.account import SOURCE
from singerkit.errors import SettingsError
from singerkit.output import Files
from singerkit.rest import bookmarks, held
from singerkit.rest.family import PlaceLostError
from singerkit.rest.output import MappedRowValues, RowLines, Rows
from singerkit.rest.reader import Reader, is_young
from singerkit.rest.shape import Shaper
from singerkit.stream import ArrowStream, Checkpoint
from singerkit.webhooks.drain import THROUGH

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.client import Client, Counts
    from singerkit.rest.endpoint import Endpoint
    from singerkit.rest.tap import RestTap
    from singerkit.webhooks.drain import Drain

logger = logging.getLogger("singerkit.rest")

_BOOKMARKS = {"replication_key_value", "parents", "global", "changed"}
"""Where a STATE holds how far an incremental stream came."""


class RestStream(ArrowStream):
    """A stream that one row describes."""

    _tap: RestTap

    def __init__(self, tap: RestTap, endpoint: Endpoint, schema: dict[str, Any]) -> None:
        self.endpoint = endpoint
        self.selected_by_default = endpoint.selected
        self.sender: Client | None = None
        super().__init__(tap, schema=schema, name=endpoint.name)
        self.primary_keys = endpoint.keys
        self.replication_key = endpoint.bookmarks[0].field if endpoint.bookmarks else None

    @property
    def metadata(self) -> MetadataMapping:
        """The catalog's metadata; without a catalog, all bookmarks of the row may be chosen."""
        if self._metadata is None and not self._tap_input_catalog:
            self._metadata = MetadataMapping.get_standard_metadata(
                schema=self.schema,
                replication_method=self.forced_replication_method,
                key_properties=list(self.primary_keys),
                valid_replication_keys=[mark.field for mark in self.endpoint.bookmarks] or None,
                selected_by_default=self.selected_by_default,
            )
            self._metadata.root.selected = self.selected_by_default
        return super().metadata

    # -- reading: in a thread of its own ---------------------------------------------------------------------------

    def read(self, version: int | None) -> Generator[Any, None, None]:
        """Yield rows and checkpoints until all is read, or `max_rows` are."""
        state = dict(self.stream_state)
        before = state if version is None else state.get("full_load", {})
        held.check(before, self.name)
        drained: dict[str, Any] = {}
        if version is None and self._tap.drain is not None:
            drained = yield from self._delivered(self._tap.drain, state)
        self.sender = self._tap.client.for_stream()
        mark = self._bookmark() if version is None else None
        rows, told = 0, before
        for item in self._reader(mark, before).items():
            if isinstance(item, Rows):
                rows += item.num_rows
                yield item
            else:
                told = item
                yield self._checkpoint({**item, **drained}, version)
        if mark is not None and rows and not _BOOKMARKS & told.keys():
            why = "no record has its bookmark, so the next run reads all of them again"
            logger.warning("%s stream=%s field=%s", why, self.name, mark.field)

    def _delivered(self, drain: Drain, state: dict[str, Any]) -> Generator[Any, None, dict[str, Any]]:
        """Yield what webhooks brought, before the source is asked, which is newer; return the place reached."""
        place = {THROUGH: state.pop(THROUGH, "")}
        shaper = Shaper(self.endpoint, [name for name in self.schema["properties"] if self.mask["properties", name]])
        for rows, reached in drain.rows(self.name, self.primary_keys, self.endpoint.version_keys, place[THROUGH]):
            place = {THROUGH: reached}
            yield Rows(shaper.opened(rows, {}) if self.endpoint.inside else shaper.rows(rows, {}))
            yield Checkpoint({**state, **place})
        return place if place[THROUGH] else {}

    def _count(self, counts: Counts) -> None:
        """Report what was sent; the time that was waited for quota and repeats is not the source's own."""
        self._tap.report.add(self.name, **asdict(counts))
        waited = min(counts.waiting_s, self._tap.report.spent(SOURCE, self.name))
        self._tap.report.took("quota and repeats", waited, self.name)
        self._tap.report.took(SOURCE, -waited, self.name)

    def cancel(self) -> None:
        """End every wait of this stream's requests."""
        if self.sender is not None:
            self.sender.stop()

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002  # singer-sdk's
        """Yield rows as dictionaries, for code that asks singer-sdk's way; `sync` does not."""
        for item in self.read(None if self.replication_key else 0):
            if isinstance(item, Rows):
                yield from (dict(row) for row in item.values)

    def probe(self) -> str:
        """Ask for one record; the first of the parents that lead to it is asked for once for all children."""
        return self._tap.lookout.first(self.endpoint)

    def rows_to_sync(self) -> int | None:
        """Ask the server for its total, where its row says that it gives one and the number is worth a request.

        It is where rows are limited, and where a person looks on.
        """
        if not (self._tap.config.get("max_rows") or self._tap.account.is_watched):
            return None
        mark = self._bookmark() if self.replication_method == "INCREMENTAL" else None
        return self._tap.lookout.total(self.endpoint, mark, self.stream_state)

    def sample(self, limit: int) -> Iterator[Mapping[str, Any]]:
        """Yield the first records, from pages that are no longer than that."""
        return self._tap.lookout.rows(self.endpoint, limit)

    def moment(self, bookmark: Any) -> datetime | None:
        """Return the time that a bookmark is, in the form that the row says it has."""
        mark = self.endpoint.bookmark(self.replication_key or "")
        try:
            value = None if mark is None else bookmarks.comparable(mark.type, bookmark)
        except ValueError:  # a value of another type has no place in time
            return None
        return value if isinstance(value, datetime) else None

    def _reader(self, mark: Bookmark | None, before: Mapping[str, Any]) -> Reader:
        columns = [name for name in self.schema["properties"] if self.mask["properties", name]]
        return Reader(self._tap.run_of(self.sender or self._tap.client), self.endpoint, columns, mark, before)

    # -- bookmarks -------------------------------------------------------------------------------------------------

    def _bookmark(self) -> Bookmark:
        """Return the bookmark that the catalog chose; only the row's own are understood."""
        mark = self.endpoint.bookmark(self.replication_key or "")
        if mark is None or self.replication_method != "INCREMENTAL":
            known = ", ".join(mark.field for mark in self.endpoint.bookmarks) or "none"
            raise SettingsError(
                f"the catalog asks for {self.replication_method} by {self.replication_key}",
                stream=self.name,
                known=known,
                remedy="choose one of the known replication keys, or FULL_TABLE",
            )
        return mark

    def _checkpoint(self, state: Mapping[str, Any], version: int | None) -> Checkpoint:
        if version is None:
            halves = {key: self._without_secret(half) for key, half in state.get("halves", {}).items()}
            return Checkpoint(self._without_secret(state) | ({"halves": halves} if halves else {}))
        if not state:
            return Checkpoint({"full_load": {"version": version}})
        load = {"version": version, **state, "fingerprint": self.fingerprint, "at": self._tap.now.isoformat()}
        return Checkpoint({"full_load": load if self._without_secret(state) == state else {"version": version}})

    def _without_secret(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a walk's STATE without a place that holds a secret: some vendors put one into their next address."""
        place = str(state.get("resume", ""))
        return {name: one for name, one in state.items() if name != "resume" or self._tap.redact(place) == place}

    @cached_property
    def fingerprint(self) -> str:
        """What a full load that goes on must agree in with the run that was cut."""
        return self._reader(None, {}).fingerprint

    def can_resume(self, load: Mapping[str, Any]) -> bool:
        """A full load goes on where it was cut, if the place is young, and rows, columns and settings are the same."""
        same = load.get("fingerprint") == self.fingerprint
        return same and is_young(load.get("at"), self._tap.source.resume_hours, self._tap.now)

    # -- writing ---------------------------------------------------------------------------------------------------

    def sync(self, context: Mapping[str, Any] | None = None) -> None:  # type: ignore[misc]  # see ArrowStream.sync
        """Send everything of this run; a place that the vendor has forgotten leaves the STATE."""
        try:
            super().sync(context)
        except SettingsError:
            self._write_state()  # it is not to be tried again
            raise
        finally:
            if self.sender is not None:
                self._count(self.sender.counts)

    def _full_load(self, counter: Any) -> None:
        """Go on with a load that was cut, or begin one; where its place turns out to be lost, one that begins anew."""
        try:
            self._load(counter)
        except PlaceLostError:
            self.stream_state.pop("full_load", None)
            self._load(counter)

    def _load(self, counter: Any) -> None:
        """What the vendor forgets must stay in the table: such a load is merged, not swapped in."""
        if self.endpoint.vendor_keeps is None:
            super()._full_load(counter)
            return
        version = self._resumed_version() or int(time.time() * 1000)
        if version != self._resumed_version():
            self.stream_state["full_load"] = {"version": version}
        self._move(version, counter)
        self.stream_state.pop("full_load", None)

    def _output(self) -> Any:
        first, *others = self.stream_maps
        every = self._tap.state_every_s
        if others or not isinstance(first, SameRecordTransform) or first.flattening_enabled:
            return MappedRowValues(self.name, every, self._write_record_message)
        if self.config.get("output") != "batch":
            return RowLines(self.name, every)
        rows, size = self.config["batch_size_rows"], self.config["batch_size_bytes"]
        return Files(self.name, self._tap.lines_writer(self.name), full_rows=rows, full_bytes=size)

    def _advance(self, waiting: deque[tuple[int, Mapping[str, Any]]], output: Any) -> None:
        """Let STATE be what the newest checkpoint says whose rows have all been told: nothing of an older one stays."""
        reached = None
        while waiting and waiting[0][0] <= output.told:
            reached = waiting.popleft()[1]
        if reached is not None:
            self.stream_state.clear()
            self.stream_state.update(reached)
            if time.monotonic() - self._state_written_s >= output.state_every_s:
                self._write_state()
