"""What discovery tells of a database, read from a real server."""

from __future__ import annotations

import time
from typing import Any

import pytest

from singerkit.errors import SettingsError
from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import discovered

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow  # needs a server


@pytest.fixture(scope="module")
def shop(database: Database) -> Database:
    """A database with one of everything that can be a stream."""
    database.psql(
        """
        CREATE TABLE customer
          (id int PRIMARY KEY, email text NOT NULL, updated_at timestamptz, seen timestamptz NOT NULL);
        COMMENT ON TABLE customer IS 'Who buys'; COMMENT ON COLUMN customer.email IS 'One';
        CREATE INDEX ON customer (seen);
        INSERT INTO customer SELECT i, i, now(), now() FROM generate_series(1, 1000) i; ANALYZE customer;
        CREATE TABLE line (a int, b int, customer int REFERENCES customer, note jsonb, PRIMARY KEY (b, a));
        CREATE TABLE code (code text NOT NULL UNIQUE, short text UNIQUE, lower text);
        CREATE UNIQUE INDEX ON code (lower(lower));
        CREATE VIEW v AS SELECT id FROM customer; CREATE MATERIALIZED VIEW m AS SELECT id FROM customer;
        CREATE TABLE event (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        INSERT INTO event SELECT i, '2024-06-01' FROM generate_series(1, 500) i; ANALYZE event;
        CREATE SCHEMA sales; CREATE TABLE sales.orders (id bigint GENERATED ALWAYS AS IDENTITY);
        CREATE TEMP TABLE temp (x int);
        """
    )
    return database


@pytest.fixture(scope="module")
def streams(shop: Database) -> dict[str, Any]:
    return {stream["tap_stream_id"]: stream for stream in discovered(shop)["streams"]}


def root(stream: dict[str, Any]) -> dict[str, Any]:
    return next(entry["metadata"] for entry in stream["metadata"] if not entry["breadcrumb"])


def test_every_relation_is_a_stream(streams: dict[str, Any]) -> None:
    """Tables, views of both kinds, partitioned tables; no partition, no temporary table, nothing of the system."""
    assert [*streams] == [
        "public-code", "public-customer", "public-event", "public-line", "public-m", "public-v", "sales-orders"
    ]  # fmt: skip


def test_keys_come_from_the_catalog(streams: dict[str, Any]) -> None:
    """The primary key in its own order, else the shortest unique key of columns that are never NULL."""
    keys = {name: stream["key_properties"] for name, stream in streams.items()}

    assert keys == {
        "public-code": ["code"], "public-customer": ["id"], "public-event": ["id", "day"], "public-line": ["b", "a"],
        "public-m": [], "public-v": [], "sales-orders": [],
    }  # fmt: skip


def test_comments_and_foreign_keys_are_told(streams: dict[str, Any]) -> None:
    """What the database says of a table, a column and their relations is in the schema."""
    customer, line = streams["public-customer"]["schema"], streams["public-line"]["schema"]

    assert (customer["description"], customer["properties"]["email"]["description"]) == ("Who buys", "One")
    assert line["x-foreign-keys"] == [{"columns": ["customer"], "stream": "public-customer", "referred": ["id"]}]


def test_ordered_columns_can_be_the_replication_key(streams: dict[str, Any]) -> None:
    """Every column with an order is offered; what each would cost is a warning."""
    customer = streams["public-customer"]

    assert root(customer)["valid-replication-keys"] == ["id", "email", "updated_at", "seen", "xmin"]
    assert customer["schema"]["x-warnings"] == [
        "updated_at has no index: as a replication key every run would read the whole table",
        "updated_at may be NULL: as a replication key such rows are read again by every run",
    ]
    assert root(streams["public-line"])["valid-replication-keys"] == ["a", "b", "customer", "xmin"]


def test_rows_are_estimated(streams: dict[str, Any]) -> None:
    """The server's estimate, a partitioned table's as the sum of its partitions; none where it has none."""
    rows = {name: stream.get("row_count") for name, stream in streams.items()}

    assert (rows["public-customer"], rows["public-event"], rows["public-line"]) == (1000, 500, None)
    assert streams["public-v"]["is_view"] is True


def test_a_keyed_table_carries_a_partition_hint(streams: dict[str, Any]) -> None:
    """The words that singer-sdk does not know survive its catalog."""
    assert streams["public-customer"]["schema"]["x-partition"]["mode"] == "numerical"
    assert streams["public-event"]["schema"]["x-partition"]["keys"] == ["id", "day"]
    assert "x-partition" not in streams["public-v"]["schema"]


GLOBS = [
    pytest.param({"tables": ["c*"]}, ["public-code", "public-customer"], id="a glob of names"),
    pytest.param({"tables": ["sales.*", "v"]}, ["public-v", "sales-orders"], id="a glob of full names"),
    pytest.param({"schemas": ["s*"]}, ["sales-orders"], id="a glob of schemas"),
    pytest.param({"schemas": ["public"], "tables": ["?"]}, ["public-m", "public-v"], id="both"),
]


@pytest.mark.parametrize(("config", "names"), GLOBS)
def test_globs_choose_tables(shop: Database, config: dict[str, Any], names: list[str]) -> None:
    """A glob without a dot is of names, one with a dot of schema.name."""
    assert [stream["tap_stream_id"] for stream in discovered(shop, **config)["streams"]] == names


def test_hundreds_of_tables_are_discovered_at_once(shop: Database) -> None:
    """The number of queries does not grow with the tables."""
    shop.psql(
        "CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..500 LOOP EXECUTE format('CREATE TABLE many.t%s "
        "(id int PRIMARY KEY, a int, b int, c text, d text, e timestamptz, f jsonb, g numeric(10,2))', i);"
        "END LOOP; END $$"
    )
    before = time.monotonic()

    streams = discovered(shop, schemas=["many"])["streams"]

    seconds = time.monotonic() - before
    shop.psql("DROP SCHEMA many CASCADE")
    assert len(streams) == 500
    assert seconds < 20  # a guard against a query a table; it takes about one
    print(f"500 tables in {seconds:.2f} s")  # noqa: T201


def test_two_tables_of_one_stream_name(shop: Database) -> None:
    """One of them would never be read: both are named, and the settings choose."""
    shop.psql('CREATE SCHEMA a; CREATE SCHEMA "a-b"; CREATE TABLE a."b-c" (x int); CREATE TABLE "a-b".c (x int)')
    try:
        with pytest.raises(SettingsError, match=r'two tables have one stream name: "a"\."b-c" and "a-b"\."c"'):
            discovered(shop)
        assert [stream["table_name"] for stream in discovered(shop, schemas=["a"])["streams"]] == ["b-c"]
    finally:
        shop.psql('DROP SCHEMA a, "a-b" CASCADE')
