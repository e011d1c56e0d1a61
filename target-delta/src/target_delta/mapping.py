"""singer-sdk's stream maps and flattening: by its own code, a record at a time, where the configuration asks for them.

Takes messages of the tap's streams; gives messages of the target's. Without a map everything passes untouched.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from singerkit.errors import SafetyStopError
from target_delta.lines import Records

if TYPE_CHECKING:
    from collections import abc

    from singer_sdk.mapper import PluginMapper

_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # a literal keeps its digits
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


class Mapping:
    """Knows which of the target's streams a stream of the tap fills, and how."""

    def __init__(self, mapper: PluginMapper, *, active: bool) -> None:
        self.mapper = mapper
        self.active = active

    def schemas(self, message: abc.Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the SCHEMA messages that one of the tap becomes."""
        if not self.active or not isinstance(message.get("schema"), dict):
            return [dict(message)]
        keys = message.get("key_properties")
        self.mapper.register_raw_stream_schema(str(message["stream"]), message["schema"], keys)
        return [
            {
                **message,
                "stream": one.stream_alias,
                "schema": one.transformed_schema,
                "key_properties": one.transformed_key_properties,
            }
            for one in self._maps(str(message["stream"]))
            if not _removes(one)
        ]

    def targets(self, stream: str) -> list[str]:
        """Return the names of the target's streams that a stream of the tap fills."""
        if not self.active or stream not in self.mapper.stream_maps:
            return [stream]
        return [one.stream_alias for one in self._maps(stream) if not _removes(one)]

    def records(self, records: Records) -> abc.Iterator[Records]:
        """Return RECORD lines as the target's streams take them."""
        if not self.active or records.stream not in self.mapper.stream_maps:
            yield records
            return
        messages = [_message(line) for line in records.lines.split(b"\n") if line.strip()]
        for one in self._maps(records.stream):
            if not _removes(one) and (lines := list(_mapped(one, messages))):
                yield Records(one.stream_alias, b"\n".join(lines) + b"\n", len(lines))

    def _maps(self, stream: str) -> list[Any]:
        return list(self.mapper.stream_maps[stream])


def _message(line: bytes) -> dict[str, Any]:
    try:
        message: dict[str, Any] = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        raise _no_record(line) from error
    if not isinstance(message.get("record"), dict):
        raise _no_record(line)
    return message


def _no_record(line: bytes) -> SafetyStopError:
    return SafetyStopError("a RECORD line is not a record in JSON", remedy="correct the tap", bytes=len(line))


def _removes(one: Any) -> bool:
    from singer_sdk.mapper import RemoveRecordTransform

    return isinstance(one, RemoveRecordTransform)


def _mapped(one: Any, messages: abc.Iterable[dict[str, Any]]) -> abc.Iterator[bytes]:
    for message in messages:
        record = one.transform(copy.copy(message["record"]))
        if record is not None:
            yield _ENCODER.encode({**message, "stream": one.stream_alias, "record": record})
