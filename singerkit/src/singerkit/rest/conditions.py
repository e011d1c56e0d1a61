"""Conditions on records: which rows of a stream, and which parents of a child, are wanted. Pure.

Takes conditions and the values at their paths; gives yes or no. Refuses to compare values of two types.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.rest import selector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singerkit.rest.endpoint import Condition, Endpoint


_READ: Mapping[str, Callable[[Any, Any], bool]] = {
    "present": lambda found, _: found is not None,
    "absent": lambda found, _: found is None,
    "=": operator.eq,
    "!=": operator.ne,
    "in": lambda found, wanted: found in wanted,
    ">": lambda found, wanted: found is not None and found > wanted,
    "<": lambda found, wanted: found is not None and found < wanted,
}


def holds(condition: Condition, found: Any) -> bool:
    """Return whether a value meets a condition; one that is not there meets only `!=` and `absent`."""
    return bool(_READ[condition.is_](found, condition.value))


def wanted(row: Endpoint, record: Mapping[str, Any]) -> bool:
    """Return whether a record is a row of its stream."""
    try:
        return all(holds(one, selector.value(one.field, record)) for one in row.only_if)
    except TypeError as error:
        raise two_types(row.name) from error


def two_types(stream: str, **where: object) -> SettingsError:
    """Return the error for a condition that compares a number with a text."""
    return SettingsError(
        "a condition compares values of two types",
        stream=stream,
        **where,
        remedy="write the value in only_if as the records hold it: a number, or a text in quotes",
    )
