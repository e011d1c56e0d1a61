"""Messages to their streams, in an order that keeps every promise, and STATE to where it may go.

Takes runs of RECORD lines and single other lines; gives STATE values to `emit`. Refuses a message it does not know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from singerkit.errors import SafetyStopError, SettingsError
from target_delta.errors import RecordBeforeSchemaError
from target_delta.lines import Other, Records
from target_delta.quarantine import quarantine_name, quarantine_schema, quarantined
from target_delta.remembering import history_name
from target_delta.schema import stream_schema
from target_delta.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_delta.ledger import State
    from target_delta.mapping import Mapping as StreamMaps
    from target_delta.run import Run
    from target_delta.schema import StreamSchema

LOOK_S = 0.5  # how often the ages of the batches are looked at
CALM_S = 5.0  # between two commits of a stream that a pause of the input causes


def _exact(literal: str) -> float | Decimal:
    """Return a number that is written as it was read: a bookmark that is rounded up would pass rows over."""
    number, digits = float(literal), Decimal(literal)
    return number if Decimal(repr(number)) == digits else digits


_EXACT = msgspec.json.Decoder(float_hook=_exact)


class Router:
    """Knows the streams of a run, and when they are written."""

    def __init__(self, run: Run, maps: StreamMaps, emit: Callable[[State], None]) -> None:
        self.run = run
        self.maps = maps
        self.emit = emit
        self.streams: dict[str, Stream] = {}
        self._made: dict[str, str] = {}
        """The streams that may be made beside those of the tap, each with the one that it belongs to."""
        self._current: frozenset[bytes] = frozenset()
        self._schemas: dict[str, bytes] = {}
        """The SCHEMA line that holds, by the tap's stream: one that repeats it costs nothing."""
        self._looked_at = run.clock()

    def take(self, piece: Records | Other) -> str:
        """Take one piece of the input, in its order, and return the type of its messages."""
        kind = "RECORD"
        if isinstance(piece, Records):
            for records in self.maps.records(piece):
                stream = self._stream(records.stream)
                stream.take_lines(records)
                self._set_aside(stream)
        else:
            kind = self._take_message(piece.line)
        self.run.worker.collect()
        self._look()
        self._release()
        return kind

    def pause(self) -> None:
        """The input is silent: write what a STATE waits for, so that a slow tap gets it soon."""
        self.run.worker.collect()
        for stream in self.streams.values():
            stream.read()  # what is wrong with a line is said soon
        now = self.run.clock()
        if self.run.ledger.waiting:
            for name in self.run.ledger.behind():
                stream = self.streams[name]
                if stream.settled_at is None or now - stream.settled_at >= CALM_S:
                    stream.flush()
        self._look()
        self._release()

    def finish(self) -> None:
        """The input has ended: write everything, let STATE leave, then look after the tables."""
        for stream in self.streams.values():
            stream.finish()
        self.run.worker.settle()
        self._release()
        for stream in self.streams.values():
            stream.end()
        if unfinished := [name for name, stream in self.streams.items() if stream.unfinished]:
            raise SafetyStopError(
                "the input ended before the second ACTIVATE_VERSION; the rows are staged, the table is as it was",
                remedy="run the tap again; for a tap that sends it once, see the setting activate_version",
                streams=" ".join(sorted(unfinished)),
            )
        for stream in self.streams.values():
            stream.look_after()

    def abandon(self) -> None:
        """End without writing anything more; a STATE whose records are in their tables by now still leaves."""
        self.run.worker.stop()
        self._release()
        for stream in self.streams.values():
            stream.abandon()

    def _take_message(self, line: bytes) -> str:
        if line in self._current:
            return "SCHEMA"
        message = _decode(line)
        match message.get("type"):
            case "SCHEMA":
                self._take_schema(line, message)
            case "STATE":
                self._take_state(line, message)
            case "ACTIVATE_VERSION":
                self._take_activation(message)
            case "BATCH":
                for target in self.maps.targets(_stream_of(message)):
                    self._stream(target).take_files(message)
                    self._set_aside(self._stream(target))
            case other:
                raise SafetyStopError("the input holds a message of an unknown type", type=str(other)[:40])
        return str(message["type"])

    def _take_schema(self, line: bytes, message: Mapping[str, Any]) -> None:
        source = _stream_of(message)
        self._schemas[source] = line
        self._current = frozenset(self._schemas.values())
        for mapped in self.maps.schemas(message):
            name = str(mapped["stream"])
            self._refuse_name(name)
            schema = stream_schema(mapped, nested=self.run.settings.nested_of(name))
            if name in self.streams:
                self.streams[name].take_schema(schema)
            else:
                self.streams[name] = self.opened(schema, source)

    def opened(self, schema: StreamSchema, source: str) -> Stream:
        """Return a stream whose first SCHEMA has come."""
        return Stream(self.run, schema, source)

    def _refuse_name(self, name: str) -> None:
        """Stop where a tap's stream has the name of one that is made here."""
        if name in self.streams and self.streams[name].is_taps:
            return
        made = self._made_of(name)
        other = self._made.get(name) or next((one for one in made if one in self.streams), None)
        if other is not None:
            raise SettingsError(
                "a stream of the tap has the name of a stream that is made here",
                remedy="give it another with stream_maps __alias__", stream=name, other=other,
            )  # fmt: skip
        self._made |= dict.fromkeys(made, name)

    def _made_of(self, stream: str) -> list[str]:
        """Return the streams that may be made beside a stream of the tap's."""
        chosen = self.run.settings
        aside = chosen.on_invalid_record == "quarantine" or chosen.contract_of(stream).discards_rows
        return [quarantine_name(stream)] * aside + [history_name(stream)] * bool(chosen.history_of(stream))

    def _set_aside(self, stream: Stream) -> None:
        """Take invalid records to the quarantine; a STATE behind them waits for that table too."""
        if not stream.intake.invalid:
            return
        name = quarantine_name(stream.name)
        if name not in self.streams:
            self.streams[name] = Stream(self.run, quarantine_schema(stream.name), name, method="append-only")
        self.streams[name].take_rows(quarantined(stream.intake.invalid, run=self.run.id, now=datetime.now(UTC)))
        self.run.report.add(stream.name, quarantined=len(stream.intake.invalid))
        stream.intake.invalid.clear()

    def _take_state(self, line: bytes, message: Mapping[str, Any]) -> None:
        value = message.get("value")
        if not isinstance(value, dict):
            raise SafetyStopError("a STATE message has no value", remedy="correct the tap")
        self.run.state = value
        for stream in self.streams.values():
            stream.note_state()
        self.run.ledger.state(_EXACT.decode(line)["value"])

    def _take_activation(self, message: Mapping[str, Any]) -> None:
        if self.run.settings.activate_version == "ignore":
            return
        version = message.get("version")
        if not isinstance(version, int) or not 0 <= version < 2**63:
            raise SafetyStopError("an ACTIVATE_VERSION has no whole number", stream=message.get("stream"))
        for target in self.maps.targets(_stream_of(message)):
            self._stream(target).activate(version)

    def _stream(self, name: str) -> Stream:
        try:
            return self.streams[name]
        except KeyError:
            raise RecordBeforeSchemaError(name) from None

    def _look(self) -> None:
        """Write what is too old."""
        now = self.run.clock()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        for stream in self.streams.values():
            if stream.age_s(now) >= self.run.settings.max_batch_age_s:
                stream.flush()

    def _release(self) -> None:
        if (state := self.run.ledger.release()) is not None:
            self.emit(state)


def _stream_of(message: Mapping[str, Any]) -> str:
    stream = message.get("stream")
    if not isinstance(stream, str) or not stream:
        raise SafetyStopError("a message names no stream", remedy="correct the tap", type=message.get("type"))
    return stream


def _decode(line: bytes) -> dict[str, Any]:
    try:
        message = msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        raise SafetyStopError("a line of the input is not JSON", remedy="look at what the tap printed") from error
    if not isinstance(message, dict):
        raise SafetyStopError("a line of the input is not a Singer message", remedy="look at what the tap printed")
    return message
