"""Data files as the actions of a Delta log: what comes into a table, and what goes.

Takes files; gives what delta-rs commits. Refuses nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deltalake.transaction import AddAction, RemoveAction

if TYPE_CHECKING:
    from target_delta.files import DataFile
    from target_delta.snapshot import LiveFile

_MS = 1000


def add_action(file: DataFile, *, new: bool = True) -> AddAction:
    """Return what makes a data file part of the table; rows that were there before are not `new`."""
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values=dict(file.partition),
        modification_time=file.modified_ms,
        data_change=new,
        stats=file.stats,
    )


def remove_action(file: LiveFile, *, new: bool = True) -> RemoveAction:
    """Return what takes a live file out of the table; without `new` its rows are in another file now."""
    return RemoveAction(
        path=file.path,
        data_change=new,
        deletion_timestamp=int(time.time() * _MS),
        size=file.size,
        partition_values=dict(file.partition),
    )
