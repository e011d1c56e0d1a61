"""What runs of change data capture send, on a real server: equal to the source at the end, never confirmed early."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import SafetyStopError, SettingsError
from tap_postgres.cdc import lsn
from tests.postgres_server import Database, database, server
from tests.tap_postgres import test_types_server as types_of
from tests.tap_postgres.running import Run, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow  # needs a server

S = "public-t"


@pytest.fixture
def t(database: Database) -> Iterator[Database]:
    """A database with a captured table of three rows, one of whose columns is stored apart."""
    database.psql(
        """
        DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; DROP PUBLICATION IF EXISTS tap_postgres;
        CREATE TABLE t (id int PRIMARY KEY, v text, doc text); ALTER TABLE t ALTER doc SET STORAGE EXTERNAL;
        INSERT INTO t VALUES (1, 'a', repeat('long', 2000)), (2, 'b', 'short'), (3, NULL, NULL);
        CREATE PUBLICATION tap_postgres FOR TABLE t;
        """
    )
    yield database
    database.drop_slots()


def capture(database: Database, state: Any = None, **config: Any) -> Run:
    run = sync(database, state=state, default_replication_method="LOG_BASED", **config)
    if run.error:
        raise run.error
    return run


def captures(database: Database, *scripts: str) -> list[Run]:
    """Return a first run, and one after each script, each with the STATE of the one before."""
    runs = [capture(database)]
    for script in scripts:
        database.psql(script)
        runs.append(capture(database, runs[-1].state))
    return runs


def applied(runs: Sequence[Run], stream: str = S, key: str = "id") -> dict[Any, dict[str, Any]]:
    """Return what a loader that upserts and really deletes has in the end; a load that was cut short goes on."""
    rows: dict[Any, dict[str, Any]] = {}
    staged: tuple[int, dict[Any, dict[str, Any]]] | None = None
    for run in runs:
        begun = False
        for message in (message for message in run.messages if message.get("stream") == stream):
            if message["type"] == "RECORD":
                _upsert(staged[1] if staged else rows, dict(message["record"]), key)
            elif message["type"] == "ACTIVATE_VERSION":
                if begun and staged:
                    rows, staged, begun = staged[1], None, False
                else:
                    kept = staged[1] if staged and staged[0] == message["version"] else {}
                    staged, begun = (message["version"], kept), True
    return rows


def _upsert(rows: dict[Any, dict[str, Any]], record: dict[str, Any], key: str) -> None:
    omitted = record.pop("_sdc_omitted", None) or ()
    before = rows.get(record[key], {})
    if record["_sdc_deleted_at"]:
        rows.pop(record[key], None)
        return
    kept = {name: before.get(name) for name in omitted}
    rows[record[key]] = {name: value for name, value in {**record, **kept}.items() if not name.startswith("_sdc_")}


def source(database: Database, table: str = "t", key: str = "id") -> dict[Any, dict[str, Any]]:
    text = database.psql(f"SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM {table} t")
    return {row[key]: row for row in json.loads(text)}


def test_a_first_run_is_a_snapshot_and_the_next_one_its_changes(t: Database) -> None:
    """Insert, update, delete, a new key and values stored apart: after each run the loader has what the source has."""
    first = capture(t)
    begun = applied([first])
    t.psql(
        """
        INSERT INTO t VALUES (4, 'new', NULL); UPDATE t SET v = 'changed' WHERE id = 1; DELETE FROM t WHERE id = 2;
        UPDATE t SET id = 30 WHERE id = 3; UPDATE t SET id = 10 WHERE id = 1;
        """
    )
    second = capture(t, first.state)

    assert [record["_sdc_op"] for record in first.records[S]] == ["read"] * 3
    assert set(begun) == {1, 2, 3}
    assert applied([first, second]) == source(t)
    assert [record["_sdc_op"] for record in second.records[S]] == [
        "insert", "update", "delete", "delete", "update", "delete", "update",
    ]  # fmt: skip
    assert second.records[S][1]["_sdc_omitted"] == ["doc"]
    assert second.records[S][6]["doc"] == "long" * 2000


def test_rows_say_what_happened_to_them_and_when(t: Database) -> None:
    """Position, transaction and time of commit are those of the server; a deleted row says when, others do not."""
    first = capture(t)
    xid = t.psql(
        "BEGIN; SELECT pg_current_xact_id(); DELETE FROM t WHERE id = 1; UPDATE t SET v = 'x' WHERE id = 2; COMMIT"
    )
    second = capture(t, first.state)

    deleted, updated = second.records[S]
    at = deleted["_sdc_commit_at"]
    assert (deleted["_sdc_xid"], updated["_sdc_xid"]) == (int(xid), int(xid))
    assert deleted["_sdc_lsn"] == updated["_sdc_lsn"] > first.bookmark(S)["replication_key_value"]
    assert (deleted["_sdc_deleted_at"], updated["_sdc_deleted_at"]) == (at, None)
    assert deleted["_sdc_omitted"] == ["v", "doc"]


def test_truncate_empties_the_table(t: Database) -> None:
    """TRUNCATE is a full load of no rows, between the rows before it and those after it."""
    first = capture(t)
    t.psql("INSERT INTO t VALUES (4); TRUNCATE t; INSERT INTO t VALUES (5, 'after')")
    second = capture(t, first.state)

    kinds = [message["type"] for message in second.messages if message.get("stream") == S]
    assert kinds == ["SCHEMA", "RECORD", "ACTIVATE_VERSION", "ACTIVATE_VERSION", "RECORD"]
    assert applied([first, second]) == source(t)


def test_the_whole_row_comes_where_the_identity_is_full(t: Database) -> None:
    """With REPLICA IDENTITY FULL a deleted row is whole, and nothing that was stored apart is left out."""
    t.psql("ALTER TABLE t REPLICA IDENTITY FULL")
    first = capture(t)
    t.psql("UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET id = 11 WHERE id = 1; DELETE FROM t WHERE id = 2")
    second = capture(t, first.state)

    assert applied([first, second]) == source(t)
    assert not any(record.get("_sdc_omitted") for record in second.records[S])
    assert second.records[S][-1]["v"] == "b"


def test_a_column_that_is_added_comes_with_a_new_schema(t: Database) -> None:
    """A nullable column needs no more than a SCHEMA; one with a default, or another name, a new read of the table."""
    first, second, third = captures(
        t,
        "INSERT INTO t VALUES (4); ALTER TABLE t ADD w int; INSERT INTO t VALUES (5, 'v', NULL, 7)",
        "ALTER TABLE t ADD d int DEFAULT 9; ALTER TABLE t RENAME w TO renamed; ALTER TABLE t DROP v",
    )
    fourth = capture(t, third.state)

    assert not second.of("ACTIVATE_VERSION")
    assert [(r["id"], r["w"]) for r in second.records[S]] == [(4, None), (5, 7)]
    assert len(third.of("ACTIVATE_VERSION")) == 2
    assert applied([first, second, third]) == source(t)
    assert not fourth.records[S]


def following(database: Database, state: Any, sql: str, seconds: int = 4, **config: Any) -> Run:
    """Run SQL while a run follows the log, and return what it sent until it ended by itself."""
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(capture, database, state, follow=True, max_run_s=seconds, **config)
        asked = f"SELECT count(*) FROM pg_replication_slots WHERE database = '{database.name}' AND active"
        while database.psql(asked) == "0" and not run.done():
            pass
        database.psql(sql)
        return run.result()


def test_an_alter_in_the_middle_of_a_run_is_followed(t: Database) -> None:
    """A column that appears has a new SCHEMA before its first row; one with values in it has the table read again."""
    first = capture(t)
    second = following(
        t,
        first.state,
        """
        INSERT INTO t VALUES (4); ALTER TABLE t ADD w int; INSERT INTO t VALUES (5, 'v', NULL, 7);
        SELECT pg_sleep(1);
        ALTER TABLE t ADD d text DEFAULT 'filled'; INSERT INTO t VALUES (6);
        """,
    )

    shapes = [sorted(set(m["schema"]["properties"]) & {"w", "d"}) for m in second.of("SCHEMA", S)]
    assert shapes[:2] == [[], ["w"]]
    assert shapes[-1] == ["d", "w"]
    assert len(second.of("ACTIVATE_VERSION")) == 2
    assert applied([first, second]) == source(t)


def test_a_type_that_changes_in_the_middle_of_a_run(t: Database) -> None:
    """The table is read again in its new type, under a SCHEMA that says so, in the run that saw the change."""
    t.psql("ALTER TABLE t ADD n numeric(12,2)")
    first = capture(t)
    change = "ALTER TABLE t ALTER n TYPE numeric(14,3); INSERT INTO t VALUES (5, NULL, NULL, 1.125)"
    second = following(t, first.state, f"INSERT INTO t VALUES (4); {change}", 4)

    scales = [m["schema"]["properties"]["n"]["x-decimal"]["scale"] for m in second.of("SCHEMA", S)]
    assert (scales[0], scales[-1]) == (2, 3)
    assert str(applied([first, second])[5]["n"]) == "1.125"


def test_the_server_is_told_what_a_loader_has_stored(t: Database, tmp_path: Path) -> None:
    """While a run follows the log, the position in the loader's STATE is confirmed, and none that is further."""
    first = capture(t)
    t.psql("INSERT INTO t VALUES (4)")
    between = capture(t, first.state)
    t.psql("INSERT INTO t VALUES (5)")
    stored = tmp_path / "state.jsonl"
    stored.write_text(json.dumps(between.state) + "\n" + '{"bookm')

    following(t, first.state, "INSERT INTO t VALUES (6)", 7, confirm_from=str(stored))

    assert confirmed(t) == between.bookmark(S)["replication_key_value"]


def test_a_heartbeat_moves_a_quiet_slot(t: Database) -> None:
    """Where nothing happens in this database, the STATE moves on all the same."""
    first = capture(t)
    second = following(t, first.state, "SELECT 1", 3, heartbeat_s=1)

    moved = [state["value"]["bookmarks"][S]["replication_key_value"] for state in second.of("STATE")]
    assert moved[-1] > moved[0]
    assert not second.records[S]


def test_nothing_is_confirmed_because_it_was_read(t: Database) -> None:
    """The server is told the position of the STATE that a run starts with, and nothing beyond it."""
    first = capture(t)
    at_first = confirmed(t)
    t.psql("INSERT INTO t VALUES (4)")
    second = capture(t, first.state)
    at_second = confirmed(t)
    capture(t, second.state)

    assert at_second == first.bookmark(S)["replication_key_value"] >= at_first
    assert confirmed(t) == second.bookmark(S)["replication_key_value"] > at_second


def confirmed(database: Database) -> int:
    asked = f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = '{database.name}'"
    return lsn.from_text(database.psql(asked))


def test_a_run_that_is_repeated_sends_the_same_changes(t: Database) -> None:
    """A STATE that is used again brings everything after it again: nothing was forgotten meanwhile."""
    first = capture(t)
    t.psql("INSERT INTO t VALUES (4); DELETE FROM t WHERE id = 4")
    runs = [capture(t, first.state) for _ in range(2)]

    assert [record["_sdc_op"] for record in runs[0].records[S]] == ["insert", "delete"]
    assert [r | {"_sdc_": 0} for r in runs[0].records[S]] == [r | {"_sdc_": 0} for r in runs[1].records[S]]


def test_a_transaction_that_began_before_the_snapshot_arrives(t: Database) -> None:
    """What was open while the snapshot was read, and what committed between others, comes with its commit."""
    import psycopg

    with psycopg.connect(t.dsn) as early:
        early.execute("INSERT INTO t VALUES (100, 'early')")
        t.psql("INSERT INTO t VALUES (101, 'before')")
        # a slot waits for the transactions that are open while it is made, so it is made first
        early.commit()
        first = capture(t)
        early.execute("INSERT INTO t VALUES (102, 'low position')")
        t.psql("INSERT INTO t VALUES (103, 'committed first')")
        second = capture(t, first.state)
        early.commit()
    third = capture(t, second.state)

    assert [r["id"] for r in second.records[S]] == [103]
    assert [r["id"] for r in third.records[S]] == [102]
    assert applied([first, second, third]) == source(t)


@pytest.mark.parametrize("how", ["dropped", "ahead", "another server"])
def test_changes_that_are_gone_are_never_passed_over(t: Database, how: str) -> None:
    """A slot that has lost what the STATE needs ends the run, or all tables are read anew where the settings say so."""
    first = capture(t)
    t.psql("INSERT INTO t VALUES (4)")
    state = json.loads(json.dumps(first.state))
    if how == "dropped":
        t.drop_slots()
    elif how == "ahead":
        t.psql("SELECT pg_replication_slot_advance('tap_postgres', pg_current_wal_lsn())")
    else:
        state["bookmarks"][S]["capture"]["system"] = "1"

    with pytest.raises(SafetyStopError, match=r"changes are lost: .*on_lost"):
        capture(t, state)
    again = capture(t, state, on_lost="resnapshot")

    assert [record["_sdc_op"] for record in again.records[S]] == ["read"] * 4
    assert applied([first, again]) == source(t)


def test_a_table_added_later_is_read_without_disturbing_the_others(t: Database) -> None:
    """A new table is read as of a moment of its own; the others go on with their changes, and both end up equal."""
    first = capture(t)
    t.psql("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1); ALTER PUBLICATION tap_postgres ADD TABLE u")
    t.psql("INSERT INTO t VALUES (4); INSERT INTO u VALUES (2)")
    second = capture(t, first.state)
    t.psql("INSERT INTO u VALUES (3)")
    third = capture(t, second.state)

    assert [r["_sdc_op"] for r in second.records["public-u"]] == ["read", "read"]
    assert [r["_sdc_op"] for r in second.records[S]] == ["insert"]
    assert [r["_sdc_op"] for r in third.records["public-u"]] == ["insert"]
    assert applied([first, second, third], "public-u") == source(t, "u")
    assert t.psql(f"SELECT count(*) FROM pg_replication_slots WHERE database = '{t.name}'") == "1"


REFUSED = [
    pytest.param(
        "DROP PUBLICATION tap_postgres", "publication tap_postgres exists.*CREATE PUBLICATION", id="publication"
    ),
    pytest.param("CREATE TABLE u (id int PRIMARY KEY)", "public.u is in publication.*ADD TABLE", id="outside"),
    pytest.param(
        "CREATE TABLE u (id int); ALTER PUBLICATION tap_postgres ADD TABLE u",
        "public.u has a replica identity.*FULL",
        id="identity",
    ),
    pytest.param(
        "CREATE UNLOGGED TABLE u (id int PRIMARY KEY)", "public.u is a table whose changes are logged", id="unlogged"
    ),
    pytest.param(
        "ALTER PUBLICATION tap_postgres SET (publish = 'insert')",
        "publishes every kind of change: not published: update",
        id="kinds",
    ),
]


@pytest.mark.parametrize(("sql", "why"), REFUSED)
def test_what_is_missing_is_said_before_anything_is_read(t: Database, sql: str, why: str) -> None:
    """A requirement that is not met ends the run with what mends it; no slot is made."""
    t.psql(sql)

    with pytest.raises(SettingsError, match=why):
        capture(t)

    assert t.psql(f"SELECT count(*) FROM pg_replication_slots WHERE database = '{t.name}'") == "0"


def test_partitions_come_under_the_name_of_their_table(t: Database) -> None:
    """A partitioned table is one stream, whether the publication names its root or its partitions."""
    t.psql(
        """
        CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
        INSERT INTO p VALUES (1, 'a'), (11, 'b'); ALTER PUBLICATION tap_postgres ADD TABLE p;
        """
    )
    first = capture(t)
    t.psql("INSERT INTO p VALUES (2, 'c'); UPDATE p SET id = 12 WHERE id = 1; DELETE FROM p WHERE id = 11")
    new = "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30); INSERT INTO p VALUES (22, 'newer'), (13, 'x')"
    second = following(t, first.state, new, 3)
    t.psql("ALTER PUBLICATION tap_postgres SET (publish_via_partition_root = true); INSERT INTO p VALUES (3, 'd')")
    third = capture(t, second.state)

    assert applied([first, second, third], "public-p") == source(t, "p")


def test_columns_and_rows_are_those_of_the_publication(t: Database) -> None:
    """A snapshot holds the rows that the publication publishes, so that it fits the changes after it."""
    t.psql("CREATE TABLE f (id int PRIMARY KEY, v text, g int GENERATED ALWAYS AS (id * 2) STORED)")
    t.psql("INSERT INTO f VALUES (1, 'a'), (20, 'b'); ALTER PUBLICATION tap_postgres ADD TABLE f WHERE (id > 10)")
    first = capture(t)
    t.psql("INSERT INTO f VALUES (2, 'c'), (21, 'd')")
    second = capture(t, first.state)

    assert sorted(applied([first, second], "public-f")) == [20, 21]
    assert all("g" not in record for run in (first, second) for record in run.records["public-f"])


@pytest.mark.parametrize("streaming", [False, True])
def test_large_and_rolled_back_transactions(t: Database, streaming: bool) -> None:
    """Large transactions come whole, in pieces or not; what a savepoint or ROLLBACK took back never comes."""
    first = capture(t)
    rows = "INSERT INTO t SELECT g, repeat('x', 300), NULL FROM generate_series({}, {}) g;"
    t.psql(
        f"BEGIN; {rows.format(1000, 3000)} SAVEPOINT s; {rows.format(5000, 6000)}"
        f" ROLLBACK TO s; {rows.format(7000, 7100)} COMMIT; BEGIN; {rows.format(8000, 9000)} ROLLBACK"
    )
    second = capture(t, first.state, stream_transactions=streaming)

    assert applied([first, second]) == source(t)
    assert len(second.records[S]) == 2001 + 101


def test_prepared_transactions_come_with_their_commit(t: Database) -> None:
    """PREPARE TRANSACTION sends nothing, COMMIT PREPARED everything."""
    first = capture(t)
    t.psql("BEGIN; INSERT INTO t VALUES (50, 'p'); PREPARE TRANSACTION 'g'; INSERT INTO t VALUES (51, 'q')")
    second = capture(t, first.state)
    t.psql("COMMIT PREPARED 'g'")
    third = capture(t, second.state)

    assert [record["id"] for record in second.records[S]] == [51]
    assert [record["id"] for record in third.records[S]] == [50]


def test_changes_are_read_as_a_snapshot_reads_them(database: Database) -> None:
    """Type by type, with all extremes, a change gives the very value that reading the table gives."""
    database.psql(
        """
        DROP SCHEMA IF EXISTS public, ext CASCADE; CREATE SCHEMA public; DROP PUBLICATION IF EXISTS tap_postgres;
        CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;
        SET search_path = public, ext;
        CREATE TYPE mood AS ENUM ('sad', 'it''s'); CREATE TYPE pair AS (x int, y text);
        CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN amount AS price; CREATE DOMAIN amounts AS price[];
        """
    )
    cases = [(case.values[0].type, case.values[0].values) for case in types_of.CASES]
    cases += [(kind, (value,)) for kind, value, _ in (far.values for far in types_of.FAR)]
    tables = [f"t{number}" for number in range(len(cases))]
    made = [
        f"CREATE TABLE {table} (n int PRIMARY KEY, v {kind});" for table, (kind, _) in zip(tables, cases, strict=True)
    ]
    database.psql("SET search_path = public, ext;" + "".join(made) + "CREATE PUBLICATION tap_postgres FOR ALL TABLES")
    first = capture(database, out_of_range="clamp", tables=["t*"])
    for table, (kind, values) in zip(tables, cases, strict=True):
        types_rows = ", ".join(f"({n}, $v${value}$v$::{kind})" for n, value in enumerate(values))
        database.psql(
            f"SET search_path = public, ext; INSERT INTO {table} VALUES {types_rows}; INSERT INTO {table} VALUES (99)"
        )

    changes = capture(database, first.state, out_of_range="clamp", tables=["t*"])
    read = sync(database, out_of_range="clamp", tables=["t*"])
    database.drop_slots()

    for table, (kind, values) in zip(tables, cases, strict=True):
        told = {r["n"]: r["v"] for r in changes.records[f"public-{table}"]}
        assert told == {r["n"]: r["v"] for r in read.records[f"public-{table}"]}, (kind, values)
        assert len(told) == len(values) + 1


def test_a_connection_that_is_lost_is_opened_again(t: Database) -> None:
    """Where the server hangs up in the middle, the run goes on from the last commit, and no row is sent twice."""
    first = capture(t)
    insert = "INSERT INTO t SELECT g FROM generate_series({}, {}) g;"
    cut = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active; SELECT pg_sleep(0.3);"
    second = following(
        t, first.state, insert.format(10, 20) + cut + insert.format(21, 30) + cut + insert.format(31, 40), 8
    )

    assert sorted(record["id"] for record in second.records[S]) == [*range(10, 41)]
    assert applied([first, second]) == source(t)


def cut_short(run: Run, done: list[int]) -> Run:
    """Return the run as it was when its STATE said that these parts were complete."""
    for place, message in enumerate(run.messages):
        if message["type"] == "STATE":
            load = message["value"]["bookmarks"].get(S, {}).get("full_load", {})
            if load.get("done") == done:
                return Run(run.messages[: place + 1])
    raise AssertionError("no STATE names these parts")


@pytest.mark.parametrize("keyed", [True, False])
def test_a_first_snapshot_that_was_killed_goes_on(t: Database, keyed: bool) -> None:
    """Parts that are complete are not read again; what changed meanwhile comes from the log, and all rows are equal."""
    t.psql(
        "TRUNCATE t; INSERT INTO t SELECT g, 'old' FROM generate_series(1, 1000) g; ANALYZE t;"
        "UPDATE pg_class SET reltuples = 10000000, relpages = 244140 WHERE oid = 't'::regclass"
    )
    settings: dict[str, Any] = {"snapshot_workers": 1, "resume_snapshots": keyed}
    first = cut_short(capture(t, **settings), [0, 1])
    t.psql(
        "UPDATE t SET v = 'new' WHERE id % 100 = 0; DELETE FROM t WHERE id % 100 = 1; INSERT INTO t VALUES (2000);"
        "UPDATE t SET id = 3000 WHERE id = 2; UPDATE t SET id = 4000 WHERE id = 999"
    )
    second = capture(t, first.state, **settings)
    third = capture(t, second.state, **settings)

    numbers = {message["version"] for run in (first, second) for message in run.of("ACTIVATE_VERSION")}
    assert len(numbers) == (1 if keyed else 2)
    read_again = [r for r in second.records[S] if r["_sdc_op"] == "read" and r["id"] <= 200]
    assert bool(read_again) is not keyed
    assert applied([first, second, third]) == source(t)


def test_a_table_without_a_key_is_a_list_of_changes(t: Database) -> None:
    """Without a key each change is a row of its own, whole, with what happened."""
    t.psql(
        "CREATE TABLE log (v text); ALTER TABLE log REPLICA IDENTITY FULL; INSERT INTO log VALUES ('a'), ('a');"
        "ALTER PUBLICATION tap_postgres ADD TABLE log"
    )
    first = capture(t)
    t.psql("INSERT INTO log VALUES ('b'); UPDATE log SET v = 'c' WHERE v = 'b'; DELETE FROM log WHERE v = 'c'")
    second = capture(t, first.state)

    assert [(r["_sdc_op"], r["v"]) for r in first.records["public-log"]] == [("read", "a"), ("read", "a")]
    assert [(r["_sdc_op"], r["v"]) for r in second.records["public-log"]] == [
        ("insert", "b"), ("update", "c"), ("delete", "c"),
    ]  # fmt: skip


def test_tables_of_several_methods_in_one_run(t: Database) -> None:
    """A view beside captured tables is read in full, and the failure of one stream does not stop the log."""
    t.psql("CREATE VIEW seen AS SELECT id FROM t; CREATE VIEW broken AS SELECT 1 / (id - id) AS x FROM t")
    first = sync(t, default_replication_method="LOG_BASED")

    assert [r["id"] for r in first.records["public-seen"]] == [1, 2, 3]
    assert "public-broken" in str(first.error)
    assert first.bookmark(S)["replication_key"] == "_sdc_lsn"
