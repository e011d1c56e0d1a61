"""The newest row of a key by columns that the tap declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError
from target_delta.versions import by_version, is_older

from .conftest import Load, Rows, record, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = pa.schema([("a", pa.int64()), ("b", pa.string())])
VERSION = st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from(["", "x", "y"]))


def people(*versions: str) -> dict[str, Any]:
    message = schema("people", ["id"], id="integer", at="string", seq="integer", name="string")
    message["schema"]["x-version-keys"] = list(versions)
    return message


def person(number: int, at: str | None, seq: int | None, name: str, **more: Any) -> dict[str, Any]:
    return record("people", id=number, at=at, seq=seq, name=name, **more)


def table(versions: Sequence[tuple[Any, Any]]) -> pa.Table:
    return pa.table(
        {"a": [version[0] for version in versions], "b": [version[1] for version in versions]}, schema=KINDS
    )


def rank(version: tuple[Any, Any]) -> list[tuple[bool, Any]]:
    return [(value is not None, value if value is not None else 0) for value in version]


@given(st.lists(st.tuples(VERSION, VERSION), max_size=8))
def test_older_as_tuples_are(pairs: list[tuple[Any, Any]]) -> None:
    """Versions compare column after column, and NULL is older than any value."""
    left, right = table([pair[0] for pair in pairs]), table([pair[1] for pair in pairs])

    assert is_older(left, right).tolist() == [rank(one) < rank(other) for one, other in pairs]


@given(st.lists(VERSION, max_size=8))
def test_order_is_stable(versions: list[Any]) -> None:
    """The newest comes last, and of one version what came last."""
    numbered = table(versions).append_column("n", pa.array(range(len(versions)), pa.int64()))

    ordered = by_version(numbered, ["a", "b"])["n"].to_pylist()

    assert ordered == sorted(range(len(versions)), key=lambda place: rank(versions[place]))


def test_newest_wins_within_a_batch_and_against_the_table(load: Load, rows: Rows) -> None:
    """A row that comes late and is older changes nothing; one of the same version, or a newer one, replaces."""
    load([people("at", "seq"), person(1, "b", 2, "new"), person(1, "b", 1, "old"), person(2, "b", 1, "stored"),
          person(3, None, 1, "unknown"), person(4, "b", 1, "same")])  # fmt: skip

    load([people("at", "seq"), person(1, "a", 9, "older"), person(2, "b", 2, "newer"), person(3, "a", 0, "known"),
          person(4, "b", 1, "again"), person(5, "a", 0, "first")])  # fmt: skip

    assert [row["name"] for row in rows("people")] == ["new", "newer", "known", "again", "first"]


def test_older_row_with_omitted_columns(load: Load, rows: Rows) -> None:
    """What an older row leaves out matters not; a newer one keeps the stored value."""
    load([people("seq"), person(1, "kept", 5, "x"), person(2, "kept", 5, "x")])

    late = {"type": "RECORD", "stream": "people", "record": {"id": 1, "seq": 4, "name": "late", "_sdc_omitted": ["at"]}}
    new = {"type": "RECORD", "stream": "people", "record": {"id": 2, "seq": 6, "name": "new", "_sdc_omitted": ["at"]}}
    load([people("seq"), late, new])

    assert [(row["at"], row["name"]) for row in rows("people")] == [("kept", "x"), ("kept", "new")]


def test_column_that_is_not_there(load: Load) -> None:
    """A version column must be one of the stream's."""
    with pytest.raises(SafetyStopError, match="a column of x-version-keys is not in the SCHEMA, or has no order"):
        load([people("nonsense")])


def test_column_that_is_named_twice(load: Load, rows: Rows) -> None:
    """A tap that names a column again says nothing more by it."""
    load([people("at", "at"), person(1, "2", 1, "new")])

    load([people("at", "at"), person(1, "1", 2, "old")])

    assert [row["name"] for row in rows("people")] == ["new"]
