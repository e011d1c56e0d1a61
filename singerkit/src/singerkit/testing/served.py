"""Collections that a loopback API serves: the same rows in every page style, filtered and sorted as real servers do.

Takes rows and a style; gives the function that answers requests for them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from singerkit.testing.fake_api import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = dict[str, Any]
Style = Literal[
    "single",
    "link",
    "next_url",
    "cursor",
    "offset",
    "page_number",
    "last_id",
    "continue",
    "graphql",
    "body_cursor",
]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Rows behind one path."""

    rows: Sequence[Row]
    style: Style = "offset"
    size: int = 2
    """Rows of a page, where the request does not say."""
    most: int = 1000
    """Rows of a page at most, whatever the request says."""
    bookmark: str | None = None
    """The field that `since` and `until` filter by, both inclusive."""
    descending: bool = False
    total: int | None = None
    """The total that the server claims; unset: the true one."""

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        return _STYLES[self.style](self, self.wanted(asked), asked)

    def wanted(self, asked: Asked) -> list[Row]:
        """Return the rows that the request's filters let through, in the server's order."""
        name, rows = self.bookmark, list(self.rows)
        if name is None:
            return rows
        given = asked.query if asked.method == "GET" else {**asked.query, **(asked.body or {})}
        if "since" in given:
            rows = [row for row in rows if str(row[name]) >= str(given["since"])]
        if "until" in given:
            rows = [row for row in rows if str(row[name]) <= str(given["until"])]
        return sorted(rows, key=lambda row: row[name], reverse=self.descending)


def _page(of: Collection, rows: list[Row], asked: Asked, start: int) -> tuple[list[Row], int | None]:
    size = min(int(asked.query.get("limit", of.size)), of.most)
    following = start + size
    return rows[start:following], following if following < len(rows) else None


def _here(asked: Asked, **changes: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in {**asked.query, **changes}.items())
    return f"http://{asked.headers['host']}{asked.path}?{query}"


def _single(of: Collection, rows: list[Row], asked: Asked) -> Reply:  # noqa: ARG001  # one shape for all styles
    return Reply(rows)


def _link(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    page, following = _page(of, rows, asked, int(asked.query.get("at", 0)))
    link = f'<{_here(asked, at=0)}>; rel="first"'
    link += f', <{_here(asked, at=following)}>; rel="next"' if following is not None else ""
    return Reply(page, headers={"Link": link})


def _next_url(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    page, following = _page(of, rows, asked, int(asked.query.get("at", 0)))
    return Reply({"data": page, "links": {"next": None if following is None else _here(asked, at=following)}})


def _cursor(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    page, following = _page(of, rows, asked, int(asked.query.get("cursor", "c0")[1:]))
    return Reply({"data": page, "meta": {"cursor": None if following is None else f"c{following}"}})


def _body_cursor(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    page, following = _page(of, rows, asked, int((asked.body or {}).get("cursor", "c0")[1:]))
    return Reply({"data": page, "meta": {"cursor": None if following is None else f"c{following}"}})


def _offset(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    page, _ = _page(of, rows, asked, int(asked.query.get("offset", 0)))
    return Reply({"data": page, "total": len(rows) if of.total is None else of.total})


def _page_number(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    size = min(int(asked.query.get("limit", of.size)), of.most)
    page, _ = _page(of, rows, asked, (int(asked.query.get("page", 1)) - 1) * size)
    return Reply({"data": page, "pages": -(-len(rows) // size)})


def _last_id(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    ids = [str(row["id"]) for row in rows]
    after = asked.query.get("starting_after")
    page, following = _page(of, rows, asked, ids.index(after) + 1 if after else 0)
    return Reply({"data": page, "has_more": following is not None})


def _continue(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    page, following = _page(of, rows, asked, int(asked.query.get("at", 0)))
    more = {"continue": {"at": following, "continue": "||"}} if following is not None else {}
    return Reply({"data": page, **more})


def _graphql(of: Collection, rows: list[Row], asked: Asked) -> Reply:
    variables: Mapping[str, Any] = asked.body.get("variables") or {}
    start = int(variables.get("after", "0"))
    size = int(variables.get("first", of.size))
    info = {"hasNextPage": start + size < len(rows), "endCursor": str(start + size)}
    return Reply({"data": {"items": {"nodes": rows[start : start + size], "pageInfo": info}}})


_STYLES: Mapping[Style, Callable[[Collection, list[Row], Asked], Reply]] = {
    "single": _single,
    "link": _link,
    "next_url": _next_url,
    "cursor": _cursor,
    "body_cursor": _body_cursor,
    "offset": _offset,
    "page_number": _page_number,
    "last_id": _last_id,
    "continue": _continue,
    "graphql": _graphql,
}
