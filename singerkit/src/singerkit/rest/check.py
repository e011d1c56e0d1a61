"""Holds rows to their own rules when they are loaded: every mistake at once, each with the row it is in. Pure.

Takes rows, their schemas and the names of settings; gives sentences. Sends nothing and reads nothing.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from typing import TYPE_CHECKING

from singerkit.errors import SettingsError
from singerkit.rest import fill, selector

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from singerkit.rest.endpoint import Endpoint, Source

_CHANGES = re.compile(r"(updated|modified|changed|last_?(seen|login|used|activity)|status|state)", re.IGNORECASE)
_MOST_PARENTS = 2


def check_rows(
    source: Source,
    endpoints: Sequence[Endpoint],
    settings: Collection[str],
    schemas: Mapping[str, Mapping[str, object]],
    page_size: int | None = None,
) -> None:
    """Raise one error with everything that is wrong with the rows, and with the page size that a person wants."""
    if wrong := [
        *structure(source, endpoints, settings),
        *columns(endpoints, schemas),
        *_wanted_size(endpoints, page_size),
    ]:
        raise SettingsError("the rows cannot be used: " + "; ".join(wrong), remedy="correct them")


def structure(source: Source, endpoints: Sequence[Endpoint], settings: Collection[str]) -> Iterator[str]:
    """Yield what is wrong without looking at columns: names, placeholders, parents, paths."""
    for name, times in Counter(row.name for row in endpoints).items():
        if times > 1:
            yield f"{name}: the name is used {times} times"
    for name in sorted({*fill.names(source)} - {*settings}):
        yield f"source: {{{name}}} is no setting{_near(name, settings)}"
    rows = {row.name: row for row in endpoints}
    for row in endpoints:
        for check in (_placeholders, _parents, _paths, _bookmarks, _page_size):
            for sentence in check(row, rows, settings):
                yield f"{row.name}: {sentence}"


def columns(endpoints: Sequence[Endpoint], schemas: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yield what the rows say about columns that their schemas do not bear out."""
    for row in endpoints:
        declared = schemas.get(row.name, {}).get("properties", {})
        known = set(declared) if isinstance(declared, dict) else set()
        named = {
            "keys": row.keys,
            "bookmark": [mark.field for mark in row.bookmarks],
            "partition": row.partition.keys if row.partition else (),
            "version_keys": row.version_keys,
        }
        for word, names in named.items():
            for name in names:
                if name not in known:
                    yield f"{row.name}: {word} {name} is not in the schema{_near(name, known)}"
        yield from (f"{row.name}: {sentence}" for sentence in _keys_and_partition(row))


def _keys_and_partition(row: Endpoint) -> Iterator[str]:
    handed = {column for parent in row.parents for column in parent.columns}
    if row.keys and handed and not handed & set(row.keys) and not row.own_keys:
        yield f"keys must hold a column of the parent ({', '.join(sorted(handed))}), or own_keys must say why not"
    for name in row.partition.keys if row.partition else ():
        if _CHANGES.search(name):
            yield f"partition {name} sounds like a column that changes: a changed row would be in two partitions"
    for name in row.drop:
        if name in row.keys:
            yield f"drop: {name} is a key"
    targets = [*row.renames.values()]
    for name, times in Counter(targets).items():
        if times > 1:
            yield f"renames: {times} fields would be {name}"


def _placeholders(row: Endpoint, rows: Mapping[str, Endpoint], settings: Collection[str]) -> Iterator[str]:  # noqa: ARG001  # one shape
    given = {*settings, *(name for parent in row.parents for name in parent.params)}
    handed = {*row.lifted, *(column for parent in row.parents for column in parent.columns)} if row.inside else set()
    asked = {*fill.names([row.path, row.params, row.body, row.headers])} - given
    asked |= {*fill.names(row.inside.rest)} - given - handed if row.inside else set()
    for name in sorted(asked):
        yield f"{{{name}}} is neither a setting nor a parameter of a parent{_near(name, given | handed)}"


def _parents(row: Endpoint, rows: Mapping[str, Endpoint], settings: Collection[str]) -> Iterator[str]:  # noqa: ARG001  # one shape
    if len(row.parents) > _MOST_PARENTS:
        yield f"{len(row.parents)} parents; at most {_MOST_PARENTS} can be combined"
    for parent in row.parents:
        above = rows.get(parent.stream)
        if above is None:
            yield f"parent {parent.stream} is unknown{_near(parent.stream, rows)}"
        elif above.inside is not None:
            yield f"parent {parent.stream} has its rows inside of records, and cannot have children"
        elif _reaches(above, row.name, rows, set()):
            yield f"parent {parent.stream} is its own descendant"
        elif parent.changed_by and above.bookmark(parent.changed_by) is None:
            yield f"changed_by {parent.changed_by} is no bookmark of {parent.stream}"
        elif parent.changed_by and not row.bookmarks:
            yield "changed_by needs a bookmark: a full load holds the children of every parent"
        elif parent.changed_by and len(row.parents) > 1:
            yield "changed_by works with one parent"


def _paths(row: Endpoint, rows: Mapping[str, Endpoint], settings: Collection[str]) -> Iterator[str]:  # noqa: ARG001  # one shape
    if not row.path and not row.read:
        yield "path is missing"
    pages = row.pages
    paths = [
        row.records,
        *(getattr(pages, name, None) for name in ("path", "more", "total", "total_pages", "page_info")),
    ]
    within = row.inside
    paths += [within.path, within.more, *within.lifted.values()] if within else []
    paths += [rule.body for rule in row.rules] + [one.field for one in row.only_if] + [*row.lifted.values()]
    paths += [path for parent in row.parents for path in parent.params.values()]
    yield from _fails(selector.matches, [path for path in paths if path], "is no JSONPath")
    yield from _fails(re.compile, [rule.matches for rule in row.rules if rule.matches], "is no regular expression")
    if row.read and ":" not in row.read:
        yield f"read {row.read} is not written like module:function"


def _bookmarks(row: Endpoint, rows: Mapping[str, Endpoint], settings: Collection[str]) -> Iterator[str]:  # noqa: ARG001  # one shape
    for mark in row.bookmarks:
        if mark.exclusive and mark.type in {"numeric", "text"}:
            yield f"bookmark {mark.field}: exclusive needs a type with a smallest step"
        if row.window and not (mark.param and mark.until_param and mark.type == "datetime"):
            yield f"bookmark {mark.field}: a window needs type datetime, param and until_param"
        if mark.format not in {"iso", "iso_seconds", "epoch", "epoch_ms", "date"} and "%" not in mark.format:
            yield f"bookmark {mark.field}: format {mark.format} is unknown"
    if row.window and not row.bookmarks:
        yield "a window needs a bookmark"


def _page_size(row: Endpoint, rows: Mapping[str, Endpoint], settings: Collection[str]) -> Iterator[str]:  # noqa: ARG001  # one shape
    pages = row.pages
    if pages.size < 1:
        yield f"pages: size {pages.size} is less than 1"
    if pages.max_size is not None and pages.size > pages.max_size:
        yield f"pages: size {pages.size} is above the vendor's maximum {pages.max_size}"


def _wanted_size(endpoints: Sequence[Endpoint], wanted: int | None) -> Iterator[str]:
    for row in endpoints:
        most = row.pages.max_size
        if wanted is not None and most is not None and wanted > most:
            yield f"{row.name}: the setting page_size {wanted} is above the vendor's maximum {most}"


def _reaches(row: Endpoint, name: str, rows: Mapping[str, Endpoint], passed: set[str]) -> bool:
    if row.name == name:
        return True
    if row.name in passed:
        return False
    passed.add(row.name)
    return any(_reaches(rows[up.stream], name, rows, passed) for up in row.parents if up.stream in rows)


def _fails(read: Callable[[str], object], texts: list[str], what: str) -> Iterator[str]:
    for text in texts:
        try:
            read(text)
        except (SettingsError, re.error):
            yield f"{text} {what}"


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    if near:
        return f", did you mean {near[0]}?"
    return f" (known: {', '.join(sorted(known))})" if known else ""
