"""The one stream class of all REST sources: a row in singer-sdk's clothes.

Takes a row and its catalog entry; gives rows and checkpoints. Refuses a replication key that the row does not know.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import MetadataMapping

from singerkit.errors import SettingsError
from singerkit.rest import bookmarks, fanout, progress
from singerkit.rest.endpoint import ReadCall
from singerkit.rest.fanout import Context, Families, FamilyState
from singerkit.rest.lanes import in_order
from singerkit.rest.output import MappedRowValues, RowFiles, RowLines, Rows
from singerkit.rest.reading import ENOUGH, Piece, Reading
from singerkit.rest.shape import Shaper
from singerkit.rest.walk import StopStreamError
from singerkit.stream import ArrowStream, Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.client import Client
    from singerkit.rest.endpoint import Endpoint
    from singerkit.rest.progress import Progress
    from singerkit.rest.tap import RestTap

logger = logging.getLogger("singerkit.rest")

_SHARE_OF_PARENTS = 20  # a STATE holds all parents: one for each 5 % of them keeps its traffic linear


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
        self.sender = self._tap.client.for_stream()
        left = self.config.get("max_rows")
        for item in self._items(version):
            if isinstance(item, Rows) and left is not None:
                if item.num_rows > left:
                    yield item.slice(0, left)
                    raise StopStreamError(ENOUGH)
                left -= item.num_rows
            yield item

    def cancel(self) -> None:
        """End every wait of this stream's requests."""
        if self.sender is not None:
            self.sender.stop()

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002  # singer-sdk's signature
        """Yield rows as dictionaries, for code that asks singer-sdk's way; `sync` does not."""
        for item in self.read(None if self.replication_key else 0):
            if isinstance(item, Rows):
                yield from (dict(row) for row in item.values)

    def _items(self, version: int | None) -> Iterator[Rows | Checkpoint]:
        before = dict(self.stream_state)
        mark = self._bookmark() if version is None else None
        walks = self._families(before, mark, version) if self.endpoint.parents else self._alone(before, mark, version)
        try:
            yield from walks
        finally:
            counts = {"requests": self.sender.sent if self.sender else 0}
            self._tap.report.add(self.name, **counts)

    def _alone(self, before: Mapping[str, Any], mark: Bookmark | None, version: int | None) -> Iterator[Any]:
        load = before.get("full_load", {}) if version is not None else {}
        steps = self._progress(mark, before, load.get("resume"))
        reading = replace(self._reading(Context(), mark), most=self.config.get("max_rows"))
        walk = partial(reading.pieces, steps)
        for pieces in in_order([self._pieces_of(walk, mark, before)], 1, self._look):
            for piece in pieces:
                if piece.rows:
                    yield Rows(piece.rows)
                yield self._checkpoint(piece.state, version)

    def _families(self, before: Mapping[str, Any], mark: Bookmark | None, version: int | None) -> Iterator[Any]:
        now = self._tap.now
        load = before.get("full_load", {}) if version is not None else before
        family = FamilyState(load, mark, self._tap.source.parents_with_bookmark, now)
        bounded, contexts = self._contexts(family)
        ahead: deque[Context] = deque()
        walks = (self._family_walk(context, family, mark, ahead) for context in contexts)
        told, every = 0, self._tap.source.concurrency
        for place, pieces in enumerate(in_order(walks, every, self._look)):
            for piece in pieces:
                if piece.rows:
                    yield Rows(piece.rows)
                if piece.final:
                    family.done(ahead.popleft(), piece.state)
            if place - told >= len(family.known) / _SHARE_OF_PARENTS:
                told = place
                yield self._checkpoint(family.state(), version)
        yield self._checkpoint(family.finished(pruned=not bounded), version)

    def _contexts(self, family: FamilyState) -> tuple[bool, Iterable[Context]]:
        """Return the contexts still to be walked, and whether some parents were left out."""
        assert self.sender is not None  # noqa: S101  # set by read
        tap, parent = self._tap, self.endpoint.parents[0]
        families = Families(self.sender, tap.source, tap.rows, tap.values, self._look)
        since = fanout.bound_since(parent, tap.rows[parent.stream], family.bound, tap.now)
        contexts = families.contexts(self.endpoint, since)
        if family.after is None:
            return since is not None, contexts
        rest, resumed = fanout.skipped(contexts, family.after)
        return since is not None or resumed, rest

    def _family_walk(
        self, context: Context, family: FamilyState, mark: Bookmark | None, ahead: deque[Context]
    ) -> Callable[[], Iterator[Piece]]:
        ahead.append(context)
        before = family.of(context.key)
        walk = partial(self._reading(context, mark).pieces, self._progress(mark, before, None))
        return self._pieces_of(walk, mark, before, context)

    def _reading(self, context: Context, mark: Bookmark | None) -> Reading:
        assert self.sender is not None  # noqa: S101  # set by read
        tap = self._tap
        columns = [name for name in self.schema["properties"] if self.mask["properties", name]]
        shaper = Shaper(self.endpoint, columns)
        values = {**tap.values, **context.params}
        return Reading(self.sender, tap.source, self.endpoint, shaper, mark, values, context.columns)

    def _progress(self, mark: Bookmark | None, before: Mapping[str, Any], resume: Any) -> Progress:
        if mark is None:
            return progress.Full(self.name, resume)
        window = self.endpoint.window.days if self.endpoint.window else None
        return progress.begin(progress.Marks(mark, before, self.name, self._tap.now, self._tap.start_date), window)

    def _pieces_of(
        self,
        walk: Callable[[], Iterator[Piece]],
        mark: Bookmark | None,
        before: Mapping[str, Any],
        context: Context | None = None,
    ) -> Callable[[], Iterator[Piece]]:
        """Return the walk, or the row's own function where it has one."""
        if self.endpoint.read is None:
            return walk
        return partial(self._own_read, mark, before, context or Context())

    def _own_read(self, mark: Bookmark | None, before: Mapping[str, Any], context: Context) -> Iterator[Piece]:
        """Read by a function of reads.py: its rows have no promised order, so that the bookmark moves at the end."""
        from singerkit.arrow.tables import gathered

        assert self.sender is not None  # noqa: S101  # set by read
        module, _, name = (self.endpoint.read or "").partition(":")
        function = getattr(importlib.import_module(module), name)
        steps = self._progress(progress.without_order(mark) if mark else None, before, None)
        reading = self._reading(context, mark)
        for span in steps.spans():
            call = ReadCall(self.endpoint, self.sender.send, span.since, context.params, self._tap.values)
            for records in gathered(function(call)):
                rows = reading.shaper.rows(records, context.columns)
                steps.saw(bookmarks.seen(mark, rows, self.name) if mark else bookmarks.Seen(), None)
                yield Piece(rows, steps.state())
        yield Piece((), steps.finished(), final=True)

    def _look(self) -> None:
        if self.sender is not None:
            self.sender.look()

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
            return Checkpoint(state)
        if not state:
            return Checkpoint({"full_load": {"version": version}})
        load = {"version": version, **state, "fingerprint": self.fingerprint(), "at": self._tap.now.isoformat()}
        secret = self._tap.redact(str(state)) != str(state)  # some vendors put a token into their next address
        return Checkpoint({"full_load": {"version": version} if secret else load})

    def fingerprint(self) -> str:
        """Return what a resumed load must agree in: the first request, with the settings in it."""
        values = {**self._tap.values, **{name: "" for parent in self.endpoint.parents for name in parent.params}}
        nobody = Reading(self._tap.client, self._tap.source, self.endpoint, Shaper(self.endpoint), None, values)
        return nobody.request(progress.Span()).fingerprint()

    def can_resume(self, load: Mapping[str, Any]) -> bool:
        """A full load goes on where it was cut, if the place is young and the settings are the same."""
        at = load.get("at")
        if not isinstance(at, str) or load.get("fingerprint") != self.fingerprint():
            return False
        return self._tap.now - datetime.fromisoformat(at) < timedelta(hours=self._tap.source.resume_hours)

    # -- writing ---------------------------------------------------------------------------------------------------

    def sync(self, context: Mapping[str, Any] | None = None) -> None:  # type: ignore[misc]  # see ArrowStream.sync
        """Send everything of this run; a stream that a rule or `max_rows` ends early is no failure."""
        try:
            super().sync(context)
        except StopStreamError as stop:
            logger.warning("stopped early stream=%s why=%r", self.name, str(stop))
            self._write_state()

    def _full_load(self, counter: Any) -> None:
        """What the vendor forgets must stay in the table: such a load is merged, not swapped in."""
        if self.endpoint.vendor_keeps is None:
            super()._full_load(counter)
            return
        load = self.stream_state.get("full_load")
        version = load["version"] if load and self.can_resume(load) else int(time.time() * 1000)
        if not load or load["version"] != version:
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
        from singerkit.arrow.tables import arrow_schema

        schema = arrow_schema(self.selected_schema)
        rows, size = self.config["batch_size_rows"], self.config["batch_size_bytes"]
        return RowFiles(self.name, self._tap.batch_writer(self.name, schema), full_rows=rows, full_bytes=size)

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
