"""A bookmark reads back as the very value it was made of, and refuses what is of another type."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.bookmarks import from_state, last_value, later, to_state
from singerkit.errors import SettingsError

WHERE = {"stream": "s", "key": "k", "remedy": "mend it"}
LOCAL = dt.datetime.fromisoformat("2024-01-01T00:00:00.000001")
INSTANT = LOCAL.replace(tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

READ = [
    pytest.param("2024-01-01T00:00:00.000001+00:00", pa.timestamp("us", "UTC"), INSTANT, id="microseconds"),
    pytest.param("2024-01-01T02:00:00.000001+02:00", pa.timestamp("us", "UTC"), INSTANT, id="another offset"),
    pytest.param("2024-01-01T00:00:00.000001Z", pa.timestamp("us", "UTC"), INSTANT, id="Z"),
    pytest.param("2024-01-01 00:00:00.000001", pa.timestamp("us", "UTC"), INSTANT, id="no offset is UTC"),
    pytest.param("2024-01-01", pa.timestamp("us", "UTC"), MIDNIGHT, id="a date is its midnight"),
    pytest.param("2024-01-01T00:00:00.000001", pa.timestamp("us"), LOCAL, id="local"),
    pytest.param("2024-01-01T00:00:00.000001Z", pa.timestamp("us"), LOCAL, id="local, told in UTC"),
    pytest.param("2024-02-29", pa.date32(), dt.date(2024, 2, 29), id="date"),
    pytest.param(9007199254740993, pa.int64(), 9007199254740993, id="integer"),
    pytest.param("12.50", pa.decimal128(12, 2), Decimal("12.50"), id="decimal"),
    pytest.param(12, pa.decimal128(12, 2), Decimal(12), id="decimal, a whole number"),
    pytest.param("", pa.string(), "", id="text"),
]


@pytest.mark.parametrize(("stored", "kind", "value"), READ)
def test_a_bookmark_is_read_by_the_type_of_its_column(stored: Any, kind: pa.DataType, value: Any) -> None:
    """What STATE holds becomes a value that compares as the column does."""
    assert from_state(stored, kind, **WHERE) == value


REFUSED = [
    pytest.param(True, pa.int64(), id="a boolean for an integer"),
    pytest.param("5", pa.int64(), id="a text for an integer"),
    pytest.param(5.0, pa.int64(), id="a double for an integer"),
    pytest.param(5, pa.timestamp("us", "UTC"), id="a number for a timestamp"),
    pytest.param("soon", pa.timestamp("us"), id="a word for a timestamp"),
    pytest.param("2024-01-01T00:00:00Z", pa.date32(), id="a timestamp for a date"),
    pytest.param("NaN", pa.decimal128(12, 2), id="no number for a decimal"),
    pytest.param(1.5, pa.decimal128(12, 2), id="a double for a decimal"),
    pytest.param("x", pa.decimal128(12, 2), id="a word for a decimal"),
    pytest.param({"a": 1}, pa.string(), id="an object for a text"),
    pytest.param(None, pa.string(), id="nothing for a text"),
]


@pytest.mark.parametrize(("stored", "kind"), REFUSED)
def test_a_bookmark_of_another_type_is_refused(stored: Any, kind: pa.DataType) -> None:
    """The error names the stream, the key and the remedy."""
    with pytest.raises(SettingsError, match=r"replication key k .*\(stream=s\); mend it"):
        from_state(stored, kind, **WHERE)


VALUES = {
    "timestamp with a zone": (st.datetimes(timezones=st.just(dt.UTC)), pa.timestamp("us", "UTC")),
    "timestamp without a zone": (st.datetimes(), pa.timestamp("us")),
    "date": (st.dates(), pa.date32()),
    "integer": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "decimal": (st.decimals(places=10, min_value=-(10**15), max_value=10**15), pa.decimal128(38, 10)),
    "text": (st.text(), pa.string()),
}


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data())
def test_every_value_survives_its_state(name: str, data: st.DataObject) -> None:
    """Through JSON and back, nothing is rounded and no microsecond is lost."""
    values, kind = VALUES[name]
    value = data.draw(values)

    assert from_state(json.loads(json.dumps(to_state(value))), kind, **WHERE) == value


@pytest.mark.parametrize(("values", "last"), [([1, 2, None], 2), ([None], None), ([], None), ([None, 3], 3)], ids=str)
def test_the_last_value_is_the_last_that_is_not_null(values: list[int | None], last: int | None) -> None:
    """NULLs say nothing of where a run has come to."""
    assert last_value(pa.array(values, pa.int64())) == last


def test_nothing_is_before_everything() -> None:
    """The later of a value and nothing is the value."""
    assert (later(None, 1), later(1, None), later(1, 2), later(None, None)) == (1, 1, 2, None)
