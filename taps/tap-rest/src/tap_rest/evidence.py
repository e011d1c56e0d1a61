"""What samples prove: where the records are, which fields are keys, which could be a bookmark. Pure.

Takes decoded bodies and records; gives paths, names and the sentence that stands beside them. Refuses to guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_rest.shapes import format_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Records = Sequence[Mapping[str, Any]]

_DEPTH = 4  # how deep records are looked for
_MOVES = (
    "updated_at",
    "updatedAt",
    "modified_at",
    "modifiedAt",
    "last_modified",
    "lastModified",
    "updated",
    "modified",
)
_STAYS = ("created_at", "createdAt", "created")
"""Fields that tell when a record changed come before those that tell when it came."""
FILTERS = (
    "updated_since",
    "since",
    "modified_since",
    "updated_after",
    "modified_after",
    "{field}_gte",
    "{field}_after",
    "{field}[gte]",
    "created_after",
    "start_date",
    "from",
)
"""Parameters that servers use for "from here on", in the order in which they are tried."""
CURSORS = ("cursor", "next_cursor", "page_token", "after", "starting_after", "continuation", "next")


def records_in(body: Any) -> tuple[str, list[dict[str, Any]]] | None:
    """Return the path and the records of the longest list of objects in a body, or None."""
    found = sorted(_lists(body, "$", 0), key=lambda one: (-len(one[1]), len(one[0])))
    return found[0] if found else None


def keys_of(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """Return the field that names a record, by name and by being unique in all samples, and the evidence."""
    if not records:
        return [], "no records"
    names = [name for name in records[0] if _unique([record.get(name) for record in records])]
    names.sort(key=_key_likeness)
    if not names or _key_likeness(names[0]) == _UNLIKELY:
        return [], f"no field with a key's name is unique in {len(records)} records"
    return names[:1], f"unique and never null in {len(records)} records"


def bookmark_candidates(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields that hold a moment in every record, the best name first."""
    names = dict.fromkeys(name for record in records for name in record)
    moments = [name for name in names if _moments([record.get(name) for record in records])]
    order = {name: place for place, name in enumerate((*_MOVES, *_STAYS))}
    return sorted((name for name in moments if name in order), key=order.__getitem__)


def stays(name: str, keys: Sequence[str], before: Records, after: Records) -> bool:
    """Return whether records that were asked for twice have the same value both times."""
    if not keys:  # then by their places
        return all(one.get(name) == other.get(name) for one, other in zip(before, after, strict=False))
    known = {record.get(keys[0]): record.get(name) for record in before}
    return all(known.get(record.get(keys[0]), record.get(name)) == record.get(name) for record in after)


def next_address(body: Any) -> str | None:
    """Return the path of a full or rooted address under a name like `next`, or None."""
    for path, value in _scalars(body, "$", 0):
        if "next" in path.lower() and isinstance(value, str) and (value.startswith("/") or urlsplit(value).scheme):
            return path
    return None


def tokens(body: Any) -> list[tuple[str, Any]]:
    """Return paths of values that could be a cursor: a name like `next` or `cursor`, and no address."""
    found = []
    for path, value in _scalars(body, "$", 0):
        last = path.rsplit(".", 1)[-1].lower()
        likely = any(word in last for word in ("cursor", "next", "token"))
        if likely and isinstance(value, str | int) and not isinstance(value, bool) and "://" not in str(value):
            found.append((path, value))
    return found


def flag(body: Any) -> str | None:
    """Return the path of a truth value under a name like `has_more`, or None."""
    names = {"has_more", "hasmore", "has_next", "hasnext", "more"}
    return next((path for path, v in _scalars(body, "$", 0) if isinstance(v, bool) and _last(path) in names), None)


def total(body: Any) -> str | None:
    """Return the path of a number under a name like `total`, or None."""
    names = {"total", "total_count", "totalcount", "count", "total_results"}
    found = (path for path, value in _scalars(body, "$", 0) if type(value) is int and _last(path) in names)
    return next(found, None)


def _lists(body: Any, path: str, depth: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if isinstance(body, list) and body and all(isinstance(one, dict) for one in body):
        yield path, body
    if isinstance(body, dict) and depth < _DEPTH:
        for name, inner in body.items():
            yield from _lists(inner, f"{path}.{name}", depth + 1)


def _scalars(body: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(body, dict) and depth < _DEPTH:
        for name, inner in body.items():
            yield from _scalars(inner, f"{path}.{name}", depth + 1)
    elif not isinstance(body, dict | list):
        yield path, body


def _unique(values: list[Any]) -> bool:
    plain = all(isinstance(value, str | int) and not isinstance(value, bool) for value in values)
    return plain and len({*values}) == len(values)


_UNLIKELY = 9


def _key_likeness(name: str) -> int:
    low = name.lower()
    exact = {"id": 0, "uuid": 1, "guid": 1, "_id": 1, "key": 2, "code": 3, "slug": 3, "sku": 3, "number": 4}
    return exact.get(low, 5 if low.endswith(("_id", "uuid")) else _UNLIKELY)


def _moments(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values) and format_of(values) is not None


def _last(path: str) -> str:
    return path.rsplit(".", 1)[-1].lower()
