"""What every page style is: a frozen value with one pure function from request and answer to the next request.

Takes the request that was sent and its answer; gives the next request, or None at the end. Refuses to guess. Pure.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from singerkit.rest.message import Answer, Place, Request
    from singerkit.rest.rules import Rule


class NoWayOnError(ValueError):
    """The server says that there is more, and not where."""


@dataclass(frozen=True, kw_only=True)
class Pages(abc.ABC):
    """What all page styles share: how many records to ask for, and where to say so."""

    style: ClassVar[str]
    rules: ClassVar[tuple[Rule, ...]] = ()
    size_param: str | None = None
    """The server's parameter for the page size, or none where it has none."""
    size: int = 100
    """How many records to ask for; the setting `page_size` lowers it."""
    max_size: int | None = None
    """The server's maximum; more is refused before anything is asked, since many servers cut in silence."""
    into: Place = "query"
    """Where the page parameters go: into the address or into the JSON body."""

    def at_most(self, size: int | None) -> Self:
        """Return the style with pages no longer than a person wants; a server without a parameter has its own."""
        return replace(self, size=min(size, self.size)) if size and self.size_param else self

    def first(self, request: Request) -> Request:
        """Return the request for the first page."""
        return request.with_values(self.into, {self.size_param: self.size}) if self.size_param else request

    @abc.abstractmethod
    def next(self, request: Request, answer: Answer) -> Request | None:
        """Return the request for the page after this answer, or None where it was the last."""

    def unseen(self, before: Sequence[Any], records: list[Any]) -> list[Any]:  # noqa: ARG002  # most pages share none
        """Return the records of a page that the page before has not shown."""
        return records


@dataclass(frozen=True, kw_only=True)
class Single(Pages):
    """Everything is on one page."""

    style: ClassVar[str] = "single"

    def next(self, request: Request, answer: Answer) -> Request | None:  # noqa: ARG002  # one page, whatever it says
        """Return None: there is one page."""
        return None
