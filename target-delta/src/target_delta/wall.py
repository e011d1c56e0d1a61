"""Errors of the disk, the object store and delta-rs, said once in our words.

Takes what they raise; gives StoreError in one line. Lets everything else pass.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake.exceptions import DeltaError

from singerkit.errors import SafetyStopError, StoreError
from target_delta.faults import fault, said_by

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEDY = "nothing of this batch is in the table; mend the store and run again, the STATE has not moved"


@contextmanager
def store_errors(stream: str | None, path: str) -> Iterator[None]:
    """Raise StoreError for what the store and delta-rs raise inside; what was raised without its stream gets it."""
    try:
        yield
    except SafetyStopError as error:
        if stream:
            error.where.setdefault("stream", stream)
        raise
    except BrokenPipeError:  # it is stdout that ended, not the store
        raise
    except (OSError, DeltaError) as error:
        if "://" in path and (known := fault(error, stream=stream, path=path)):
            raise known from error
        why = getattr(error, "strerror", None) or said_by(error)
        raise StoreError("the store failed", remedy=_REMEDY, stream=stream, path=path, why=why) from error
    except (pa.ArrowInvalid, json.JSONDecodeError) as error:  # a data file; a log entry or a manifest
        raise StoreError(
            "a file of the table cannot be read", remedy=_REMEDY, stream=stream, path=path, why=said_by(error)
        ) from error
