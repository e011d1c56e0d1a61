"""Arrow data of one type -> the table's type, and the table's schema -> the one it needs; never by changing a value.

Takes arrays, batches and schemas; gives them conformed. Refuses every cast that could change a value, and every
schema change that would need one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Callable

_NS_IN_S = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_ALL_DIGITS = 76  # decimal256: room for any integer at any scale of a decimal128


def evolve(table: pa.Schema, incoming: pa.Schema, within: str = "") -> pa.Schema:
    """Return the schema that the table needs before `incoming` is written: new columns, nullable, at the end.

    A column whose incoming type is the table's or narrower conforms. Names are compared as Delta compares them: a
    column that differs from the table's by case alone is refused. SafetyStopError for everything else.
    """
    known = {field.name.lower(): field for field in table}
    fields = {field.name: field for field in table}
    for new in incoming:
        old = known.get(new.name.lower())
        if old is not None and old.name != new.name:
            raise SafetyStopError(
                "a column differs from the table's by case only",
                remedy="rename it (stream_maps can do it)",
                table_column=old.name, column=f"{within}{new.name}",
            )  # fmt: skip
        kind = new.type if old is None else _evolved(old.type, new.type, f"{within}{new.name}")
        fields[new.name] = (new.with_nullable(True) if old is None else old).with_type(kind)  # noqa: FBT003  # pyarrow's
    return pa.schema(list(fields.values()), metadata=table.metadata)


def conform(batch: pa.RecordBatch, schema: pa.Schema, within: str = "") -> pa.RecordBatch:
    """Return the batch with the schema's columns, in its order and types; a column that is not there is NULL.

    Columns that the schema does not have are left out. SafetyStopError names the column that would change a value.
    """
    present = {name: index for index, name in enumerate(batch.schema.names)}
    arrays = [
        fit(batch.column(present[field.name]), field.type, f"{within}{field.name}")
        if field.name in present
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def fit(array: pa.Array, to: pa.DataType, path: str) -> pa.Array:
    """Return the array as another type with every value unchanged, or raise SafetyStopError."""
    if array.type.equals(to):
        return array
    try:
        return _fitted(array, to, path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError) as error:  # what Arrow cannot cast
        raise _refused(array.type, to, path) from error


def accepts(to: pa.DataType, incoming: pa.DataType) -> bool:
    """Tell whether a column of type `to` takes values of `incoming`; where some may not fit, `fit` looks at each."""
    incoming = _plain(incoming)
    if incoming.equals(to) or pt.is_null(incoming):
        return True
    if pt.is_integer(incoming) and pt.is_integer(to):
        return bool(to.bit_width >= incoming.bit_width)
    if pt.is_decimal(incoming) and pt.is_decimal(to):
        whole, incoming_whole = to.precision - to.scale, incoming.precision - incoming.scale
        return bool(to.scale >= incoming.scale and whole >= incoming_whole)
    if pt.is_timestamp(incoming) and pt.is_timestamp(to):
        return bool(incoming.tz) == bool(to.tz)
    return any(takes(to) and gives(incoming) for takes, gives in _ALIKE)


def _evolved(old: pa.DataType, new: pa.DataType, path: str) -> pa.DataType:
    if pt.is_struct(old) and pt.is_struct(new):
        inner = evolve(pa.schema(old.fields), pa.schema(new.fields), f"{path}.")
        return pa.struct(list(inner))
    if _is_list(old) and _is_list(new):
        element = old.value_field
        return pa.list_(element.with_type(_evolved(element.type, new.value_type, f"{path}[]")))
    if not accepts(old, new):
        raise _refused(new, old, path)
    return old


def _fitted(array: pa.Array, to: pa.DataType, path: str) -> pa.Array:
    plain = _plain(array.type)
    if not plain.equals(array.type):
        return fit(array.cast(plain), to, path)
    if pt.is_struct(plain) and pt.is_struct(to):
        return _fit_struct(array, to, path)
    if _is_list(plain) and _is_list(to):
        return _fit_list(array, to, path)
    if pt.is_integer(plain) and pt.is_decimal(to):
        return array.cast(pa.decimal256(_ALL_DIGITS, to.scale)).cast(to)
    if accepts(to, plain) or (pt.is_integer(plain) and pt.is_integer(to)):  # a narrower integer where each value fits
        return array.cast(to)
    raise _refused(array.type, to, path)


def _fit_struct(array: pa.StructArray, to: pa.StructType, path: str) -> pa.Array:
    # flatten() carries the parent's nulls into the children, which keeps what lies under a NULL from being checked
    inner = pa.RecordBatch.from_arrays(array.flatten(), schema=pa.schema(list(array.type)))
    children = conform(inner, pa.schema(list(to)), f"{path}.").columns
    return pa.StructArray.from_arrays(children, fields=list(to), mask=array.is_null())


def _fit_list(array: pa.Array, to: pa.ListType, path: str) -> pa.Array:
    if not pt.is_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return pa.ListArray.from_arrays(
        offsets, fit(array.flatten(), to.value_type, f"{path}[]"), type=to, mask=array.is_null()
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type that the same values have without dictionary, view, extension or 64-bit offsets."""
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type)
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if _is_text(kind):
        return pa.string()
    return pa.binary() if _is_bytes(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    alike: tuple[Callable[[pa.DataType], bool], ...] = (pt.is_binary, pt.is_large_binary, pt.is_binary_view)
    return any(one(kind) for one in alike) or bool(pt.is_fixed_size_binary(kind) and not pt.is_decimal(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind))


_ALIKE: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], bool]], ...] = (
    (pt.is_decimal, pt.is_integer),
    (pt.is_float64, pt.is_integer),
    (pt.is_float64, pt.is_floating),
    (pt.is_date, pt.is_date),
    (_is_text, _is_text),
    (_is_bytes, _is_bytes),
)


def _refused(incoming: pa.DataType, to: pa.DataType, path: str) -> SafetyStopError:
    return SafetyStopError(
        "a column cannot take the incoming values unchanged",
        remedy="correct the type in the tap's SCHEMA, or write to a new table",
        column=path, column_type=to, incoming_type=incoming,
    )  # fmt: skip
