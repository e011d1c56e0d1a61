"""Tables that change while they are captured: partitions, keys, columns, publications. No row is lost by that."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from singerkit.errors import SettingsError
from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import discovered, edited, sync
from tests.tap_postgres.test_cdc_sync import S, applied, capture, captures, cut_short, following, source, t

if TYPE_CHECKING:
    from tests.tap_postgres.running import Run

__all__ = ["database", "server", "t"]
pytestmark = pytest.mark.slow  # needs a server

P = "public-p"
PARTS = """
CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1, 'a'), (11, 'b');
"""


def test_partitions_that_come_and_go_while_they_are_read(t: Database) -> None:
    """Changes of a partition are the table's from ATTACH to DETACH, also where the publication has all tables."""
    t.psql(
        f"{PARTS} CREATE TABLE p3 (id int PRIMARY KEY, v text); DROP PUBLICATION tap_postgres;"
        "CREATE PUBLICATION tap_postgres FOR ALL TABLES"
    )
    names = {"tables": ["p"]}
    first = capture(t, **names)
    second = following(
        t,
        first.state,
        """
        INSERT INTO p3 VALUES (99, 'of nobody'); DELETE FROM p3; INSERT INTO p VALUES (2, 'c'), (12, 'd');
        SELECT pg_sleep(0.5);
        ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30);
        INSERT INTO p1 VALUES (15, 'not of p'); UPDATE p1 SET v = 'nor this'; INSERT INTO p VALUES (21, 'e');
        """,
        3,
        **names,
    )

    mine = applied([first, second], P)
    assert {key: row for key, row in mine.items() if key > 2} == source(t, "p")
    assert [mine[1]["v"], mine[2]["v"]] == ["a", "c"]  # what went with its partition is not in the log


@pytest.mark.parametrize("emptied", ["p1", "p"])
def test_a_partition_that_is_emptied_leaves_the_others(t: Database, emptied: str) -> None:
    """TRUNCATE of one partition has the table read again: its rows are gone, those of the others are not."""
    t.psql(f"{PARTS} ALTER PUBLICATION tap_postgres ADD TABLE p")
    first = capture(t)
    t.psql(f"TRUNCATE {emptied}; INSERT INTO p VALUES (3, 'after')")
    second = capture(t, first.state)

    assert applied([first, second], P) == source(t, "p")
    assert [r["_sdc_op"] for r in second.records[P]] == (["read"] * 2 if emptied == "p1" else ["insert"])


SWAPS = [
    pytest.param("UPDATE d SET id = 3 - id WHERE id < 3", id="two swap"),
    pytest.param("UPDATE d SET id = id + 1", id="all move on"),
    pytest.param("UPDATE d SET id = 2 WHERE id = 1; UPDATE d SET id = 9 WHERE v = 'a'", id="one passes through"),
    pytest.param("INSERT INTO d VALUES (2, 'new'); DELETE FROM d WHERE v = 'b'", id="one replaces another"),
    pytest.param("INSERT INTO d VALUES (2, 'x'); DELETE FROM d WHERE v = 'x'", id="one comes and goes"),
    pytest.param("UPDATE d SET id = 2 WHERE id = 1; DELETE FROM d; INSERT INTO d VALUES (2, 'z')", id="all go"),
]


@pytest.mark.parametrize("sql", SWAPS)
def test_keys_that_are_checked_when_a_transaction_commits(t: Database, sql: str) -> None:
    """Where two rows may have one key for a while, the key that one of them leaves still belongs to the other."""
    t.psql(
        """
        CREATE TABLE d (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text); ALTER TABLE d REPLICA IDENTITY FULL;
        INSERT INTO d VALUES (1, 'a'), (2, 'b'), (3, 'c'); ALTER PUBLICATION tap_postgres ADD TABLE d
        """
    )
    first = capture(t)
    t.psql(f"BEGIN; {sql}; COMMIT")
    second = capture(t, first.state)

    assert applied([first, second], "public-d") == source(t, "d")


def between_look_and_snapshot(database: Database, sql: str) -> Run:
    """Run SQL after a first run has looked at its tables, and before its snapshot: the slot waits for a transaction."""
    waits = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'tap_postgres' AND confirmed_flush_lsn IS NULL"
    with psycopg.connect(database.dsn) as early, ThreadPoolExecutor(1) as pool:
        early.execute("SELECT pg_catalog.pg_current_xact_id()")
        run = pool.submit(capture, database)
        while database.psql(waits) == "0" and not run.done():
            pass
        database.psql(sql)
        early.commit()
        return run.result()


CHANGED = [
    pytest.param("ALTER TABLE t ADD w int; INSERT INTO t VALUES (4, 'v', NULL, 7)", id="a column with values"),
    pytest.param("ALTER TABLE t ALTER id TYPE bigint", id="rewritten"),
]


@pytest.mark.parametrize("sql", CHANGED)
def test_a_table_that_is_altered_before_its_snapshot(t: Database, sql: str) -> None:
    """What a first run had looked at before its snapshot is not taken for what the snapshot has."""
    first = between_look_and_snapshot(t, sql)
    second = capture(t, first.state)

    assert applied([first, second]) == source(t)


def test_a_column_that_was_dropped_and_made_again(t: Database) -> None:
    """A column of the same name is another one: the values of the old one do not stay."""
    first = capture(t)
    t.psql("ALTER TABLE t DROP v; ALTER TABLE t ADD v text; INSERT INTO t (id, v) VALUES (4, 'new')")
    second = capture(t, first.state)

    assert applied([first, second]) == source(t)


def test_a_column_that_is_made_again_after_a_run_without_it(t: Database) -> None:
    """A loader keeps the values of a column that was dropped, so its name stays known for as long."""
    scripts = ("ALTER TABLE t DROP v; INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (5)", "ALTER TABLE t ADD v text")
    runs = captures(t, *scripts)
    last = capture(t, runs[-1].state)

    assert applied([*runs, last]) == source(t)
    assert last.records[S] == []


def test_a_column_that_an_expression_changed(t: Database) -> None:
    """A rewrite that keeps the type changes values all the same, and the log has none of them."""
    runs = captures(t, "ALTER TABLE t ALTER v TYPE text USING upper(v)", "VACUUM FULL t")

    assert applied(runs) == source(t)
    assert runs[-1].records[S] == []


def test_a_column_that_is_selected_later(t: Database) -> None:
    """The log has no values of rows that nobody changes, so the table is read again, once."""
    every = edited(discovered(t), S, selected=True, replication_method="LOG_BASED")
    first = sync(t, catalog=edited(every, S, "v", selected=False))
    second = sync(t, catalog=every, state=first.state)
    third = sync(t, catalog=every, state=second.state)

    assert applied([first, second, third]) == source(t)
    assert third.records[S] == []


def test_a_value_whose_column_is_gone(t: Database) -> None:
    """A row with a new key lacks a value that was stored apart; where its column was dropped since, nobody needs it."""
    first = capture(t)
    t.psql("UPDATE t SET id = 10 WHERE id = 1; ALTER TABLE t DROP doc; INSERT INTO t VALUES (4)")
    second = capture(t, first.state)

    mine = applied([first, second])
    assert {key: {n: v for n, v in row.items() if n != "doc"} for key, row in mine.items()} == source(t)


def test_a_first_load_whose_slot_was_dropped_begins_again(t: Database) -> None:
    """Parts that were read are of no use where the changes since are gone; none of these changes is passed over."""
    t.psql(
        "TRUNCATE t; INSERT INTO t SELECT g, 'old' FROM generate_series(1, 1000) g; ANALYZE t;"
        "UPDATE pg_class SET reltuples = 10000000, relpages = 244140 WHERE oid = 't'::regclass"
    )
    first = cut_short(capture(t, snapshot_workers=1), [0, 1])
    t.drop_slots()
    t.psql("UPDATE t SET v = 'new'")
    second = capture(t, first.state, snapshot_workers=1)

    assert applied([first, second]) == source(t)
    assert len(second.records[S]) == 1000


def test_a_first_load_whose_table_was_altered_begins_again(t: Database) -> None:
    """Parts that were read before a change that the log does not tell are read again with the others."""
    t.psql(
        "TRUNCATE t; INSERT INTO t SELECT g, 'old' FROM generate_series(1, 1000) g; ANALYZE t;"
        "UPDATE pg_class SET reltuples = 10000000, relpages = 244140 WHERE oid = 't'::regclass"
    )
    first = cut_short(capture(t, snapshot_workers=1), [0, 1])
    t.psql("ALTER TABLE t ADD w int DEFAULT 7")
    second = capture(t, first.state, snapshot_workers=1)

    assert applied([first, second]) == source(t)


def test_a_table_that_left_the_publication_and_came_back(t: Database) -> None:
    """What was written while nobody published it is not in the log: the table is read again."""
    first = capture(t)
    t.psql("ALTER PUBLICATION tap_postgres DROP TABLE t; INSERT INTO t VALUES (4); DELETE FROM t WHERE id = 1")
    with pytest.raises(SettingsError, match=r"public.t is in publication tap_postgres"):
        capture(t, first.state)
    t.psql("ALTER PUBLICATION tap_postgres ADD TABLE t")
    second = capture(t, first.state)

    assert applied([first, second]) == source(t)
    assert [r["_sdc_op"] for r in second.records[S]] == ["read"] * 3


def test_a_schema_that_left_the_publication_and_came_back(t: Database) -> None:
    """What is published by its schema left it too: the table is read again."""
    t.psql("DROP PUBLICATION tap_postgres; CREATE PUBLICATION tap_postgres FOR TABLES IN SCHEMA public")
    first = capture(t)
    t.psql("ALTER PUBLICATION tap_postgres DROP TABLES IN SCHEMA public; INSERT INTO t VALUES (4)")
    t.psql("ALTER PUBLICATION tap_postgres ADD TABLES IN SCHEMA public")
    second = capture(t, first.state)

    assert applied([first, second]) == source(t)


def test_a_replica_identity_that_lost_the_key(t: Database) -> None:
    """Changes that do not say of which row they are have the table read again, as soon as its identity is mended."""
    t.psql(
        "ALTER TABLE t ADD other int NOT NULL DEFAULT 0; UPDATE t SET other = id; CREATE UNIQUE INDEX o ON t (other)"
    )
    first = capture(t)
    t.psql(
        "ALTER TABLE t REPLICA IDENTITY USING INDEX o; DELETE FROM t WHERE id = 1; UPDATE t SET other = 9 WHERE id = 2"
    )
    with pytest.raises(SettingsError, match="the replica identity holds the key"):
        capture(t, first.state)
    t.psql("ALTER TABLE t REPLICA IDENTITY DEFAULT; INSERT INTO t VALUES (4)")
    second = capture(t, first.state)

    assert applied([first, second]) == source(t)


@pytest.mark.parametrize("keyed", [True, False])
def test_two_phase_slots_over_several_runs(t: Database, keyed: bool, request: pytest.FixtureRequest) -> None:
    """What is prepared on a two-phase slot comes with its commit, runs later, and nothing beside it comes twice."""
    t.psql("SELECT pg_create_logical_replication_slot('tap_postgres', 'pgoutput', false, true)")
    if not keyed:
        t.psql("ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t DROP CONSTRAINT t_pkey")
    runs = [capture(t)]
    request.addfinalizer(lambda: t.psql("ROLLBACK PREPARED 'a'") if t.psql("SELECT gid FROM pg_prepared_xacts") else "")
    for sql in (
        "BEGIN; INSERT INTO t VALUES (50, 'kept'); PREPARE TRANSACTION 'a'; INSERT INTO t VALUES (51, 'beside');",
        "BEGIN; INSERT INTO t VALUES (52, 'taken back'); PREPARE TRANSACTION 'b'; INSERT INTO t VALUES (53, 'too');",
        "COMMIT PREPARED 'a'; ROLLBACK PREPARED 'b'; INSERT INTO t VALUES (54, 'last')",
        "INSERT INTO t VALUES (55, 'more')",
    ):
        t.psql(sql)
        runs.append(capture(t, runs[-1].state))

    assert [[r["id"] for r in run.records[S]] for run in runs[1:]] == [[51], [53], [50, 54], [55]]
    assert applied(runs) == source(t)


def test_a_run_ends_where_it_has_read_enough_log(t: Database) -> None:
    """With `max_wal_mb` a run ends at the next commit, and the next run goes on there."""
    first = capture(t)
    insert = "INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series({0}, {0} + 700) g;"
    t.psql("".join(insert.format(number) for number in range(1000, 8000, 1000)))
    second = capture(t, first.state, max_wal_mb=1)
    third = capture(t, second.state)

    assert 700 < len(second.records[S]) < 3000
    assert applied([first, second, third]) == source(t)
    assert len(second.records[S]) + len(third.records[S]) == 7 * 701


def test_a_quiet_table_holds_no_log(t: Database) -> None:
    """The bookmark of a table in which nothing happens moves on with the others, so that the server may forget."""
    t.psql("CREATE TABLE quiet (id int PRIMARY KEY); ALTER PUBLICATION tap_postgres ADD TABLE quiet")
    first = capture(t)
    t.psql("INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series(100, 3000) g")
    second = capture(t, first.state)
    capture(t, second.state)

    marks: dict[str, Any] = second.state["bookmarks"]
    assert marks["public-quiet"]["replication_key_value"] == marks[S]["replication_key_value"]
    held = "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = 'tap_postgres'"
    assert int(t.psql(held)) == marks[S]["replication_key_value"]
    assert json.dumps(marks).count('"begin"') == 0


def test_a_type_whose_name_holds_a_percent_sign(t: Database) -> None:
    """What the server is asked to render is of a type by any name."""
    t.psql('CREATE TYPE "100%s" AS (a int); ALTER TABLE t ADD c "100%s"')
    first = capture(t)
    t.psql("INSERT INTO t VALUES (4, NULL, NULL, '(5)')")
    second = capture(t, first.state)

    assert [record["c"] for record in second.records[S]] == ['{"a":5}']


def test_a_column_that_is_named_as_what_a_row_says_of_itself(t: Database) -> None:
    """Its values would be written over: it is refused before anything is read, and the others go without it."""
    t.psql("ALTER TABLE t ADD _sdc_deleted_at timestamptz")
    with pytest.raises(SettingsError, match=r"what a captured row says of itself: _sdc_deleted_at"):
        capture(t)
    catalog = edited(discovered(t), S, selected=True, replication_method="LOG_BASED")
    run = sync(t, catalog=edited(catalog, S, "_sdc_deleted_at", selected=False))

    assert run.error is None
    assert [record["id"] for record in run.records[S]] == [1, 2, 3]
