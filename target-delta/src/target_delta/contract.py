"""What a stream may change of its table, and the columns that the table gets for it, before anything is written.

Takes the table's columns and those that come; gives the columns that the table should have. Pure. Refuses what the
contract freezes, and every change of a type that could change a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import pyarrow as pa
import pyarrow.types as pt

from singerkit.errors import SafetyStopError
from target_delta.conform import accepts, evolve
from target_delta.fitting import has_more
from target_delta.shape import TEXT, Shape, Way

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_delta.shape import Mode

Tables = Literal["evolve", "freeze", "discard_row"]
Columns = Literal["evolve", "freeze", "discard_value", "discard_row"]
Types = Literal["evolve", "evolve_to_text", "freeze", "discard_value", "discard_row", "variant"]

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
"""The digits that an integer of so many bits may have."""
_MOST_DIGITS = 38  # of a decimal of 128 bits
_BY_VALUE = ("discard_value", "discard_row", "variant")
OURS = "_sdc_"
"""Columns of this name say what a row is; a value there that does not fit ends the run."""


@dataclass(frozen=True)
class Contract:
    """What may change of tables, of their columns, and of the types of columns."""

    tables: Tables = "evolve"
    columns: Columns = "evolve"
    types: Types | None = None
    """None is `freeze`, but for full loads, which then bring types of their own."""
    limit_bytes: int = 2 << 30
    """Of a table: a larger one is not written again for a wider type."""

    @property
    def looks(self) -> bool:
        """Whether the columns of a table decide what becomes of single rows."""
        return self.discards_rows or self.types in ("evolve", "evolve_to_text", *_BY_VALUE)

    @property
    def misfits(self) -> Mode | None:
        """What becomes of a value that does not fit its SCHEMA; None where `on_invalid_record` says it."""
        return cast("Mode", self.types) if self.types in _BY_VALUE else None

    @property
    def discards_rows(self) -> bool:
        """Whether a row may be put aside for what it holds."""
        return "discard_row" in (self.tables, self.columns, self.types)

    def new_table(self, stream: str) -> None:
        """Stop where no table may be made."""
        if self.tables != "evolve":
            raise SafetyStopError(
                "the contract lets no table be made", remedy="make it first, or let schema_contract evolve tables",
                stream=stream,
            )  # fmt: skip

    def shape(self, table: pa.Schema | None, incoming: pa.Schema, fixed: Collection[str] = ()) -> Shape:
        """Return what becomes of the rows of a stream whose table has these columns, or is not there.

        `fixed` columns say which row is meant: none of their values may be left out of them.
        """
        if table is None:
            closed = "the contract lets no table be made" if self.tables == "discard_row" else None
            return Shape(incoming, closed=closed)
        ways = {new.name: way for new in incoming if (way := self._way(table, new, fixed)) is not None}
        return Shape(incoming, ways, self._beside(table, incoming, ways))

    def evolved(self, table: pa.Schema, incoming: pa.Schema) -> pa.Schema:
        """Return the columns that the table needs before rows of `incoming` are written, as far as they may change."""
        fields = {field.name: field for field in table}
        for new in incoming:
            field = self._field(table, new)
            old = fields.get(new.name)
            if old is not None and (field.type.equals(old.type) or not pt.is_nested(field.type)):
                fields[new.name] = field  # the same, or wider
            elif self._may_come(new.name, table):
                fields[new.name] = field
        return pa.schema(list(fields.values()), metadata=table.metadata)

    def of_load(self, table: pa.Schema | None, incoming: pa.Schema) -> pa.Schema:
        """Return the columns that a full load may bring: its own, with their types, but for new ones."""
        if table is None:
            return incoming
        if self.types == "freeze":
            evolve(table, incoming)  # says which type is another one
        return pa.schema([new for new in incoming if new.name in table.names or self._may_come(new.name, table)])

    def _way(self, table: pa.Schema, new: pa.Field, fixed: Collection[str]) -> Way | None:
        """Return how a column reaches the table, or None where it goes as it is, or stops the run."""
        way = self._free_way(table, new)
        stays = new.name in fixed or new.name.startswith(OURS)
        return None if way and stays and (way.to is None or way.mode in ("discard_value", "variant")) else way

    def _free_way(self, table: pa.Schema, new: pa.Field) -> Way | None:
        if new.name not in table.names:
            return Way(None) if self.columns == "discard_row" else None
        old = table.field(new.name).type
        if old.equals(new.type):
            return None
        if self.columns == "discard_row" and has_more(new.type, old):
            return Way(old, "discard_row")
        if self.types in ("evolve", "evolve_to_text"):
            return self._evolving(old, new.type)
        if self.types not in _BY_VALUE or (pt.is_nested(old) and _grows(table, new)):
            return None
        return Way(pa.string()) if pt.is_string(old) else Way(old, cast("Mode", self.types))

    def _evolving(self, old: pa.DataType, new: pa.DataType) -> Way | None:
        if pt.is_date(new) and pt.is_timestamp(old):
            return Way(old)
        if accepts(old, new) or wider(old, new) is not None or self.types == "evolve":
            return None
        return None if pt.is_nested(old) and _grows(pa.schema([("x", old)]), pa.field("x", new)) else Way(pa.string())

    def _beside(self, table: pa.Schema, incoming: pa.Schema, ways: Mapping[str, Way]) -> tuple[str, ...]:
        """Return the columns that have one of texts beside them, or get it."""
        if self.types != "variant":
            return ()
        changed = {name for name, way in ways.items() if way.mode == "variant"}
        names = [name for name in incoming.names if name in changed or name + TEXT in table.names]
        if taken := [name + TEXT for name in names if name + TEXT in incoming.names]:
            raise SafetyStopError(
                "the SCHEMA has a column of the name under which values stand that another does not take",
                remedy="rename it (stream_maps can do it), or set types of schema_contract to something else",
                column=taken[0],
            )  # fmt: skip
        return tuple(names)

    def _field(self, table: pa.Schema, new: pa.Field) -> pa.Field:
        try:
            return evolve(table, pa.schema([new])).field(new.name)
        except SafetyStopError:
            kind = self._wider(table.field(new.name).type, new.type) if new.name in table.names else None
            if kind is None:
                raise
            return table.field(new.name).with_type(kind)

    def _wider(self, old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
        if self.types == "evolve_to_text" and pt.is_string(new):
            return new
        return wider(old, new) if self.types in ("evolve", "evolve_to_text") else None

    def _may_come(self, column: str, table: pa.Schema) -> bool:
        if self.types == "variant" and column.endswith(TEXT) and column.removesuffix(TEXT) in table.names:
            return True  # what does not fit was asked for
        if self.columns == "freeze":
            raise SafetyStopError(
                "the contract lets no column be added",
                remedy="add it to the table, or set columns of schema_contract to evolve or discard_value",
                column=column,
            )  # fmt: skip
        return self.columns in ("evolve", "discard_row")


def _grows(table: pa.Schema, new: pa.Field) -> bool:
    """Return whether a nested column differs by new fields alone."""
    try:
        evolve(table, pa.schema([new]))
    except SafetyStopError:
        return False
    return True


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
