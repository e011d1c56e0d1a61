"""A stream of Arrow batches in singer-sdk's clothes: its catalog, selection, maps and STATE, but no dictionary a row.

Takes what `read` yields: batches, and checkpoints that say how far STATE may go. Gives SCHEMA, rows, STATE, and for a
full load ACTIVATE_VERSION at both ends. Refuses a STATE that is ahead of the rows told.
"""

from __future__ import annotations

import abc
import datetime as dt
import itertools
import time
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import Schema

from singerkit.ahead import ReadAhead
from singerkit.checks.guards import CappedError, EarlyEndError
from singerkit.errors import SettingsError
from singerkit.output import Lines, MappedRows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from singer_sdk.singerlib import CatalogEntry, SelectionMask

    from singerkit.checks.survey import Survey
    from singerkit.output import Output
    from singerkit.tap import ArrowTap

RESUME_WITHIN_MS = 86_400_000
"""A full load that was cut short longer ago than a day starts anew: its first rows are too old to be of use."""


@dataclass(frozen=True)
class Checkpoint:
    """All rows yielded before it are complete: `state` may then be what STATE says of the stream.

    `close` asks for the rows to be told at once, so that what STATE says and what the reader has are the same.
    """

    state: Mapping[str, Any]
    close: bool = False


class ArrowStream(Stream, abc.ABC):
    """A stream that reads Arrow batches; its schema is the tap's own, the catalog chooses among its columns."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # batches are conformed once, as columns
    _tap: ArrowTap
    _state_written_s = float("-inf")

    @abc.abstractmethod
    def read(self, version: int | None) -> Generator[pa.RecordBatch | Checkpoint, None, None]:
        """Yield the rows of this run, in a thread of its own; `version` numbers a full load, None is incremental."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Make a `read` that is blocked return early; called from another thread."""

    def open_output(self) -> Output:
        """Return where plain batches go; a tap that can write files chooses here."""
        return Lines(self.name)

    # -- looking before a sync ------------------------------------------------------------------------------------

    def sample(self, limit: int) -> Iterator[Mapping[str, Any]]:
        """Yield the first rows, as their RECORD lines would hold them; a source that can be asked for few is."""
        from singerkit.output import rows_of

        batches = (item for item in self.read(0) if not isinstance(item, Checkpoint))
        return itertools.islice((row for batch in batches for row in rows_of(self.name, batch)), limit)

    def probe(self) -> str:
        """Read the least that shows that the stream can be read; return a remark, or nothing, or raise what is wrong.

        Called from several threads at once, for a stream each.
        """
        return "" if next(self.sample(1), None) is not None else "there are no rows yet"

    @cached_property
    def expected(self) -> int | None:
        """How many rows this run would read, asked for once."""
        return self.rows_to_sync()

    def rows_to_sync(self) -> int | None:
        """Return how many rows this run would read, as the source itself expects, or None where it cannot say."""
        return None

    def duplicates(self) -> Sequence[str] | None:
        """Return keys that name more than one row, a few of them; None where nobody can say before all is read."""
        return None

    def remarks(self) -> Sequence[str]:
        """Return what a person should know of the stream before a first sync."""
        return [str(remark) for remark in self.schema.get("x-warnings", ())]

    def survey(self) -> Survey:
        """Read everything, and return what its keys and bookmarks are like."""
        from singerkit.checks.survey import survey

        now = dt.datetime.now(dt.UTC)
        return survey(self.get_records(None), self.primary_keys, self.replication_key, self.moment, now)

    def moment(self, bookmark: Any) -> dt.datetime | None:
        """Return the time that a bookmark is, as it stands in a RECORD, or None where it is another kind of value."""
        if not isinstance(bookmark, str):
            return None
        try:
            at = dt.datetime.fromisoformat(bookmark)
        except ValueError:
            return None
        return at if at.tzinfo else at.replace(tzinfo=dt.UTC)

    # -- what singer-sdk asks for ---------------------------------------------------------------------------------

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002  # its signature
        """Yield rows as dictionaries, for code that asks singer-sdk's way; `sync` does not."""
        from singerkit.output import rows_of

        for item in self.read(None if self.replication_key else 0):
            if not isinstance(item, Checkpoint):
                yield from rows_of(self.name, item)

    @property
    def mask(self) -> SelectionMask:
        """The selection, with keys and replication key always in it."""
        mask = super().mask
        for name in (*self.primary_keys, *filter(None, [self.replication_key])):
            mask["properties", name] = True
        return mask

    @property
    def selected_schema(self) -> dict[str, Any]:
        """The schema of the selected columns, with every word that singer-sdk's own catalog class would drop."""
        return get_selected_schema(self.name, self.schema, self.mask)

    @property
    def effective_schema(self) -> dict[str, Any]:
        """The source's schema: an edited copy in a catalog does not change what the rows are."""
        return self.schema

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never by singer-sdk, which sends the number once, at the start: see `sync`."""
        return False

    @property
    def _singer_catalog_entry(self) -> CatalogEntry:
        entry = super()._singer_catalog_entry
        entry.schema = VerbatimSchema(self.schema)
        return entry

    # -- one run --------------------------------------------------------------------------------------------------

    def sync(self, context: Mapping[str, Any] | None = None) -> None:  # type: ignore[misc]  # noqa: ARG002
        """Send everything of this run: singer-sdk's `sync` with batches in place of its record loop.

        Overridden although it is marked final: there is no other seam that leaves the error to the tap, in one line.
        """
        self.log("Beginning sync, stream=%s, method=%s", self.name, self.replication_method)
        full = self._is_full_load()
        if self.selected:
            self._write_schema_message()
        with self._tap.account.of(self), self.get_record_counter() as counter, self.get_sync_timer():
            try:
                if full:
                    self._full_load(counter)
                else:
                    self._move(None, counter)
            except EarlyEndError as end:
                self._tap.report.add(self.name, capped=int(isinstance(end, CappedError)))
                self.logger.warning("stopped early stream=%s why=%r", self.name, str(end))
            self._write_state()

    def _is_full_load(self) -> bool:
        method, key = self.replication_method, self.replication_key
        if method not in {"FULL_TABLE", "INCREMENTAL"}:
            remedy = "set it to FULL_TABLE or INCREMENTAL in the catalog"
            raise SettingsError(
                f"the replication method {method} is not one of this tap's", stream=self.name, remedy=remedy
            )
        if method == "INCREMENTAL" and not key:
            remedy = "set replication-key in the stream's metadata"
            raise SettingsError("INCREMENTAL needs a replication key", stream=self.name, remedy=remedy)
        return method == "FULL_TABLE"

    def _full_load(self, counter: Any) -> None:
        """Announce a full load at both ends, under a number that STATE keeps until the second announcement."""
        version = self._resumed_version() or int(time.time() * 1000)
        if version != self._resumed_version():
            self.stream_state["full_load"] = {"version": version}
        self._write_activate_version_message(version)
        self._write_state()
        self._move(version, counter)
        self._write_activate_version_message(version)
        self.stream_state.pop("full_load", None)

    def _resumed_version(self) -> int | None:
        """Return the number of a load that was cut short and can go on where it ended, or None."""
        load = self.stream_state.get("full_load")
        if not isinstance(load, dict) or not isinstance(load.get("version"), int) or not self.can_resume(load):
            return None
        return load["version"] if time.time() * 1000 - load["version"] < RESUME_WITHIN_MS else None

    def can_resume(self, load: Mapping[str, Any]) -> bool:  # noqa: ARG002  # for streams that can
        """Tell whether `read` can go on from this `full_load` of STATE; by default a full load starts anew."""
        return False

    def _move(self, version: int | None, counter: Any) -> None:
        """Move batches from `read` to the output; STATE follows only what has been told."""
        output = self._output()
        waiting: deque[tuple[int, Mapping[str, Any]]] = deque()
        account = self._tap.account
        try:
            with ReadAhead(self.read(version), cancel=self.cancel, look=account.look) as items:
                for item in account.timed(items, output):
                    if isinstance(item, Checkpoint):
                        waiting.append((output.rows, item.state))
                        if item.close:
                            output.finish()
                            self._state_written_s = float("-inf")  # a large step: STATE follows at once
                    else:
                        self._write(output, item)
                        counter.increment(item.num_rows)
                    self._advance(waiting, output)
            output.finish()
        except EarlyEndError:
            output.finish()
            self._advance(waiting, output)
            raise
        except BaseException:
            output.abandon()
            raise
        finally:
            account.moved(output)
        self._advance(waiting, output)

    def _output(self) -> Output:
        """Return the tap's own output, or singer-sdk's row by row where stream maps or flattening are set."""
        first, *others = self.stream_maps
        plain = isinstance(first, SameRecordTransform) and not first.flattening_enabled
        if plain and not others:
            return self.open_output()
        return MappedRows(self.name, self._write_record_message)

    def _write(self, output: Output, batch: pa.RecordBatch) -> None:
        """Write a batch, or the rows of it that a dry run still wants, which then ends as singer-sdk's does."""
        limit = self.ABORT_AT_RECORD_COUNT
        if limit is not None and output.rows + batch.num_rows > limit:
            output.write(batch.slice(0, limit - output.rows))
            output.finish()
            self._check_max_record_limit(current_record_index=limit)
        output.write(batch)

    def _advance(self, waiting: deque[tuple[int, Mapping[str, Any]]], output: Output) -> None:
        """Let STATE say what the newest checkpoint says whose rows have all been told."""
        reached = None
        while waiting and waiting[0][0] <= output.told:
            reached = waiting.popleft()[1]
        if reached is not None:
            self.stream_state.update(reached)
            if time.monotonic() - self._state_written_s >= output.state_every_s:
                self._write_state()

    def _write_state(self) -> None:
        _ = self.stream_state  # makes the entry, as singer-sdk does
        self._tap.state_writer.write_state(self.tap_state)
        self._state_written_s = time.monotonic()


class VerbatimSchema(Schema):
    """A JSON Schema that goes into the catalog word by word: singer-sdk's class keeps only words that it knows."""

    def __init__(self, words: dict[str, Any]) -> None:
        super().__init__(**{name: words[name] for name in ("type", "description") if name in words})
        self._words = words

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as it was given."""
        return self._words
