"""What a run of change data capture reports of itself: changes by table, and the positions it began and ended at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import sync

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow  # needs a server


def test_changes_are_counted(database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A load counts rows, what follows counts changes; the bookmark before is that of the run before."""
    database.psql(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE TABLE u (id int PRIMARY KEY)"
    )
    database.psql("CREATE PUBLICATION tap_postgres FOR TABLE t, u")
    config: dict[str, Any] = {"default_replication_method": "LOG_BASED", "report_file": str(tmp_path / "report.json")}
    caplog.set_level("INFO")

    first = sync(database, **config)
    loaded = json.loads((tmp_path / "report.json").read_text())["streams"]
    database.psql("INSERT INTO t VALUES (3); UPDATE t SET id = 4 WHERE id = 1; DELETE FROM t WHERE id = 2")
    caplog.clear()
    second = sync(database, state=first.state, **config)
    followed = json.loads((tmp_path / "report.json").read_text())["streams"]

    assert (first.error, second.error) == (None, None)
    assert (loaded["public-t"]["read"], loaded["public-t"]["changes"]) == (2, 0)
    assert followed["public-t"]["changes"] == len(second.of("RECORD", "public-t")) > 2
    assert followed["public-u"]["changes"] == 0
    assert followed["public-t"]["bookmark_before"] == loaded["public-t"]["bookmark_after"]
    assert followed["public-t"]["bookmark_after"] == second.bookmark("public-t")
    assert "stream read written changes" in [" ".join(line.split()) for line in caplog.messages]
