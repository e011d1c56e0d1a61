"""What a run sends, and what the next run makes of its STATE, on a real server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singerkit.errors import SettingsError, StreamsFailedError
from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import Run, discovered, edited, incremental, sync

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow  # needs a server

S = "public-t"


@pytest.fixture
def t(database: Database) -> Database:
    """A database with one table: three orders, of which one was never updated."""
    database.psql(
        """
        DROP SCHEMA IF EXISTS public, "o dd" CASCADE; CREATE SCHEMA public;
        CREATE TABLE t (id int PRIMARY KEY, at timestamptz, price numeric(12,2), note text);
        CREATE INDEX ON t (at);
        INSERT INTO t VALUES
          (1, '2024-01-01 00:00:00.000001Z', 1.50, 'a'), (2, '2024-01-02Z', 2, 'b'), (3, NULL, 3, 'c');
        """
    )
    return database


def ids(run: Run, stream: str = S) -> list[int]:
    return [record["id"] for record in run.records[stream]]


def test_a_full_load_is_announced_at_both_ends(t: Database) -> None:
    """The number is in STATE from the first announcement until the second, and no RECORD carries it."""
    run = sync(t)

    kinds = [message["type"] for message in run.messages]
    first, second = run.of("ACTIVATE_VERSION")
    states = [state["value"]["bookmarks"][S] for state in run.of("STATE")]
    assert kinds == ["SCHEMA", "ACTIVATE_VERSION", "STATE", "RECORD", "RECORD", "RECORD", "ACTIVATE_VERSION", "STATE"]
    assert first == second
    assert states == [{"full_load": {"version": first["version"]}}, {}]
    assert not any("version" in message for message in run.of("RECORD"))


def test_the_next_run_starts_at_the_bookmark(t: Database) -> None:
    """The bookmark's own rows are read again, rows before it are not, and microseconds are kept."""
    catalog = incremental(t, S, "at")
    first = sync(t, catalog=catalog)
    t.psql("INSERT INTO t VALUES (4, '2024-01-02 00:00:00.000001Z', 4, 'd'), (5, '2023-01-01Z', 5, 'late')")

    second = sync(t, catalog=catalog, state=first.state)

    assert first.bookmark(S) == {"replication_key": "at", "replication_key_value": "2024-01-02T00:00:00.000000+00:00"}
    assert not first.of("ACTIVATE_VERSION")
    assert ids(second) == [3, 2, 4]
    assert second.bookmark(S)["replication_key_value"] == "2024-01-02T00:00:00.000001+00:00"


def test_rows_without_a_key_are_read_by_every_run(t: Database) -> None:
    """A row whose replication key is NULL has no place after any bookmark: it is read each time, and first."""
    catalog = incremental(t, S, "at")
    first = sync(t, catalog=catalog)
    t.psql("INSERT INTO t VALUES (6, NULL, 6, 'new')")

    second = sync(t, catalog=catalog, state=first.state)

    assert ids(first) == [3, 1, 2]
    assert ids(second) == [3, 6, 2]


def test_start_date_is_where_a_run_without_bookmark_begins(t: Database) -> None:
    """`start_date` leaves out older rows, and a later bookmark wins over it."""
    catalog = incremental(t, S, "at")

    begun = sync(t, catalog=catalog, start_date="2024-01-02")
    later = sync(t, catalog=catalog, state=begun.state, start_date="2020-01-01T00:00:00Z")

    assert ids(begun) == [3, 2]
    assert ids(later) == [3, 2]


KEYS = [
    pytest.param("bigint", ["1", "9007199254740993", "9223372036854775807"], 9223372036854775807, id="bigint"),
    pytest.param("numeric(20,10)", ["-1", "0.0000000001", "9.5"], "9.5000000000", id="decimal"),
    pytest.param("numeric", ["-1", "2", "10"], "10", id="numeric without precision is compared as a number"),
    pytest.param("date", ["1999-12-31", "2024-02-29", "9999-12-30"], "9999-12-30", id="date"),
    pytest.param("timestamp", ["1999-12-31", "2024-01-01 00:00:00.000001", "2024-01-02"], "2024-01-02T00:00:00.000000",
                 id="timestamp without a zone"),
    pytest.param("text", ["", "\\b", "a'b"], "a'b", id="text, quoted"),
    pytest.param("uuid", ["0" * 32, "1" * 32, "f" * 32], "ffffffff-ffff-ffff-ffff-ffffffffffff", id="uuid"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "last"), KEYS)
def test_a_bookmark_is_of_the_type_of_its_column(t: Database, kind: str, values: list[str], last: Any) -> None:
    """Whatever the type, the bookmark is exact and the next run begins with its row."""
    rows = ", ".join(f"({n}, $v${value}$v$::{kind})" for n, value in enumerate(values))
    t.psql(f"DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, k {kind} NOT NULL); INSERT INTO t VALUES {rows}")
    catalog = incremental(t, S, "k")

    first = sync(t, catalog=catalog)
    second = sync(t, catalog=catalog, state=first.state)

    assert (ids(first), first.bookmark(S)["replication_key_value"]) == ([0, 1, 2], last)
    assert ids(second) == [2]


@pytest.mark.parametrize("value", [5, True, "yesterday", {"a": 1}, ["2024"]])
def test_a_bookmark_of_another_type_is_refused(t: Database, value: Any) -> None:
    """It says the stream, the key, what was found and how to mend it; nothing of the stream is read."""
    state = {"bookmarks": {S: {"replication_key": "at", "replication_key_value": value}}}

    run = sync(t, catalog=incremental(t, S, "at"), state=state)

    assert isinstance(run.error, SettingsError)
    assert "is not a value of replication key at" in str(run.error)
    assert f"stream={S}" in str(run.error)
    assert "meltano state" in str(run.error)
    assert run.records == {}
    assert run.state == state


def test_another_replication_key_starts_anew(t: Database) -> None:
    """A bookmark of another key says nothing about this one."""
    state = {"bookmarks": {S: {"replication_key": "id", "replication_key_value": 3}}}

    run = sync(t, catalog=incremental(t, S, "at"), state=state)

    assert ids(run) == [3, 1, 2]


@pytest.mark.parametrize("key", ["nope", "note_json"])
def test_a_replication_key_must_be_an_ordered_column(t: Database, key: str) -> None:
    """The error names the columns that could be one."""
    t.psql("ALTER TABLE t ADD note_json jsonb")

    run = sync(t, catalog=incremental(t, S, key))

    assert isinstance(run.error, SettingsError)
    assert "choose one of: id, at, price, note" in str(run.error)
    assert run.records == {}


def test_nan_is_no_bookmark(t: Database) -> None:
    """NaN sorts after every number, but the bookmark stays before it: newer rows are still found."""
    t.psql("ALTER TABLE t ADD n numeric; UPDATE t SET n = id; UPDATE t SET n = 'NaN' WHERE id = 1")
    catalog = incremental(t, S, "n")

    first = sync(t, catalog=catalog)
    t.psql("INSERT INTO t (id, n) VALUES (11, 11)")
    second = sync(t, catalog=catalog, state=first.state)

    assert first.bookmark(S)["replication_key_value"] == "3"
    assert ids(second) == [3, 11, 1]


def test_a_clamped_value_is_no_bookmark(t: Database) -> None:
    """Infinity is written as the last day, but the bookmark stays before it: newer rows are still found."""
    t.psql("INSERT INTO t VALUES (9, 'infinity', 9, 'x')")
    catalog = incremental(t, S, "at")

    first = sync(t, catalog=catalog, out_of_range="clamp")
    t.psql("INSERT INTO t VALUES (10, '2024-01-03Z', 10, 'x')")
    second = sync(t, catalog=catalog, state=first.state, out_of_range="clamp")

    assert ids(first) == [3, 1, 2, 9]
    assert ids(second) == [3, 2, 10, 9]


def test_only_selected_columns_are_read(t: Database) -> None:
    """A deselected column is neither declared nor sent; keys and the replication key always are."""
    catalog = incremental(t, S, "at")
    for column in ("id", "at", "note"):
        catalog = edited(catalog, S, column, selected=False)

    run = sync(t, catalog=catalog)

    assert [*run.of("SCHEMA")[0]["schema"]["properties"]] == ["id", "at", "price"]
    assert {tuple(record) for record in run.records[S]} == {("id", "at", "price")}


def test_a_deselected_stream_is_not_read(t: Database) -> None:
    """`selected: false` means no message at all."""
    t.psql("CREATE TABLE other (id int)")

    run = sync(t, catalog=edited(discovered(t), S, selected=False))

    assert {message.get("stream") for message in run.messages} == {"public-other", None}


def make_parts(t: Database, rows: int = 1000) -> None:
    """Fill a table and let the server's statistics say that it is large: about ten parts."""
    t.psql(
        f"DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY);"
        f"INSERT INTO t SELECT generate_series(1, {rows}); ANALYZE t;"
        "UPDATE pg_class SET reltuples = 10000000, relpages = 244140 WHERE oid = 't'::regclass"
    )


def test_a_large_table_is_loaded_in_key_ranges(t: Database) -> None:
    """After each range STATE says where the next begins, under one number, and no row is missed or doubled."""
    make_parts(t)
    t.psql("INSERT INTO t VALUES (-5), (5000)")  # outside of what the statistics know

    run = sync(t)

    loads = [state["value"]["bookmarks"][S].get("full_load") for state in run.of("STATE")]
    numbers = {load["version"] for load in loads if load} | {m["version"] for m in run.of("ACTIVATE_VERSION")}
    assert sorted(ids(run)) == [-5, *range(1, 1001), 5000]
    assert len(numbers) == 1
    assert loads[-1] is None
    last = loads[-2]
    assert last is not None
    assert last["key"] == "id"


def test_a_full_load_goes_on_where_it_ended(t: Database) -> None:
    """A killed load carries the same number and reads only the ranges that are missing."""
    make_parts(t)
    version = int(time.time() * 1000) - 1000
    state = {"bookmarks": {S: {"full_load": {"version": version, "key": "id", "edges": [501], "done": [0]}}}}

    run = sync(t, state=state)

    assert sorted(ids(run)) == [*range(501, 1001)]
    assert [m["version"] for m in run.of("ACTIVATE_VERSION")] == [version, version]
    assert run.bookmark(S) == {}


@pytest.mark.parametrize(
    "load",
    [
        pytest.param({"version": 1, "key": "id", "edges": [501], "done": [0]}, id="too old"),
        pytest.param({"version": 9**13, "key": "other", "edges": [501], "done": [0]}, id="another key"),
        pytest.param({"version": 9**13}, id="no place"),
        pytest.param({"version": "x", "key": "id", "edges": [501], "done": [0]}, id="no number"),
        pytest.param("x", id="no object"),
    ],
)
def test_a_full_load_that_cannot_go_on_starts_anew(t: Database, load: Any) -> None:
    """A new load has a new number and reads every row."""
    make_parts(t)

    run = sync(t, state={"bookmarks": {S: {"full_load": load}}})

    assert sorted(ids(run)) == [*range(1, 1001)]
    assert run.of("ACTIVATE_VERSION")[0]["version"] > 10**12


def read_file(address: str) -> pa.Table:
    path = Path(unquote(urlsplit(address).path))
    return pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()


@pytest.mark.parametrize("file_format", ["arrow", "parquet"])
def test_batch_files_hold_the_rows(t: Database, tmp_path: Path, file_format: str) -> None:
    """BATCH messages name files of this run, and a file holds at most so many rows."""
    t.psql("INSERT INTO t SELECT i, now(), i, 'x' FROM generate_series(10, 1009) i")

    run = sync(t, output="batch", batch_format=file_format, batch_dir=str(tmp_path), batch_size_rows=300)

    batches = run.of("BATCH")
    tables = [read_file(address) for batch in batches for address in batch["manifest"]]
    assert [table.num_rows for table in tables] == [300, 300, 300, 103]
    assert sorted(pa.concat_tables(tables)["id"].to_pylist()) == [1, 2, 3, *range(10, 1010)]
    assert tables[0].schema.field("price").type == pa.decimal128(12, 2)
    assert tables[0].schema.field("at").type == pa.timestamp("us", "UTC")
    assert all(batch["encoding"] == {"format": file_format, "compression": None} for batch in batches)
    assert all(batch["x-delete-after-commit"] is True for batch in batches)
    assert not run.records


def test_two_runs_share_no_file(t: Database, tmp_path: Path) -> None:
    """Each run writes in a folder of its own."""
    runs = [sync(t, output="batch", batch_dir=str(tmp_path)) for _ in range(2)]

    folders = {Path(urlsplit(batch["manifest"][0]).path).parent for run in runs for batch in run.of("BATCH")}
    assert len(folders) == 2


def test_a_state_between_files_is_behind_them(t: Database, tmp_path: Path) -> None:
    """STATE never says more than the BATCH messages before it have told."""
    t.psql("TRUNCATE t; INSERT INTO t SELECT i, timestamptz '2024-01-01Z' + i * interval '1 s', 0, repeat('x', 1000) "
           "FROM generate_series(1, 50000) i")  # fmt: skip

    run = sync(t, catalog=incremental(t, S, "at"), output="batch", batch_dir=str(tmp_path), batch_size_rows=20_000)

    told, states = "", 0
    for message in run.messages:
        if message["type"] == "BATCH":
            told = max([told, *(at.isoformat() for at in read_file(message["manifest"][0])["at"].to_pylist())])
        elif message["type"] == "STATE":
            states += 1
            assert message["value"]["bookmarks"][S].get("replication_key_value", "")[:19] <= told[:19]
    assert states >= 2


def test_a_batch_folder_that_cannot_be_made_is_the_store(t: Database, tmp_path: Path) -> None:
    """A full or forbidden disk is said in one line, whatever the stream."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    run = sync(t, output="batch", batch_dir=str(tmp_path / "file"))

    assert type(run.error).__name__ == "StoreError"
    assert "batch files cannot be written: Not a directory" in str(run.error)


def test_stream_maps_are_honoured(t: Database) -> None:
    """With a map the rows go one by one through singer-sdk: aliases, filters, new columns; decimals stay exact."""
    maps = {S: {"__alias__": "orders", "__filter__": "id > 1", "twice": "price * 2", "note": "__NULL__"}}

    run = sync(t, stream_maps=maps)

    assert [record["id"] for record in run.records["orders"]] == [2, 3]
    assert {message["stream"] for message in run.of("ACTIVATE_VERSION")} == {"orders"}
    assert "note" not in run.records["orders"][0]
    assert run.records["orders"][0]["price"] == 2


def test_one_failed_stream_leaves_the_others_complete(t: Database) -> None:
    """A stream that cannot be read is named; the rest is read; the failed one has no newer STATE."""
    t.psql("CREATE TABLE a (id int PRIMARY KEY, at date NOT NULL); INSERT INTO a VALUES (1, 'infinity')")
    before = {"bookmarks": {"public-a": {"replication_key": "at", "replication_key_value": "2024-01-01"}}}

    run = sync(t, catalog=incremental(t, "public-a", "at"), state=before)

    assert isinstance(run.error, StreamsFailedError)
    assert "1 of 2 streams failed: public-a" in str(run.error)
    assert ids(run) == [1, 2, 3]
    assert run.bookmark(S) == {}
    assert run.bookmark("public-a") == before["bookmarks"]["public-a"]


def test_a_stream_that_is_gone_is_a_failure(t: Database) -> None:
    """A selected table that was dropped since discovery is not passed over in silence."""
    t.psql("CREATE TABLE gone (id int)")
    catalog = discovered(t)
    t.psql("DROP TABLE gone")

    run = sync(t, catalog=catalog)

    assert isinstance(run.error, StreamsFailedError)
    assert "public-gone" in str(run.error)
    assert ids(run) == [1, 2, 3]


def test_odd_names_are_quoted(t: Database) -> None:
    """Quotes, spaces, percent signs, braces and other alphabets in names are names."""
    t.psql('CREATE SCHEMA "o dd"; CREATE TABLE "o dd"."t""%s{}é" ("id ""x""" int PRIMARY KEY, "{}%s" text NOT NULL);'
           """INSERT INTO "o dd"."t""%s{}é" VALUES (1, 'v')""")  # fmt: skip
    stream = 'o dd-t"%s{}é'

    run = sync(t, catalog=incremental(t, stream, "{}%s"))

    assert run.records[stream] == [{'id "x"': 1, "{}%s": "v"}]
    assert run.bookmark(stream)["replication_key_value"] == "v"


def test_an_empty_table_is_a_complete_load(t: Database) -> None:
    """No rows is an answer: both announcements are sent."""
    t.psql("TRUNCATE t")

    run = sync(t)

    assert [m["type"] for m in run.messages] == ["SCHEMA", "ACTIVATE_VERSION", "STATE", "ACTIVATE_VERSION", "STATE"]


def test_log_based_is_refused_where_nothing_is_logged(t: Database) -> None:
    """A view has no changes of its own: to ask for them is an error, not a full load."""
    t.psql("CREATE VIEW seen AS SELECT * FROM t")
    run = sync(t, catalog=edited(discovered(t, tables=["seen"]), "public-seen", replication_method="LOG_BASED"))

    assert isinstance(run.error, SettingsError)
    assert "public.seen is a table whose changes are logged" in str(run.error)


FILTERS = [
    pytest.param([["id", ">=", 2], ["note", "!=", "c"]], [2], id="two conditions"),
    pytest.param([["id", "in", [1, 3]]], [1, 3], id="a list"),
    pytest.param([["at", "is null"]], [3], id="nothing"),
    pytest.param([["at", ">", "2024-01-01"]], [1, 2], id="a time as text"),
    pytest.param([["note", "=", "' OR true --"]], [], id="a value that looks like SQL"),
    pytest.param([["note", "like", "a%"]], [1], id="a pattern"),
]


@pytest.mark.parametrize(("rows", "expected"), FILTERS)
def test_a_row_filter_chooses_rows(t: Database, rows: list[Any], expected: list[int]) -> None:
    """Conditions hold together, names and values are quoted, and keys are there whatever is filtered."""
    assert sorted(ids(sync(t, row_filters={S: rows}))) == expected


REFUSED = [
    pytest.param([["nope", "=", 1]], "there is no column nope", id="column"),
    pytest.param([["id", "= 1 OR 1 =", 1]], "does not go with", id="operator"),
    pytest.param([["id", "in", []]], "does not go with", id="empty list"),
    pytest.param([["id", "="]], "does not go with", id="no value"),
    pytest.param(["id = 1"], "is not \\[column, operator, value\\]", id="a text"),
    pytest.param("id = 1", "is a list of", id="no list"),
]


@pytest.mark.parametrize(("rows", "why"), REFUSED)
def test_a_row_filter_that_cannot_be_used_is_refused(t: Database, rows: Any, why: str) -> None:
    """Nothing of a filter reaches the server but through the driver's quoting."""
    with pytest.raises(SettingsError, match=why):
        raise sync(t, row_filters={S: rows}).error or AssertionError("it was used")


def test_names_are_names_whatever_they_hold(t: Database) -> None:
    """A table and a column may be called anything; their names are quoted wherever they stand."""
    table = '"a""b; DROP TABLE t"'
    t.psql(f'CREATE TABLE {table} ("x; --" int PRIMARY KEY, "%s" text); INSERT INTO {table} VALUES (1)')
    stream = 'public-a"b; DROP TABLE t'

    run = sync(t, row_filters={stream: [["x; --", "=", 1]]})

    assert run.records[stream][0]["x; --"] == 1
    assert t.psql("SELECT count(*) FROM t") == "3"


LOOKBACKS = [
    pytest.param("at", "1 day", [3, 1, 2], id="times"),
    pytest.param("id", 1, [2, 3], id="numbers"),
]


@pytest.mark.parametrize(("key", "lookback", "expected"), LOOKBACKS)
def test_a_lookback_reads_again_what_may_have_come_late(
    t: Database, key: str, lookback: Any, expected: list[int]
) -> None:
    """An incremental stream begins so far before its bookmark."""
    catalog = incremental(t, S, key)
    first = sync(t, catalog=catalog)

    second = sync(t, catalog=catalog, state=first.state, lookback={"*": lookback})

    assert ids(second) == expected


def test_a_lookback_ends_at_the_start_date(t: Database) -> None:
    """What `start_date` leaves out stays out, with a bookmark and without one."""
    catalog = incremental(t, S, "at")
    settings: dict[str, Any] = {"start_date": "2024-01-02", "lookback": {"*": "2 days"}}

    first = sync(t, catalog=catalog, **settings)
    second = sync(t, catalog=catalog, state=first.state, **settings)

    assert ids(first) == ids(second) == [3, 2]


def test_a_lookback_of_another_kind_is_refused(t: Database) -> None:
    """A number is not taken from a time."""
    catalog = incremental(t, S, "at")
    first = sync(t, catalog=catalog)

    run = sync(t, catalog=catalog, state=first.state, lookback={S: 5})

    assert "the lookback 5 cannot be taken from replication key at" in str(run.error)


def test_xmin_finds_what_was_written(t: Database) -> None:
    """Rows of new transactions are read, those of one that was open when the last run began too."""
    import psycopg

    catalog = incremental(t, S, "xmin")
    first = sync(t, catalog=catalog)
    with psycopg.connect(t.dsn) as early:
        early.execute("INSERT INTO t VALUES (10)")
        t.psql("UPDATE t SET note = 'new' WHERE id = 1")
        second = sync(t, catalog=catalog, state=first.state)
        early.commit()
    third = sync(t, catalog=catalog, state=second.state)
    fourth = sync(t, catalog=catalog, state=third.state)

    assert sorted(ids(first)) == [1, 2, 3]
    assert 1 in ids(second)
    assert 10 not in ids(second)
    assert 10 in ids(third)
    assert ids(fourth) == []


def test_xmin_of_a_server_that_was_restored_reads_every_row(t: Database) -> None:
    """A server that has not come to the number of the bookmark is another one: nothing tells what is new to it."""
    state = {"bookmarks": {S: {"replication_key": "xmin", "replication_key_value": 2_000_000_000}}}

    run = sync(t, catalog=incremental(t, S, "xmin"), state=state)

    assert sorted(ids(run)) == [1, 2, 3]
    assert run.bookmark(S)["replication_key_value"] < 2_000_000_000


def test_a_server_that_ends_idle_transactions(t: Database) -> None:
    """Who holds the snapshot of a large table waits for the others, however little patience the server has."""
    make_parts(t)
    hasty = f"{t.dsn}?options=-c%20idle_in_transaction_session_timeout%3D1"

    run = sync(t, connection_url=hasty)

    assert run.error is None
    assert sorted(ids(run)) == [*range(1, 1001)]


def test_a_table_without_an_integer_key_is_read_by_pages_in_one_snapshot(t: Database) -> None:
    """Parts by pages, read side by side, give every row once."""
    t.psql(
        "CREATE TABLE pages (k text, v text);"
        "INSERT INTO pages SELECT 'k' || i, repeat('x', 100) FROM generate_series(1, 5000) i;"
        "ANALYZE pages; UPDATE pg_class SET relpages = 100000 WHERE oid = 'pages'::regclass"
    )

    run = sync(t, tables=["pages"], snapshot_workers=3)

    assert sorted(row["k"] for row in run.records["public-pages"]) == sorted(f"k{i}" for i in range(1, 5001))
    assert len(run.of("ACTIVATE_VERSION")) == 2
