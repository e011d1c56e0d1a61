"""The texts of a column in the log to the Arrow array that a snapshot of the column would give. Pure but for `ask`.

Takes texts as an array of bytes; gives arrays for `tap_postgres.values.conform`. The session that wrote the texts
speaks UTC, ISO dates and intervals, and hexadecimal bytes, as ours all do.

Where a value needs the server's catalog to be read (a composite, an hstore, an array that becomes JSON), `ask` has the
server render the text by the very expression of a snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tap_postgres.cdc.literals import NestedArrayError, elements
from tap_postgres.failures import DataError
from tap_postgres.types import NESTED_ARRAY, PgType, Rendering, rendering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ask = Callable[[str, str, Sequence[str | None]], list[str | None]]
    """The SELECT expression of a rendering, the type's name, and texts of it -> what the server makes of them."""

_EPOCH_DAYS, _EPOCH_US = 10_957, 946_684_800_000_000  # from 1970 to 2000, which ADBC adds


@dataclass(frozen=True)
class Reading:
    """How one column of a relation is read: its name, its type, the type's full name, and what it becomes."""

    name: str
    type: PgType
    type_name: str
    rendering: Rendering


class Reader:
    """Reads columns; `money_digits` are the fraction digits of the server's currency."""

    def __init__(self, ask: Ask, *, money_digits: int = 2) -> None:
        self._ask = ask
        self._money_digits = money_digits

    def read(self, values: pa.Array, column: Reading, stream: str) -> pa.Array:
        """Return the values of a column, ready to be conformed."""
        texts = pc.cast(values, pa.string())
        if column.rendering.is_json_of_server:
            return self._asked(texts, column)
        if pa.types.is_list(column.rendering.arrow):
            return self._lists(texts, column, stream)
        return self._element(texts, column.type, column.rendering)

    def _asked(self, texts: pa.Array, column: Reading) -> pa.Array:
        if texts.null_count == len(texts):
            return texts
        return pa.array(self._ask(column.rendering.select, column.type_name, texts.to_pylist()), pa.string())

    def _lists(self, texts: pa.Array, column: Reading, stream: str) -> pa.Array:
        try:
            lists = [None if text is None else elements(text) for text in texts.to_pylist()]
        except NestedArrayError as error:
            what = f"{NESTED_ARRAY}{str(error).rpartition(' ')[2]}"
            remedy = "declare the column with its dimensions, as in integer[][], or deselect it"
            raise DataError(what, remedy=remedy, stream=stream, column=column.name) from error
        array = pa.array(lists, pa.list_(pa.string()))
        kind = replace(column.type, depth=0)
        values = self._element(array.values, kind, rendering(kind))
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(array.offsets, values, mask=mask)

    def _element(self, texts: pa.Array, kind: PgType, shown: Rendering) -> pa.Array:
        arrow = shown.arrow
        if kind.name == "money" and kind.builtin:
            return pa.array([_money(text, self._money_digits) for text in texts.to_pylist()], pa.string())
        if kind.name == "float4":  # first to the nearest float, as the server has it
            texts = pc.cast(texts, pa.float32())
        return _plain(texts, arrow)


def _plain(texts: pa.Array, arrow: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(arrow):
        return pc.equal(texts, "t")
    if pa.types.is_binary(arrow):
        return pa.array([None if text is None else bytes.fromhex(text[2:]) for text in texts.to_pylist()], arrow)
    if pa.types.is_temporal(arrow):
        return _temporal(texts, arrow)
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow):
        return pc.cast(texts, arrow)
    return texts  # texts as they are; decimals are conformed from their text


def _money(text: str | None, digits: int) -> str | None:
    """Return the number in the text of a currency, whatever its signs and separators are."""
    if text is None:
        return None
    figures = "".join(filter(str.isdigit, text)).rjust(digits + 1, "0")
    sign = "-" if "-" in text or "(" in text else ""
    whole, fraction = figures[: len(figures) - digits], figures[len(figures) - digits :]
    return f"{sign}{whole}.{fraction}" if digits else f"{sign}{whole}"


def _temporal(texts: pa.Array, arrow: pa.DataType) -> pa.Array:
    try:
        return pc.cast(texts, arrow)
    except pa.ArrowInvalid:  # infinity, BC, or years of more than four digits
        return pa.concat_arrays([_temporal_value(text, arrow) for text in texts.to_pylist()])


def _temporal_value(text: str | None, arrow: pa.DataType) -> pa.Array:
    """Return one value; what has no place in the calendar is the number that ADBC would read for it."""
    try:
        return pc.cast(pa.array([text], pa.string()), arrow)
    except pa.ArrowInvalid:
        early = text is not None and (text.startswith("-") or text.endswith("BC"))
        is_date = pa.types.is_date(arrow)
        bits, epoch = (32, _EPOCH_DAYS) if is_date else (64, _EPOCH_US)
        end = -(1 << bits - 1) if early else (1 << bits - 1) - 1
        wrapped = (end + epoch + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        return pa.array([wrapped], pa.int32() if is_date else pa.int64()).view(arrow)
