"""`check` and `preview` of tap-postgres on a real server: the way there, the login, each table, and what grants it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.checks.run import check
from tap_postgres.tap import TapPostgres
from tests.postgres_server import Database, database, server  # noqa: F401  # fixtures

from .running import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SQL = """
CREATE TABLE orders (id int PRIMARY KEY, total numeric(10, 2), at timestamptz NOT NULL DEFAULT '2024-01-01Z');
CREATE INDEX ON orders (at);
INSERT INTO orders SELECT n, n FROM generate_series(1, 100) n;
CREATE TABLE events (id int, at timestamptz);
INSERT INTO events VALUES (1, '2024-01-01Z'), (1, NULL), (2, '2999-01-01Z');
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE VIEW slow AS SELECT (SELECT 1 FROM pg_sleep(60)) AS x;
CREATE TABLE "Odd ""name" (id int PRIMARY KEY);
"""


@pytest.fixture(scope="module")
def shop(database: Database) -> Iterator[Database]:  # noqa: F811
    database.psql(SQL)
    database.psql("DROP ROLE IF EXISTS looker")
    database.psql("CREATE ROLE looker LOGIN; GRANT SELECT ON orders TO looker")
    database.psql("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    yield database
    database.psql("DROP ROLE guarded")


def found(shop: Database, *, deep: bool = False, catalog: Any = None, **config: Any) -> tuple[int, dict[str, Any]]:
    """Return the exit code of a check, and its findings by name."""
    tap = TapPostgres(config=shop.config | config, catalog=catalog, setup_mapper=False)
    checked = check(tap, deep=deep)
    said = checked.as_json()
    return checked.exit_code, {one.pop("name"): one for one in (*said["connection"], *said["streams"])}


def as_looker(shop: Database) -> dict[str, Any]:
    return {"connection_url": shop.dsn.replace("//postgres", "//looker")}


def test_steps_and_streams(shop: Database) -> None:
    """A superuser can read all; a table without rows and a view that does not come are remarks."""
    code, said = found(shop)

    assert code == 0
    assert said["credentials"]["said"].startswith(f"postgres at database {shop.name}, PostgreSQL ")
    assert said["network"]["said"] == f"127.0.0.1:{shop.server.port} answers"
    assert said["TLS"]["said"] == "not encrypted"
    assert said["public-orders"] == {"outcome": "good"}
    assert said["public-nothing"] == {"outcome": "remark", "remarks": ["there are no rows yet"]}
    assert said["public-slow"] == {
        "outcome": "remark",
        "remarks": ["not proved: its first row did not come in time"],
    }


def test_missing_grants(shop: Database) -> None:
    """A role that may read one table is a success; each other table says the SQL that opens it, well quoted."""
    code, said = found(shop, tables=["orders", "Odd*"], **as_looker(shop))

    assert code == 0
    assert said["public-orders"] == {"outcome": "good"}
    odd = said['public-Odd "name']
    assert odd["said"] == 'permission denied for table Odd "name'
    assert odd["remedy"].splitlines()[-1].endswith('GRANT SELECT ON "public"."Odd ""name" TO "looker"')
    shop.psql(odd["remedy"])
    assert found(shop, tables=["Odd*"], **as_looker(shop))[1]['public-Odd "name']["outcome"] == "remark"


def test_no_grant_at_all(shop: Database) -> None:
    """Where nothing can be read the check fails by exit code 5."""
    code, said = found(shop, tables=["events", "nothing"], **as_looker(shop))

    assert code == 5
    assert [said[name]["outcome"] for name in ("public-events", "public-nothing")] == ["bad", "bad"]


REFUSALS: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "port": ({"port": 1}, 6, "network", "no connection: Connection refused"),
    "role": ({"user": "nobody"}, 5, "credentials", 'role "nobody" does not exist'),
    "password": ({"user": "guarded", "password": "wrong"}, 5, "credentials", "password authentication failed"),
    "database": ({"database": "nope"}, 2, "credentials", 'database "nope" does not exist'),
    "TLS": ({"ssl_mode": "require"}, 2, "TLS", "server does not support SSL, but SSL was required"),
}


@pytest.mark.parametrize(("config", "code", "step", "words"), REFUSALS.values(), ids=REFUSALS)
def test_each_step_has_its_own_failure(
    config: dict[str, Any], code: int, step: str, words: str, shop: Database
) -> None:
    """What stands in the way is said at the step it belongs to; the steps before it have their ticks."""
    parts = {"host": "127.0.0.1", "port": shop.server.port, "user": "postgres", "database": shop.name}

    ended, said = found(Database(shop.server, shop.name), connection_url=None, **{**parts, **config})

    assert ended == code
    assert [name for name, one in said.items() if one["outcome"] == "bad"] == [step]
    assert words in said[step]["said"]
    assert list(said)[-1] == step


def test_deep(shop: Database) -> None:
    """`--deep` lets the server count; keys that a person has declared are named where they come twice."""
    catalog = json.loads(TapPostgres(config=shop.config, setup_mapper=False).catalog_json_text)
    catalog["streams"] = [
        entry for entry in catalog["streams"] if entry["stream"] in {"public-events", "public-orders"}
    ]
    for entry in catalog["streams"]:
        words = {"selected": True, "replication-method": "INCREMENTAL", "replication-key": "at"}
        if entry["stream"] == "public-events":
            words["table-key-properties"] = ["id"]
        next(one for one in entry["metadata"] if not one["breadcrumb"])["metadata"].update(words)

    code, said = found(shop, deep=True, catalog=catalog)

    assert code == 0
    assert said["public-orders"]["rows"] == 100
    assert said["public-orders"]["duplicate_keys"] == []
    events = said["public-events"]
    assert (events["rows"], events["null_bookmarks"], events["future_bookmarks"]) == (3, 1, 1)
    assert events["duplicate_keys"] == ['{"id": 1}']


def test_the_executable(shop: Database, tmp_path: Path) -> None:
    """The tick list, and a preview by the table's own name."""
    config = shop.config | {"tables": ["orders", "nothing"]}

    looked = execute(tmp_path, config, "check")
    assert (looked.code, looked.stdout.splitlines()[-4:]) == (
        0,
        [
            "streams: 2 of 2 can be read",
            "  ! public-nothing",
            "                    there are no rows yet",
            "  ✓ public-orders",
        ],
    )
    shown = execute(tmp_path, config, "preview", "orders", "--limit", "2")
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [
        {"id": n, "total": n, "at": "2024-01-01T00:00:00.000000Z"} for n in (1, 2)
    ]
