"""What a RECORD line says is what the Arrow batch holds, for every type, value by value."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.arrow.lines import record_lines
from singerkit.arrow.text import json_text

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)


def texts(array: pa.Array) -> list[str]:
    return [str(text) for text in json_text(array).to_pylist()]


CASES = [
    pytest.param(pa.int16(), [-32768, None, 32767], ["-32768", "null", "32767"], id="small integers"),
    pytest.param(pa.int64(), [-(2**63), 2**63 - 1], ["-9223372036854775808", "9223372036854775807"], id="big integers"),
    pytest.param(pa.bool_(), [True, None, False], ["true", "null", "false"], id="booleans"),
    pytest.param(pa.float64(), [0.1, None, 1e300, -0.0], ["0.1", "null", "1e+300", "-0.0"], id="doubles"),
    pytest.param(
        pa.float64(), [math.nan, math.inf, -math.inf], ['"NaN"', '"Infinity"', '"-Infinity"'], id="not numbers"
    ),
    pytest.param(
        pa.decimal128(38, 10),
        [Decimal("0E-10"), Decimal("-0.0000000001"), Decimal("1234567890123456789012345678.0123456789")],
        ["0.0000000000", "-0.0000000001", "1234567890123456789012345678.0123456789"],
        id="decimals keep every digit",
    ),
    pytest.param(pa.date32(), [dt.date(1, 1, 1), None], ['"0001-01-01"', "null"], id="dates"),
    pytest.param(
        pa.timestamp("us", "UTC"),
        [dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC), None],
        ['"9999-12-31T23:59:59.999999Z"', "null"],
        id="timestamps with a zone",
    ),
    pytest.param(
        pa.timestamp("us", "Europe/Paris"),
        [dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)],
        ['"2024-07-01T12:00:00.000000Z"'],
        id="another zone is told in UTC",
    ),
    pytest.param(
        pa.timestamp("us"),
        [dt.datetime.fromisoformat("0001-01-01T00:00:00.000001")],
        ['"0001-01-01T00:00:00.000001"'],
        id="local timestamps",
    ),
    pytest.param(pa.time64("us"), [dt.time(1, 2, 3, 4)], ['"01:02:03.000004"'], id="times"),
    pytest.param(pa.binary(), [b"\x00\xff", None, b""], ['"AP8="', "null", '""'], id="bytes"),
    pytest.param(pa.null(), [None, None], ["null", "null"], id="nothing"),
    pytest.param(pa.list_(pa.int32()), [[1, None], [], None], ["[1,null]", "[]", "null"], id="lists"),
    pytest.param(
        pa.list_(pa.list_(pa.string())), [[["a,b"], None], [[]]], ['[["a,b"],null]', "[[]]"], id="lists of lists"
    ),
    pytest.param(
        pa.struct([("a", pa.int8()), ("b", pa.string())]),
        [{"a": 1, "b": 'x"'}, None, {"a": None, "b": None}],
        ['{"a":1,"b":"x\\""}', "null", '{"a":null,"b":null}'],
        id="structs",
    ),
    pytest.param(pa.dictionary(pa.int8(), pa.string()), ["a", None, "a"], ['"a"', "null", '"a"'], id="dictionaries"),
]


@pytest.mark.parametrize(("kind", "values", "expected"), CASES)
def test_each_type_has_its_json_text(kind: pa.DataType, values: list[Any], expected: list[str]) -> None:
    """A value has one text, in a whole array and in a slice of one."""
    array = pa.array(values, kind)
    padded = pa.concat_arrays([array, array]).slice(len(values))

    assert texts(array) == expected
    assert texts(padded) == expected


def test_a_type_without_text_is_refused() -> None:
    """A type that JSON cannot say exactly is an error of the tap, not a guess."""
    with pytest.raises(TypeError, match="month_day_nano"):
        json_text(pa.array([], pa.month_day_nano_interval()))


@given(st.lists(st.none() | st.text(), min_size=1))
def test_any_text_reads_back(values: list[str | None]) -> None:
    """Quotes, backslashes, control characters and other alphabets read back as they were."""
    encodable = [None if v is None else v.encode("utf-8", "ignore").decode() for v in values]

    assert [json.loads(text) for text in texts(pa.array(encodable, pa.string()))] == encodable


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_any_double_reads_back(values: list[float | None]) -> None:
    """Every double reads back to the same bits, the sign of zero included."""
    back = [json.loads(text) for text in texts(pa.array(values, pa.float64()))]

    assert back == values
    assert [v and math.copysign(1, v) for v in back] == [v and math.copysign(1, v) for v in values]


@given(
    st.lists(st.none() | st.decimals(places=12, allow_nan=False, allow_infinity=False, max_value=10**20), min_size=1)
)
def test_any_decimal_keeps_its_digits(values: list[Decimal | None]) -> None:
    """A decimal is written with all digits of its scale and never with an exponent."""
    values = [None if v is None or abs(v) >= 10**20 else v for v in values]
    out = texts(pa.array(values, pa.decimal128(38, 12)))

    assert [None if t == "null" else Decimal(t) for t in out] == values
    assert not any("E" in t for t in out)


@given(st.lists(st.none() | st.lists(st.none() | st.text(alphabet='a",\\\n\x00é'))))
def test_any_list_reads_back(values: list[Any]) -> None:
    """Commas, quotes and nulls inside a list stay inside it."""
    assert [json.loads(text) for text in texts(pa.array(values, pa.list_(pa.string())))] == values


def test_a_batch_becomes_one_line_a_row() -> None:
    """Names are quoted, order is kept, and the envelope is that of Singer."""
    batch = pa.record_batch({'a "b"': [1, 2], "blob": [b"x", None], "text": ["é\n", ""]})

    lines = b"".join(bytes(block) for block in record_lines("public-ä", batch, NOW)).decode().splitlines()

    envelope = {"type": "RECORD", "stream": "public-ä", "time_extracted": "2026-01-02T03:04:05.000006+00:00"}
    encoded = base64.b64encode(b"x").decode()
    assert [json.loads(line) for line in lines] == [
        envelope | {"record": {'a "b"': 1, "blob": encoded, "text": "é\n"}},
        envelope | {"record": {'a "b"': 2, "blob": None, "text": ""}},
    ]


def test_a_batch_without_columns_keeps_its_rows() -> None:
    """A row of no columns is still a row."""
    batch = pa.RecordBatch.from_struct_array(pa.array([{}, {}, {}], pa.struct([])))

    lines = b"".join(bytes(block) for block in record_lines("s", batch, NOW)).splitlines()

    assert [json.loads(line)["record"] for line in lines] == [{}, {}, {}]


@pytest.mark.slow
def test_a_large_batch_comes_in_slices() -> None:
    """A block is bounded, and no row is lost where one slice ends and the next begins."""
    batch = pa.record_batch({"n": range(3000), "text": ["x" * 10_000] * 3000})

    blocks = [bytes(block) for block in record_lines("s", batch, NOW)]

    assert len(blocks) > 2
    assert [json.loads(line)["record"]["n"] for block in blocks for line in block.splitlines()] == list(range(3000))
