"""Which streams have a history, and which of their columns says when a row changed.

Takes settings, a SCHEMA and the committer of its table; gives a Past, or None. Refuses a stream without keys that is
asked for by name, and a column that holds no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from singerkit.errors import SettingsError
from target_delta.commit import Committer
from target_delta.contract import Contract
from target_delta.files import layout
from target_delta.partition_choice import CREATED
from target_delta.partitioning import Wanted
from target_delta.past import COMMITTED, Past
from target_delta.table import Table
from target_delta.validity import FROM
from target_delta.versions import version_keys

if TYPE_CHECKING:
    from target_delta.run import Run
    from target_delta.schema import StreamSchema
    from target_delta.settings import LoadMethod

_TIMES = ("instant", "local", "date")
_METHODS = ("upsert", "overwrite", "overwrite-stale")


def history_name(stream: str) -> str:
    """Return the stream that holds the versions of the rows of a stream."""
    return f"{stream}__history"


def time_column(schema: StreamSchema, said: bool | str) -> str | None:  # noqa: FBT001  # as the setting has it
    """Return the column that says when a row changed, or None where nothing does.

    The one that is named; else that of change data capture, else the first of `x-version-keys` that is a time, else
    the replication key, unless by its name it says when a row was made.
    """
    kinds = {column.name: column.kind for column in schema.columns}
    if isinstance(said, str):
        if kinds.get(said) not in _TIMES:
            raise SettingsError(
                "history names a column that the SCHEMA has not, or that holds no time",
                remedy="name one, or set true", stream=schema.stream, column=said,
            )  # fmt: skip
        return said
    marks = [name for name in schema.bookmarks if name.lower() not in CREATED]
    likely = [COMMITTED, *version_keys(schema), *(marks if len(schema.bookmarks) == 1 else ())]
    return next((name for name in likely if kinds.get(name) in _TIMES), None)


def past_of(run: Run, schema: StreamSchema, committer: Committer, method: LoadMethod) -> Past | None:
    """Return what keeps the history of a stream's table, or None where it has none."""
    said = run.settings.history_of(schema.stream)
    if said is False:
        return None
    if not schema.keys or method not in _METHODS:
        if isinstance(run.settings.history, Mapping):
            raise SettingsError(
                "history needs a stream with keys, which is not only appended to",
                remedy="name the streams that have one", stream=schema.stream,
            )  # fmt: skip
        return None
    partitioning = committer.table.wanted.partitioning
    follows = set(partitioning.keys) <= set(schema.keys)
    wanted = Wanted(partitioning, "as its table") if follows else Wanted(reason="its table's may change with a row")
    name, keys = history_name(schema.stream), schema.keys
    own = Committer(Table(run.store_of(name), name, wanted), run.id, run.worker.alive, started_ms=committer.started_ms)
    own.keys, own.contract = (*keys, FROM), Contract(types="evolve_to_text")
    return Past(committer.table, own, keys, layout(run.settings), time_column(schema, said), version_keys(schema))
