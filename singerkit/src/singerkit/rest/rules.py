"""What an answer means: what the vendor's rules say first, then what HTTP says.

Takes an answer and the rules of a row; gives a verdict. Refuses nothing: the caller acts on the verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from singerkit.rest import selector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singerkit.rest.message import Answer

Action = Literal["ignore", "retry", "hold", "stop", "end", "fail"]
Verdict = Literal["read", "ignore", "retry", "hold", "stop", "end", "fail"]

_PASSING = frozenset({408, 425, 429})  # statuses below 500 that say "not now"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What to do where an answer fits: all conditions that are given must hold.

    ignore: no records here, go on with the next parent. retry: ask again later. hold: the same, and no other request
    by this credential goes before, as for 429. stop: end the stream, keep what was read and the old bookmark. end: this
    was the end of the pages. fail: at once, with `say` as the remedy.
    """

    action: Action
    """What to do: ignore, retry, hold, stop, end or fail."""
    status: int | None = None
    """The HTTP status."""
    header: str | None = None
    """A header that must be there; with `matches`, its value must match."""
    body: str | None = None
    """JSONPath of a value that must be in the body; with `matches`, it must match. Without, any text of the body."""
    matches: str | None = None
    """Regular expression, searched in the header, in the value or in the whole text of the body."""
    wait_s: float = 0
    """With retry and hold: the first wait at least, where the server names none; it doubles with each attempt."""
    say: str = ""
    """What a person can do about it."""

    def fits(self, answer: Answer) -> bool:
        """Return whether all given conditions hold."""
        if self.status is not None and answer.status != self.status:
            return False
        if self.header is not None:
            return self._matches(answer.headers.get(self.header.lower()))
        if self.body is not None:
            return self._matches(selector.value(self.body, answer.body))
        return self.matches is None or self._matches(answer.text or str(answer.body))

    def _matches(self, value: Any) -> bool:
        return value is not None and (
            self.matches is None or re.search(self.matches, str(value), re.IGNORECASE) is not None
        )


GONE = Rule(action="ignore", status=404)
"""A parent that was deleted between the two calls is no error: its children are gone too."""


def fitting(answer: Answer, rules: Iterable[Rule]) -> Rule | None:
    """Return the first rule that fits an answer, or None."""
    return next((rule for rule in rules if rule.fits(answer)), None)


def verdict(answer: Answer, rules: Iterable[Rule]) -> tuple[Verdict, str]:
    """Return what to do with an answer, and what a person can do about it."""
    if rule := fitting(answer, rules):
        return rule.action, rule.say
    if answer.status in _PASSING or answer.status >= 500:
        return "retry", ""
    return ("read" if 200 <= answer.status < 300 else "fail"), ""


def vendor_words(answer: Answer) -> str:
    """Return the vendor's own words about an error: the first text found where APIs put it, on one line."""
    for path in ("error.message", "errors[0].detail", "errors[0].message", "message", "detail", "error_description"):
        if isinstance(found := selector.value(path, answer.body), str) and found:
            return " ".join(found.split())
    for path in ("error", "errors[0]", "title", "description", "reason"):
        if isinstance(found := selector.value(path, answer.body), str) and found:
            return " ".join(found.split())
    text = " ".join(answer.text.split())
    return "" if text.startswith("<") else text
