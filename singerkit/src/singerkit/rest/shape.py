"""Records to rows: names, the parent's columns, and only what is declared and selected.

Takes the records of a page; gives rows. Refuses two fields that would get one name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError
from singerkit.rest import selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singerkit.rest.endpoint import Endpoint

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def snake(name: str) -> str:
    """Return fieldName as field_name, and HTMLUrl as html_url."""
    return _HUMPS.sub("_", name).replace("-", "_").replace(" ", "_").lower()


def without(value: Any, path: Sequence[str]) -> Any:
    """Return a value without what a path leads to; lists on the way are gone through, one by one."""
    if isinstance(value, list):
        return [without(one, path) for one in value]
    name, *rest = path
    if not isinstance(value, dict) or name not in value:
        return value
    if rest:
        return {**value, name: without(value[name], rest)}
    return {key: one for key, one in value.items() if key != name}


def _whole(text: str) -> int | str:
    """Return the whole number that a text is; any other text stays as it is, for the loader to judge."""
    return int(text) if _INTEGER.fullmatch(text) else text


class Shaper:
    """Makes rows of one stream; remembers what it did with a set of field names, since records repeat them."""

    def __init__(self, endpoint: Endpoint, columns: Iterable[str] | None = None) -> None:
        self.endpoint = endpoint
        self.columns = None if columns is None else frozenset(columns)
        self.lifted = [(column, selector.matches(path)) for column, path in endpoint.lifted.items()]
        self.deep = [path.split(".") for path in endpoint.drop if "." in path]
        self.renaming = bool(endpoint.renames or endpoint.snake_case or endpoint.drop)
        inside = endpoint.inside
        self.within = [(column, selector.matches(path)) for column, path in (inside.lifted if inside else {}).items()]
        self.handed = (*endpoint.lifted, *(column for parent in endpoint.parents for column in parent.columns))
        self.known: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        self.fine: set[tuple[str, ...]] = set()
        self.undeclared: set[str] = set()

    def rows(self, records: list[dict[str, Any]], parent: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a page, or what holds them; a record that is fine as it is is not copied."""
        if self.lifted:
            records = [{**record, **self._lifted(record)} for record in records]
        if self.endpoint.inside is not None:
            return [{**record, **parent} for record in records]
        return self._finished(records, parent)

    def opened(self, found: list[dict[str, Any]], record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a list inside of a record, with the columns that they get from it."""
        for column, find in self.within:
            found = [{**one, column: values[0]} if (values := find(one)) else one for one in found]
        return self._finished(found, {name: record[name] for name in self.handed if name in record})

    def _finished(self, records: list[dict[str, Any]], parent: Mapping[str, Any]) -> list[dict[str, Any]]:
        for path in self.deep:
            records = [without(record, path) for record in records]
        if self.renaming:
            records = [self._renamed(record) for record in records]
        if parent:
            records = [{**record, **parent} for record in records]
        for name in self.endpoint.integers:
            records = [{**one, name: _whole(one[name])} if isinstance(one.get(name), str) else one for one in records]
        if self.columns is None:
            return records
        fine = self.fine  # a set of tuples: twice as fast as comparing the names of each record with the columns
        return [record if tuple(record) in fine else self._declared(record) for record in records]

    def _lifted(self, record: dict[str, Any]) -> dict[str, Any]:
        found = {column: find(record) for column, find in self.lifted}
        return {column: values[0] if values else None for column, values in found.items()}

    def _declared(self, record: dict[str, Any]) -> dict[str, Any]:
        columns = self.columns or frozenset()
        if record.keys() <= columns:
            self.fine.add(tuple(record))
            return record
        self.undeclared |= record.keys() - columns
        return {name: value for name, value in record.items() if name in columns}

    def _renamed(self, record: dict[str, Any]) -> dict[str, Any]:
        fields = tuple(record)
        pairs = self.known.get(fields)
        if pairs is None:
            pairs = self.known[fields] = self._pairs(fields)
        return {new: record[old] for old, new in pairs}

    def _pairs(self, fields: tuple[str, ...]) -> list[tuple[str, str]]:
        taken: dict[str, str] = {}
        for old in fields:
            if old in self.endpoint.drop:
                continue
            new = self.endpoint.renames.get(old) or (snake(old) if self.endpoint.snake_case else old)
            if new in taken:
                raise SafetyStopError(
                    "two fields would get one name",
                    stream=self.endpoint.name,
                    fields=f"{taken[new]} and {old}",
                    name=new,
                    remedy="give one of them another name in `renames`",
                )
            taken[new] = old
        return [(old, new) for new, old in taken.items()]
