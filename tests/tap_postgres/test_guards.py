"""What is looked at before the first record: keys that name several rows, and how many rows would come."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import pytest

from singerkit.errors import SafetyStopError, StoppedError
from tap_postgres import look
from tap_postgres.tap import TapPostgres
from tests.postgres_server import Database, database, server

from .running import Run, discovered, edited, sync

__all__ = ["database", "server"]

pytestmark = pytest.mark.slow

SQL = """
CREATE TABLE orders (id int PRIMARY KEY, country text NOT NULL);
INSERT INTO orders SELECT n, CASE WHEN n <= 8 THEN 'de' ELSE n::text END FROM generate_series(1, 2000) n;
ANALYZE orders;
CREATE VIEW by_country AS SELECT country, id / 2 AS half FROM orders;
CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(1.3);
CREATE VIEW endless AS SELECT 1 AS id FROM pg_sleep(600);
"""


@pytest.fixture(scope="module")
def shop(database: Database) -> Database:
    database.psql(SQL)
    return database


@pytest.fixture
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a look at a table have a second, so that what takes longer need not take long here."""
    monkeypatch.setattr(look, "STATEMENT_S", 1)


def test_many_slow_views_are_looked_at_in_bounded_time(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is waited for; once it did not come, the others have a moment each."""
    monkeypatch.setattr(look, "FIRST_ROW_S", 0.6)
    monkeypatch.setattr(look, "HURRY_S", 0.05)
    shop.psql("CREATE SCHEMA many")
    shop.psql("".join(f"CREATE VIEW many.v{number} AS SELECT 1 AS id FROM pg_sleep(600);" for number in range(12)))
    tap = TapPostgres(config=shop.config | {"schemas": ["many"]}, setup_mapper=False)

    began = time.monotonic()
    said = {stream.probe() for stream in tap.arrow_streams}

    assert said == {"not proved: its first row did not come in time"}
    assert time.monotonic() - began < 12 * 0.6


def keyed(shop: Database, view: str, *keys: str, **config: Any) -> Run:
    """Run a sync of one view with the keys that a person declares for it."""
    catalog = discovered(shop, tables=[view])
    return sync(
        shop,
        catalog=edited(catalog, f"public-{view}", table_key_properties=[*keys], selected=True),
        tables=[view],
        **config,
    )


def test_keys_that_name_more_than_one_row(shop: Database) -> None:
    """The run ends by 4 before its first record, and names three of them."""
    ended = keyed(shop, "by_country", "half")

    assert isinstance(ended.error, SafetyStopError)
    what = str(ended.error)
    assert what.startswith("keys name more than one row: public-by_country ")
    assert what.count('{"half": ') == 3
    assert what.endswith("; choose other keys (table-key-properties), mend the source, or set duplicate_keys to warn")
    assert ended.of("RECORD") == []


def test_a_warning_is_enough_where_a_person_says_so(shop: Database, caplog: pytest.LogCaptureFixture) -> None:
    """With `duplicate_keys: warn` the rows come, and the log names the keys."""
    ended = keyed(shop, "by_country", "half", duplicate_keys="warn")

    assert (ended.error, len(ended.of("RECORD"))) == (None, 2000)
    assert "keys name more than one row, stream=public-by_country" in caplog.text


def test_keys_that_a_unique_index_vouches_for(shop: Database) -> None:
    """Nothing is looked at."""
    tap = TapPostgres(config=shop.config | {"tables": ["orders"]}, setup_mapper=False)

    assert next(iter(tap.arrow_streams)).duplicates() == ()


def test_only_rows_that_are_read_are_looked_at(shop: Database) -> None:
    """Keys that come twice outside of `row_filters` are nobody's concern."""
    ended = keyed(shop, "by_country", "country", row_filters={"public-by_country": [["country", "!=", "de"]]})

    assert (ended.error, len(ended.of("RECORD"))) == (None, 1992)


@pytest.mark.usefixtures("short_looks")
def test_a_view_that_takes_its_time(shop: Database) -> None:
    """Looking through all rows may take as long as reading them: it is no look that is given up after seconds."""
    ended = keyed(shop, "slow", "id")

    assert (ended.error, len(ended.of("RECORD"))) == (None, 1)


@pytest.mark.usefixtures("short_looks")
def test_a_survey_that_takes_its_time(shop: Database) -> None:
    """`check --deep` was asked to read everything, and does."""
    tap = TapPostgres(config=shop.config | {"tables": ["slow"]}, setup_mapper=False)

    assert next(iter(tap.arrow_streams)).survey().rows == 1
    tap.close()


def test_a_stop_is_heard_while_the_server_looks(shop: Database) -> None:
    """A signal ends the looking within a second, and the server's query with it."""
    catalog = edited(discovered(shop, tables=["endless"]), "public-endless", table_key_properties=["id"], selected=True)
    tap = TapPostgres(config=shop.config | {"tables": ["endless"]}, catalog=catalog)
    running = (
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid != pg_backend_pid()"
        """ AND query LIKE '%json_build_object%"endless"%'"""
    )

    def stop() -> None:
        while not shop.psql(running).strip():
            pass
        tap._handle_termination(signal.SIGTERM, None)

    person = threading.Thread(target=stop)
    person.start()
    with pytest.raises(StoppedError):
        tap.sync_all()
    person.join()

    assert shop.psql(running).strip() == ""


def test_more_rows_than_allowed(shop: Database) -> None:
    """By the server's estimate, before the first record; at that number it goes on."""
    over = sync(shop, tables=["orders"], max_rows=1999)

    assert isinstance(over.error, SafetyStopError)
    assert str(over.error) == (
        "more rows are to come than max_rows allows: public-orders about 2,000 (max_rows=1999); "
        "raise max_rows, set start_date later, or deselect these streams"
    )
    assert over.of("RECORD") == []
    assert len(sync(shop, tables=["orders"], max_rows=2000).of("RECORD")) == 2000


def test_rows_are_counted_where_somebody_asks(shop: Database) -> None:
    """What a bookmark leaves is counted for a limit; a run that nobody watches is not held up by a second reading."""
    catalog = edited(discovered(shop), "public-orders", replication_method="INCREMENTAL", replication_key="id")
    state = {"bookmarks": {"public-orders": {"replication_key": "id", "replication_key_value": 1501}}}

    def expected(**config: Any) -> int | None:
        tap = TapPostgres(config=shop.config | config, catalog=catalog, state=state)
        rows = next(stream for stream in tap.arrow_streams if stream.name == "public-orders").expected
        tap.close()
        return rows

    assert (expected(), expected(max_rows=10)) == (None, 500)
