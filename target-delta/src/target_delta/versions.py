"""Which of two rows of a key is the newer, where the tap declares columns that say so (`x-version-keys`).

Takes tables; gives orders and comparisons, column after column. Pure. NULL is older than any value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from singerkit.errors import SafetyStopError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from target_delta.schema import StreamSchema

HINT = "x-version-keys"


def version_keys(schema: StreamSchema) -> tuple[str, ...]:
    """Return the columns that order the rows of a key; none where arrival does."""
    declared = schema.hints.get(HINT) or ()
    names = [declared] if isinstance(declared, str) else [str(name) for name in declared]
    kinds = {column.name: column.kind for column in schema.columns}
    for name in names:
        if kinds.get(name, "json") in {"json", "struct", "list"}:
            raise SafetyStopError(
                f"a column of {HINT} is not in the SCHEMA, or has no order",
                remedy="name scalar columns of the stream", stream=schema.stream, column=name,
            )  # fmt: skip
    return tuple(dict.fromkeys(names))


def by_version(table: pa.Table, versions: Sequence[str]) -> pa.Table:
    """Return the rows with the newest last; rows of one version stay in the order in which they came."""
    if not versions:
        return table
    return table.take(_order(table.select(versions)))


def is_older(rows: pa.Table, others: pa.Table) -> NDArray[np.bool_]:
    """Return for every row whether it is older than the row beside it; rows of one version are not."""
    older = np.zeros(rows.num_rows, dtype=bool)
    open_ = np.ones(rows.num_rows, dtype=bool)
    for name in rows.column_names:
        left, right = _ranks(rows[name], others[name])
        older |= open_ & (left < right)
        open_ &= left == right
    return older


def _ranks(one: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers that compare as the values of both columns do."""
    both = pa.chunked_array([*one.chunks, *other.chunks], one.type)
    order = _order(pa.table({"value": both}))
    values = both.take(order)
    same = pc.equal(values.slice(1), values.slice(0, len(values) - 1)).fill_null(False)  # noqa: FBT003  # pyarrow's own
    nulls = values.is_null().to_numpy()
    steps = ~(same.to_numpy() | (nulls[1:] & nulls[:-1])) if len(values) > 1 else np.zeros(0, dtype=bool)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order.to_numpy()] = np.concatenate([np.zeros(min(1, len(values)), dtype=np.int64), np.cumsum(steps)])
    return ranks[: len(one)], ranks[len(one) :]


def _order(table: pa.Table) -> pa.Array:
    """Return the stable order of the rows, column after column, NULL first."""
    columns: list[pa.ChunkedArray] = []
    for column in table.columns:
        columns += [column.is_valid().cast(pa.int8()), column]
    names = [str(place) for place in range(len(columns))]
    return pc.sort_indices(pa.table(columns, names=names), sort_keys=[(name, "ascending") for name in names])
