"""`tap-rest infer URL`: a manifest from samples; every style and every filter in it was tried and seen to work.

Takes an address and a client; gives a proposal. Refuses to call a stream incremental without a server filter and a
stable field in evidence.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from singerkit.errors import SettingsError
from singerkit.rest import bookmarks, pages, selector
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.message import Answer, Request, origin
from singerkit.rest.refusals import Sending
from singerkit.rest.rules import Rule
from tap_rest import evidence
from tap_rest.proposal import Proposal
from tap_rest.shapes import schema_of
from tap_rest.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singerkit.rest.client import Client

_PAGES = 3  # pages that are looked at
# A server that does not know a parameter may refuse it: that is an answer too.
_TRYING = Sending("infer", rules=(Rule(action="ignore", status=400), Rule(action="ignore", status=422)))


class Inference:
    """Asks one address a handful of questions, and keeps what the answers prove."""

    def __init__(self, client: Client, url: str) -> None:
        parts = urlsplit(url)
        self.client = client
        self.request = Request("GET", url.partition("?")[0], dict(parse_qsl(parts.query)))
        name = next((part for part in reversed(parts.path.split("/")) if part), "records")
        path = parts.path or "/" if origin(url) == client.home else self.request.url  # another host needs its name
        self.found = Proposal({"name": name.replace("-", "_"), "path": path})
        if self.request.params:
            self.found.say("params", dict(self.request.params), "as in the address")

    def proposal(self) -> Proposal:
        """Return the row that the samples bear out."""
        first = self._ask(self.request)
        where = evidence.records_in(first.body) if first else None
        if first is None or where is None:
            raise SettingsError(
                "no list of records is in the answer", path=self.found.row["path"], remedy="write the row by hand"
            )
        self.path, records = where
        self.found.say("records", self.path, f"the longest list of objects: {len(records)}")
        first = replace(first, records=records)
        every = [*records, *self._pages(first)]
        keys, why = evidence.keys_of(every)
        if keys:
            self.found.say("keys", keys, why)
        else:
            self.found.notes.append(f"keys: {why}; without keys rows are appended")
        self._bookmark(every, keys)
        self.found.say("schema", schema_of(every, keys), f"from {len(every)} records")
        return self.found

    def _pages(self, first: Answer) -> list[dict[str, Any]]:
        """Propose the first page style that leads to other records, and return those."""
        for style, words, why in self._styles(first):
            following = style.next(style.first(self.request), first)
            second = self._ask(following) if following else None
            records = selector.records(self.path, second.body) if second else None
            if records and records != first.records:
                size, seen = sized(partial(self._count, style), self.request, len(first.records)) or ({}, "")
                evidences = "; ".join(filter(None, [why, "its second page holds other records", seen]))
                self.found.say("pages", {"style": style.style, **words, **size}, evidences)
                return records + self._more(style, following, second, records)
        self.found.notes.append("pages: no way to a second page was found; all records seem to be on one")
        return []

    def _count(self, style: pages.Pages, request: Request) -> tuple[int, Callable[[], bool]] | None:
        """Return how many records a request gives, and what tells whether a page follows; None where it is refused."""
        answer = self._ask(request)
        if answer is None:
            return None
        records = selector.records(self.path, answer.body) or []
        following = style.next(style.first(request), replace(answer, records=records)) if records else None
        return len(records), lambda: bool(following and self._records(following))

    def _records(self, request: Request) -> list[Any]:
        answer = self._ask(request)
        return (selector.records(self.path, answer.body) if answer else None) or []

    def _more(self, style: pages.Pages, at: Request | None, answer: Answer | None, records: list[Any]) -> list[Any]:
        """Return the records of a few further pages: keys and fields are judged by all of them."""
        found: list[dict[str, Any]] = []
        for _ in range(_PAGES - 2):
            at = style.next(at, replace(answer, records=records)) if at and answer else None
            answer = self._ask(at) if at else None
            records = (selector.records(self.path, answer.body) if answer else None) or []
            found += records
        return found

    def _styles(self, first: Answer) -> Iterator[tuple[pages.Pages, dict[str, Any], str]]:
        """Yield page styles that the first answer speaks for, the surest first."""
        size = len(first.records)
        if "rel=" in first.headers.get("link", ""):
            yield pages.Link(), {}, "a Link header"
        if path := evidence.next_address(first.body):
            yield pages.NextUrl(path=path), {"path": path}, f"an address at {path}"
        for path, _ in evidence.tokens(first.body):
            for param in (path.rsplit(".", 1)[-1], *evidence.CURSORS):
                yield pages.Cursor(param=param, path=path), {"param": param, "path": path}, f"a token at {path}"
        more = evidence.flag(first.body)
        if more and (keys := evidence.keys_of(first.records)[0]):
            yield pages.LastId(field=keys[0], more=more), {"field": keys[0], "more": more}, f"a flag at {more}"
        total = evidence.total(first.body)
        yield pages.Offset(size=size, total=total), {"total": total} if total else {}, "the server takes `offset`"
        yield pages.PageNumber(size=size), {}, "the server takes `page`"

    def _bookmark(self, records: list[dict[str, Any]], keys: list[str]) -> None:
        """Propose a bookmark only where a parameter was seen to filter by a stable field that every record has."""
        found = evidence.bookmark_candidates(records)
        again = self._records(self.request) if found else []
        fields = [name for name in found if evidence.stays(name, keys, records, again)]
        self.found.notes += [
            f"bookmarks: {name} is another one each time its record is asked for"
            for name in found
            if name not in fields
        ]
        for name in fields:
            for param in evidence.FILTERS:
                asked = param.replace("{field}", name)
                if self._filters(records, name, asked):
                    words = {"field": name, "param": asked}
                    why = (
                        f"in all {len(records)} records, the same when asked twice; `{asked}` was seen to filter by it"
                    )
                    self.found.say("bookmarks", [words], why)
                    return
        if fields:
            self.found.notes.append(
                f"bookmarks: {fields[0]} looks like one, but no parameter filters by it: FULL_TABLE"
            )
        elif not found:
            self.found.notes.append("bookmarks: no field holds a moment in every record: FULL_TABLE")

    def _filters(self, records: list[dict[str, Any]], name: str, param: str) -> bool:
        """Return whether the server leaves out what is older than the middle of the samples, and nothing else."""
        mark = Bookmark(field=name)
        values = sorted(bookmarks.comparable(mark.type, record[name]) for record in records)
        middle = values[len(values) // 2]
        if values[0] == middle:
            return False
        answer = self._ask(self.request.with_values("query", {param: bookmarks.rendered(mark, middle)}))
        given = selector.records(self.path, answer.body) if answer else None
        return bool(given) and all(
            record.get(name) and bookmarks.comparable(mark.type, record[name]) >= middle for record in given or ()
        )

    def _ask(self, request: Request) -> Answer | None:
        said, answer = self.client.send(request, _TRYING)
        return answer if said == "read" else None
