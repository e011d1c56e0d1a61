"""Page styles that send something of the answer back: a token, the last key, an object.

Takes the request that was sent and its answer; gives the next request, or None at the end. Refuses to guess. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from singerkit.rest import selector
from singerkit.rest.paging import NoWayOnError, Pages
from singerkit.rest.rules import Rule

if TYPE_CHECKING:
    from singerkit.rest.message import Answer, Place, Request


@dataclass(frozen=True, kw_only=True)
class Cursor(Pages):
    """A token in the body or in a header is sent back with the next request."""

    style: ClassVar[str] = "cursor"
    param: str
    """The parameter that takes the token."""
    path: str | None = None
    """JSONPath of the token in the body."""
    header: str | None = None
    """Name of the header that holds the token, where it is not in the body."""
    more: str | None = None
    """JSONPath of a flag: where it is false, the page was the last, whatever token there is."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Send the token back."""
        if self.more and not selector.value(self.more, answer.body):
            return None
        token = (
            answer.headers.get(self.header.lower()) if self.header else selector.value(self.path or "$", answer.body)
        )
        if token not in (None, "", False):
            return request.with_values(self.into, {self.param: token})
        if self.more:
            raise NoWayOnError
        return None


@dataclass(frozen=True, kw_only=True)
class LastId(Pages):
    """The key of the last record is sent back; a flag says whether there is more, else an empty page ends the walk."""

    style: ClassVar[str] = "last_id"
    param: str = "starting_after"
    """The parameter that takes the key."""
    field: str = "id"
    """Which field of the last record is the key."""
    more: str | None = "has_more"
    """JSONPath of the flag, or none where the server has no flag."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Ask for what comes after the last record."""
        if self.more and not selector.value(self.more, answer.body):
            return None
        last = selector.value(self.field, answer.records[-1]) if answer.records else None
        if last is not None:
            return request.with_values(self.into, {self.param: last})
        if answer.records or self.more:
            raise NoWayOnError
        return None


@dataclass(frozen=True, kw_only=True)
class Continue(Pages):
    """The answer holds an object whose members are merged into the first request, for the next page alone."""

    style: ClassVar[str] = "continue"
    path: str = "continue"
    """JSONPath of the object."""

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Merge the object into the parameters; what the object before has added, and this one has not, is gone."""
        found = selector.value(self.path, answer.body)
        return request.carrying(self.into, found) if isinstance(found, dict) and found else None


@dataclass(frozen=True, kw_only=True)
class GraphQL(Pages):
    """The cursor of a GraphQL connection goes into the variables of the query; `errors` fail, whatever the status."""

    style: ClassVar[str] = "graphql"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(action="hold", body="errors", matches="THROTTLED|RATE_?LIMIT"),
        Rule(action="fail", body="errors", matches=r"\w"),  # status 200, and what data there is may lack the rest
    )
    page_info: str
    """JSONPath of the connection's `pageInfo`."""
    variable: str = "after"
    """The variable that takes the cursor."""
    into: Place = "body"

    def first(self, request: Request) -> Request:
        """Say the page size in a variable."""
        return request.with_values("body", {f"variables.{self.size_param}": self.size} if self.size_param else {})

    def next(self, request: Request, answer: Answer) -> Request | None:
        """Follow `endCursor` while `hasNextPage` is true."""
        info = selector.first(self.page_info, answer.body)
        if info is selector.MISSING and answer.records:
            raise NoWayOnError
        if not isinstance(info, dict) or not info.get("hasNextPage"):
            return None
        if not info.get("endCursor"):
            raise NoWayOnError
        return request.with_values("body", {f"variables.{self.variable}": info["endCursor"]})
