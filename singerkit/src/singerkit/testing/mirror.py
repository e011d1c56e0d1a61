"""An API made from a tap's own rows: paths, page styles, records and keys as the rows and schemas say.

Takes rows and schemas; gives routes of a loopback API. Refuses rows that only a function of reads.py can read.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from singerkit.rest import pages, selector
from singerkit.testing.fake_api import Asked, FakeApi, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from singerkit.rest.endpoint import Endpoint

ROWS = 5
"""Records of each collection: three pages of two."""
SIZE = 2
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mirror:
    """One row's collection."""

    endpoint: Endpoint
    schema: Mapping[str, Any]

    @property
    def pattern(self) -> re.Pattern[str]:
        """The paths that this row asks for."""
        parts = re.split(r"\{\w+\}", self.endpoint.path.partition("?")[0].removeprefix(".."))
        return re.compile("[^/]+".join(map(re.escape, parts)) + r"/?$")

    def asks(self, asked: Asked) -> bool:
        """Return whether a request is this row's; rows of one path are told apart by their GraphQL query."""
        query = self.endpoint.body.get("query") if isinstance(self.endpoint.body, dict) else None
        return query is None or (isinstance(asked.body, dict) and asked.body.get("query") == query)

    def records_at(self, path: str) -> list[dict[str, Any]]:
        """Return the records at a path; keys that are promised to be unique everywhere are so."""
        rows = self.rows()
        if self.endpoint.own_keys:
            salt = zlib.crc32(path.encode()) % 10_000 * 10
            for key in self.endpoint.keys:
                at = self.places.get(key, key)
                for row in rows:
                    value = selector.value(at, row)
                    put(row, at, value + salt if isinstance(value, int) else f"{value}-{salt}")
        found = [self.holding(row, number) for number, row in enumerate(rows, 1)]
        return found[::-1] if any(mark.order == "desc" for mark in self.endpoint.bookmarks[:1]) else found

    @property
    def places(self) -> Mapping[str, str]:
        """Columns that stand elsewhere in a row, each with its path there."""
        return self.endpoint.inside.lifted if self.endpoint.inside else self.endpoint.lifted

    def rows(self) -> list[dict[str, Any]]:
        """Return rows by the schema; without the columns that come from above, named as the vendor does."""
        above = {column for parent in self.endpoint.parents for column in parent.columns}
        given = above | {*self.endpoint.lifted, *self.places}
        back = {new: old for old, new in self.endpoint.renames.items()}
        names = {n: p for n, p in self.schema["properties"].items() if n not in given or n in self.endpoint.keys}
        rows = [{back.get(n, n): sample(p, k, n) for n, p in names.items()} for k in range(1, ROWS + 1)]
        self._put(rows, self.places)
        if self.endpoint.keys and {*self.endpoint.keys} <= above:
            return rows[:1]  # the parent is the key: it has one such record
        return rows

    def holding(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        """Return the record that a row is, or the one that it is inside of."""
        if self.endpoint.inside is None:
            return row
        record: dict[str, Any] = {}
        self._put([record], self.endpoint.lifted, number)
        return dict(put(record, self.endpoint.inside.path, [row]))

    def _put(self, rows: list[dict[str, Any]], places: Mapping[str, str], first: int = 1) -> None:
        for column, path in places.items():
            for number, row in enumerate(rows, first):
                put(row, path, sample(self.schema["properties"][column], number, column))

    def answer(self, asked: Asked) -> Reply:
        """Return one page in the row's own style."""
        style = self.endpoint.pages
        return _STYLES[type(style)](self, style, asked)

    def reply(
        self,
        rows: list[dict[str, Any]],
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Return an answer with records where the row looks for them, and other values at their paths."""
        columns = self.endpoint.columns
        found = [[row[name] for name in columns] for row in rows] if columns else rows
        body: Any = put(None, self.endpoint.records, found)
        for path, value in (more or {}).items():
            body = put(body, path, value)
        return Reply(body, headers=headers or {})


def mirror(api: FakeApi, endpoints: Iterable[Endpoint], schemas: Mapping[str, Mapping[str, Any]]) -> None:
    """Serve every row; paths with more fixed letters win."""
    found = [Mirror(row, schemas[row.name]) for row in endpoints if row.read is None]
    found.sort(key=lambda one: -len(re.sub(r"\{\w+\}", "", one.endpoint.path)))

    def answer(asked: Asked) -> Reply:
        fits = (one for one in found if one.pattern.search(asked.path) and one.asks(asked))
        one = next(fits, None)
        return one.answer(asked) if one else Reply({"message": "no such path"}, 404)

    api.route("/*", answer)


def sample(prop: Mapping[str, Any], number: int, name: str = "") -> Any:
    """Return a value of a property that differs for each number and grows with it."""
    kinds = [prop["type"]] if isinstance(prop.get("type"), str) else prop.get("type", ["string"])
    kind = next((one for one in kinds if one != "null"), "string")
    if options := [one for one in prop.get("enum", ()) if one is not None]:
        return options[number % len(options)]
    if kind == "object":
        return {inner: sample(p, number) for inner, p in prop.get("properties", {}).items()}
    if kind == "array":
        return [sample(prop.get("items", {}), number)]
    if kind == "string":
        return _text(prop.get("format"), number, name)
    epoch = int((_BEGIN + timedelta(days=number)).timestamp()) if "updated" in name or "created" in name else number
    return {"integer": epoch, "number": number + 0.25, "boolean": number % 2 == 0}.get(kind)


def _text(form: str | None, number: int, name: str) -> str:
    moment = _BEGIN + timedelta(days=number)
    known = {
        "date-time": moment.isoformat().replace("+00:00", "Z"),
        "date": moment.date().isoformat(),
        "time": "10:00:00",
        "email": f"someone-{number}@example.com",
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "uri": f"https://example.com/{number}",
    }
    return known.get(form or "", f"{name or 'text'}-{number}")


def put(body: Any, path: str, value: Any) -> Any:
    """Return the body with a value at a plain path."""
    names = [name for name in path.removeprefix("$").removesuffix("[*]").split(".") if name]
    if not names:
        return value
    top = body if isinstance(body, dict) else {}
    at = top
    for name in names[:-1]:
        at = at.setdefault(name, {})
    at[names[-1]] = value
    return top


def _cut(of: Mirror, asked: Asked, start: int) -> tuple[list[dict[str, Any]], int | None]:
    every = of.records_at(asked.path)
    end = start + SIZE
    return every[start:end], end if end < len(every) else None


def _given(style: pages.Pages, asked: Asked, name: str) -> Any:
    if style.into == "query":
        return asked.query.get(name)
    at: Any = asked.body or {}
    for part in name.split("."):
        at = at.get(part) if isinstance(at, dict) else None
    return at


def _here(asked: Asked, start: int) -> str:
    return f"http://{asked.headers['host']}{asked.path}?from_row={start}"


def _single(of: Mirror, style: Any, asked: Asked) -> Reply:  # noqa: ARG001  # one shape for all styles
    return of.reply(of.records_at(asked.path))


def _link(of: Mirror, style: Any, asked: Asked) -> Reply:
    rows, following = _cut(of, asked, int(asked.query.get("from_row", 0)))
    return of.reply(rows, {"Link": f'<{_here(asked, following)}>; rel="{style.rel}"'} if following else None)


def _keyset(of: Mirror, style: Any, asked: Asked) -> Reply:
    since, start = asked.query.get(style.param, ""), int(asked.query.get("page", 0))
    rows = [row for row in of.records_at(asked.path) if str(row[style.field]) >= since][start:]
    more = f"http://{asked.headers['host']}{asked.path}?{style.param}={since}&page={start + SIZE}"
    return of.reply(rows[:SIZE], {"Link": f'<{more}>; rel="{style.rel}"'} if len(rows) > SIZE else None)


def _next_url(of: Mirror, style: Any, asked: Asked) -> Reply:
    rows, following = _cut(of, asked, int(asked.query.get("from_row", 0)))
    address = _here(asked, following) if following else None
    if style.header:
        return of.reply(rows, {style.header: address} if address else None)
    return of.reply(rows, more={style.path: address})


def _cursor(of: Mirror, style: Any, asked: Asked) -> Reply:
    rows, following = _cut(of, asked, int(str(_given(style, asked, style.param) or "c0")[1:]))
    more = {style.more: following is not None} if style.more else {}
    token = f"c{following}" if following else None
    if style.header:
        return of.reply(rows, {style.header: token} if token else None, more)
    return of.reply(rows, more={style.path: token, **more})


def _offset(of: Mirror, style: Any, asked: Asked) -> Reply:
    rows, _ = _cut(of, asked, int(_given(style, asked, style.param) or style.start) - style.start)
    total = {style.total: len(of.records_at(asked.path))} if style.total else {}
    return of.reply(
        rows, {style.total_header: str(len(of.records_at(asked.path)))} if style.total_header else None, total
    )


def _page_number(of: Mirror, style: Any, asked: Asked) -> Reply:
    number = int(_given(style, asked, style.param) or style.start) - style.start
    rows, _ = _cut(of, asked, number * SIZE)
    total = {style.total_pages: -(-len(of.records_at(asked.path)) // SIZE)} if style.total_pages else {}
    return of.reply(rows, more=total)


def _last_id(of: Mirror, style: Any, asked: Asked) -> Reply:
    ids = [str(row[style.field]) for row in of.records_at(asked.path)]
    after = _given(style, asked, style.param)
    rows, following = _cut(of, asked, ids.index(str(after)) + 1 if after is not None else 0)
    return of.reply(rows, more={style.more: following is not None} if style.more else None)


def _continue(of: Mirror, style: Any, asked: Asked) -> Reply:
    rows, following = _cut(of, asked, int(_given(style, asked, "from_row") or 0))
    return of.reply(rows, more={style.path: {"from_row": following}} if following else None)


def _graphql(of: Mirror, style: Any, asked: Asked) -> Reply:
    variables = (asked.body or {}).get("variables") or {}
    rows, following = _cut(of, asked, int(variables.get(style.variable) or 0))
    info = {"hasNextPage": following is not None, "endCursor": str(following)}
    return of.reply(rows, more={style.page_info: info})


_STYLES: Mapping[type[pages.Pages], Callable[[Mirror, Any, Asked], Reply]] = {
    pages.Single: _single,
    pages.Link: _link,
    pages.Keyset: _keyset,
    pages.NextUrl: _next_url,
    pages.Cursor: _cursor,
    pages.Offset: _offset,
    pages.PageNumber: _page_number,
    pages.LastId: _last_id,
    pages.Continue: _continue,
    pages.GraphQL: _graphql,
}
