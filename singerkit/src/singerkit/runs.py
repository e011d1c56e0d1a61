"""Names of runs: each is its own, sorts by time and tells its process, so that a later run can ask whether it lives."""

from __future__ import annotations

import os
import secrets
import time


def new_run_id(now_s: float) -> str:
    """Return a name that no other run has, also not one that starts in the same second."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_s))
    return f"{stamp}-{secrets.token_hex(4)}-{os.getpid()}"


def is_alive(run: str) -> bool:
    """Tell whether the process of a run still lives on this machine; a name of another make is dead."""
    try:
        os.kill(int(run.rpartition("-")[2]), 0)
    except PermissionError:  # it lives, and is another user's
        return True
    except (ValueError, OSError):
        return False
    return True
