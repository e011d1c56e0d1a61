"""Rows that a function of reads.py reads: how it is called, and what it may use of the engine.

Takes a row with `read`; gives lists of records. Refuses nothing: walks and their rules are the engine's own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from singerkit.rest import fill, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singerkit.rest.endpoint import ReadCall
    from singerkit.rest.message import Answer, Request
    from singerkit.rest.refusals import Sending
    from singerkit.rest.rules import Verdict


@dataclass(frozen=True)
class _Sender:
    """What a walk needs of a client, by the one function that a call has of it."""

    ask: Callable[..., tuple[Verdict, Answer]]

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        """Return an answer with its verdict."""
        return self.ask(request, sending)


def called(call: ReadCall) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Call the function of a row; what it yields comes as lists of records, each with its bytes of JSON."""
    from singerkit.arrow.tables import gathered

    module, _, name = (call.endpoint.read or "").partition(":")
    yield from gathered(getattr(importlib.import_module(module), name)(call))


def records(call: ReadCall, **words: Any) -> Iterator[dict[str, Any]]:
    """Walk the pages of the call's row with other words, such as `path`, and yield the records."""
    row = replace(call.endpoint, **words)
    request = fill.first_request(row, call.source, {**call.config, **call.parent})
    for page in walk.pages(_Sender(call.send), row, request):
        yield from page.records
