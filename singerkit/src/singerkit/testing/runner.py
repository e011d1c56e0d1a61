"""Runs a tap in this process and reads what it wrote: messages, records by stream, the last STATE, the exit code.

Takes a tap class, a configuration and a STATE; gives one value with everything. Refuses lines that are no messages.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singerkit.errors import SingerkitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk import Tap

    Message = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What one run of a tap wrote."""

    messages: list[Message]
    error: SingerkitError | None
    log: str
    stdout: str

    @property
    def exit_code(self) -> int:
        """The exit code that the command line would end with."""
        return self.error.exit_code if self.error else 0

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a stream, in order."""
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    def states(self) -> list[dict[str, Any]]:
        """Return every STATE, in order."""
        return [m["value"] for m in self.messages if m["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE, or an empty one."""
        return self.states()[-1] if self.states() else {}

    def schema(self, stream: str) -> dict[str, Any]:
        """Return the last schema of a stream."""
        return next(m["schema"] for m in reversed(self.messages) if m["type"] == "SCHEMA" and m["stream"] == stream)


def run(
    tap: type[Tap],
    config: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    catalog: Any = None,
    level: int = logging.DEBUG,
) -> Run:
    """Run a sync and return what it wrote; an error that a user can cause is part of the answer."""
    out, log = _Output(), _Log()
    error: SingerkitError | None = None
    with contextlib.redirect_stdout(out), log.listening(level):
        try:
            plugin = tap(config=dict(config), state=dict(state) if state else None, catalog=catalog)
            plugin.sync_all()
        except SingerkitError as one:
            error = one
        out.flush()
    text = out.buffer.getvalue().decode()
    messages = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
    return Run(messages, error, log.text(), text)


def cut(run_: Run) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Yield, for every STATE of a run, the messages before it and the STATE: what is left of a run cut there."""
    for place, message in enumerate(run_.messages):
        if message["type"] == "STATE":
            yield run_.messages[:place], message["value"]


class _Output(io.TextIOWrapper):
    """A stdout that takes text and bytes, as the real one does."""

    buffer: io.BytesIO

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def text(self) -> str:
        return "\n".join(self.lines)

    @contextlib.contextmanager
    def listening(self, level: int) -> Iterator[None]:
        root = logging.getLogger()
        before = root.level
        root.addHandler(self)
        root.setLevel(level)
        try:
            yield
        finally:
            root.removeHandler(self)
            root.setLevel(before)
