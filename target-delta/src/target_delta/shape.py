"""Rows whose columns are not quite their table's: values that fit, texts beside a column, rows that are put aside.

Takes record batches by their SCHEMA; gives them with the columns that the table takes, and the rows that it does not.
Pure. The contract decides which way a column goes; here it is gone, value by value where it must be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from target_delta.fitting import fitting
from target_delta.texts import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Mode = Literal["discard_value", "discard_row", "variant"]

TEXT = "__text"
"""The ending of a column's name under which values stand that the column does not take."""


@dataclass(frozen=True)
class Way:
    """How the values of one column reach a table."""

    to: pa.DataType | None
    """The type of the table's column, or None where it has none: a row with a value there is put aside."""
    mode: Mode | None = None
    """What becomes of a value that does not fit; None where each one does, as a text or as the midnight of a day."""


@dataclass(frozen=True)
class Aside:
    """A row that the table does not take."""

    row: int
    column: str
    reason: str


@dataclass
class Fitted:
    """Rows as the table takes them, those among them that it does not take, and values that are in no column."""

    rows: pa.RecordBatch
    aside: Mapping[int, Aside]
    lost: Mapping[str, int]


@dataclass(frozen=True)
class Shape:
    """What becomes of the columns of one stream."""

    came: pa.Schema
    """The columns of the SCHEMA."""
    ways: Mapping[str, Way] = field(default_factory=dict)
    """The columns that do not go as they come."""
    beside: tuple[str, ...] = ()
    """The columns that have another beside them, for texts of values that do not fit."""
    closed: str | None = None
    """Why no row is taken at all, or None."""

    @property
    def is_plain(self) -> bool:
        """Whether every row goes as it comes."""
        return not self.ways and not self.beside and self.closed is None

    @property
    def columns(self) -> pa.Schema:
        """The columns as the table takes them."""
        fields = [f if (way := self.ways.get(f.name)) is None else f.with_type(way.to) for f in self._taken]
        return pa.schema([*fields, *(pa.field(name + TEXT, pa.string()) for name in self.beside)])

    @property
    def _taken(self) -> list[pa.Field]:
        gone = {name for name, way in self.ways.items() if way.to is None}
        return [one for one in self.came if one.name not in gone]

    def beside_all(self, names: Iterable[str]) -> bool:
        """Return whether each of these columns has one of texts beside it."""
        return set(names) <= set(self.beside)

    def with_texts(self, names: Iterable[str]) -> Shape:
        """Return the shape in which these columns have one of texts beside them, too."""
        return replace(self, beside=tuple(dict.fromkeys([*self.beside, *names])))

    def fitted(self, rows: pa.RecordBatch, odd: Mapping[str, pa.Array]) -> Fitted:
        """Return the rows with the columns of the table, those that are put aside still among them.

        `odd` are texts of values that did not fit the SCHEMA itself; these are NULL in the rows.
        """
        found = _Found(rows, dict(odd))
        if self.closed is not None:
            found.aside = {row: Aside(row, "", self.closed) for row in range(rows.num_rows)}
        for name, way in self.ways.items():
            if way.to is None:
                found.put_aside(name, rows[name].is_valid(), "the contract lets no column be added")
        arrays = [found.column(one.name, self.ways.get(one.name)) for one in self._taken]
        arrays += [found.texts.pop(name, pa.nulls(rows.num_rows, pa.string())) for name in self.beside]
        lost = found.lost + Counter({name: len(one) - one.null_count for name, one in found.texts.items()})
        return Fitted(pa.RecordBatch.from_arrays(arrays, schema=self.columns), found.aside, lost)


@dataclass
class _Found:
    """What was found in the columns of a batch so far."""

    rows: pa.RecordBatch
    texts: dict[str, pa.Array]
    aside: dict[int, Aside] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)

    def column(self, name: str, way: Way | None) -> pa.Array:
        """Return the values of a column that the table takes."""
        array = self.rows[name]
        if way is None or way.to is None:
            return array
        if way.mode is None:
            return array.cast(way.to) if pt.is_timestamp(way.to) else texts(array)
        values, misfit = fitting(array, way.to)
        if misfit.true_count:
            self._misfits(name, array, misfit, way.mode)
        return values

    def put_aside(self, name: str, which: pa.BooleanArray, reason: str) -> None:
        """Note the rows that are put aside; of several reasons the first is told."""
        for row, bad in enumerate(which.to_pylist()):
            if bad:
                self.aside.setdefault(row, Aside(row, name, reason))

    def _misfits(self, name: str, array: pa.Array, misfit: pa.BooleanArray, mode: Mode) -> None:
        match mode:
            case "discard_row":
                self.put_aside(name, misfit, "the table's column does not take the value")
            case "discard_value":
                self.lost[name] += misfit.true_count
            case "variant":
                written = pc.if_else(misfit, texts(array), pa.scalar(None, pa.string()))
                self.texts[name] = pc.coalesce(self.texts[name], written) if name in self.texts else written
