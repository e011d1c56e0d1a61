"""What a stream may change of its table, and the columns that the table gets for it, before anything is written.

Takes the table's columns and those that come; gives the columns that the table should have. Pure. Refuses what the
contract freezes, and every change of a type that could change a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.types as pt

from singerkit.errors import SafetyStopError
from target_delta.conform import evolve

Tables = Literal["evolve", "freeze"]
Columns = Literal["evolve", "freeze", "discard_value"]
Types = Literal["evolve", "freeze"]

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
"""The digits that an integer of so many bits may have."""
_MOST_DIGITS = 38  # of a decimal of 128 bits


@dataclass(frozen=True)
class Contract:
    """What may change of tables, of their columns, and of the types of columns."""

    tables: Tables = "evolve"
    columns: Columns = "evolve"
    types: Types = "freeze"
    limit_bytes: int = 2 << 30
    """Of a table: a larger one is not written again for a wider type."""

    def new_table(self, stream: str) -> None:
        """Stop where no table may be made."""
        if self.tables == "freeze":
            raise SafetyStopError(
                "the contract lets no table be made", remedy="make it first, or let schema_contract evolve tables",
                stream=stream,
            )  # fmt: skip

    def evolved(self, table: pa.Schema, incoming: pa.Schema) -> pa.Schema:
        """Return the columns that the table needs before rows of `incoming` are written, as far as they may change."""
        fields = {field.name: field for field in table}
        for new in incoming:
            field = self._field(table, new)
            old = fields.get(new.name)
            if old is not None and (field.type.equals(old.type) or not pt.is_nested(field.type)):
                fields[new.name] = field  # the same, or wider
            elif self._may_come(new.name):
                fields[new.name] = field
        return pa.schema(list(fields.values()), metadata=table.metadata)

    def of_load(self, table: pa.Schema | None, incoming: pa.Schema) -> pa.Schema:
        """Return the columns that a full load may bring: its own, with their types, but for new ones."""
        if table is None:
            return incoming
        return pa.schema([new for new in incoming if new.name in table.names or self._may_come(new.name)])

    def _field(self, table: pa.Schema, new: pa.Field) -> pa.Field:
        try:
            return evolve(table, pa.schema([new])).field(new.name)
        except SafetyStopError:
            kind = wider(table.field(new.name).type, new.type) if new.name in table.names else None
            if kind is None or self.types == "freeze":
                raise
            return table.field(new.name).with_type(kind)

    def _may_come(self, column: str) -> bool:
        if self.columns == "freeze":
            raise SafetyStopError(
                "the contract lets no column be added",
                remedy="add it to the table, or set columns of schema_contract to evolve or discard_value",
                column=column,
            )  # fmt: skip
        return self.columns == "evolve"


def wider(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    """Return the type that holds what both hold, or None where a value could change.

    Whole numbers become longer ones, decimals, or doubles (where each stored number has one: the rewrite looks);
    decimals get more digits on either side; dates become midnights.
    """
    if pt.is_integer(old) and pt.is_integer(new):
        return new if new.bit_width > old.bit_width else old
    if pt.is_integer(old) and pt.is_float64(new):
        return new
    if pt.is_integer(old) and pt.is_decimal(new):
        return _decimal(_DIGITS[old.bit_width], 0, new)
    if pt.is_decimal(old) and pt.is_decimal(new):
        return _decimal(old.precision - old.scale, old.scale, new)
    if pt.is_float32(old) and pt.is_float64(new):
        return new
    return new if pt.is_date32(old) and pt.is_timestamp(new) else None


def _decimal(whole: int, scale: int, new: pa.DataType) -> pa.DataType | None:
    scale = max(scale, new.scale)
    precision = max(whole, new.precision - new.scale) + scale
    return pa.decimal128(precision, scale) if precision <= _MOST_DIGITS else None
