"""Whatever a user can get wrong: one clear line, the right exit code, no secret, nothing half said, no newer STATE."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import Ended, discovered, edited, execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["database", "server"]
pytestmark = pytest.mark.slow  # a process a case

SECRET = "s3cret/p%ss"


@pytest.fixture(scope="module")
def shop(database: Database) -> Iterator[Database]:
    """A database with a role that needs a password and may read only one of two tables."""
    database.psql(
        f"""
        CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'; CREATE ROLE barred LOGIN;
        CREATE TABLE a (id int PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO a VALUES (1, now());
        CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1);
        GRANT SELECT ON b TO guarded; GRANT USAGE ON SCHEMA public TO guarded;
        """
    )
    yield database
    database.psql("DROP OWNED BY guarded; DROP ROLE guarded, barred")


@dataclass(frozen=True)
class Case:
    """Settings on top of good ones, the exit code, and what the one line must hold."""

    config: dict[str, Any]
    code: int
    said: tuple[str, ...]
    without: tuple[str, ...] = field(default=())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


URL = f"postgresql://guarded:{SECRET}@[::1/db"
CASES = [
    pytest.param(Case({"host": "nowhere.invalid"}, 6, ("host=nowhere.invalid", "check the setting host")), id="host"),
    pytest.param(
        Case({"port": free_port()}, 6, ("Connection refused", "check host and port", "host=127.0.0.1")), id="port"
    ),
    pytest.param(
        Case({"password": "wrong-" + SECRET}, 5, ("password authentication failed", "check user and password")),
        id="password",
    ),
    pytest.param(Case({}, 5, ("no password supplied", "check user and password"), ("password",)), id="no password"),
    pytest.param(Case({"user": "nobody_here"}, 5, ('role "nobody_here" does not exist',)), id="user"),
    pytest.param(Case({"user": "barred"}, 5, ("pg_hba.conf",)), id="barred by pg_hba.conf"),
    pytest.param(
        Case({"database": "nope"}, 2, ('database "nope" does not exist', "check the setting database")), id="database"
    ),
    pytest.param(
        Case({"ssl_mode": "require"}, 2, ("server does not support SSL", "set ssl_root_cert")), id="TLS, not there"
    ),
    pytest.param(
        Case({"ssl_mode": "verify-full"}, 2, ("server does not support SSL", "set ssl_root_cert")), id="TLS, verified"
    ),
    pytest.param(Case({"ssl_mode": "on"}, 2, ("ssl_mode: must be disable or",)), id="TLS mode of no such name"),
    pytest.param(Case({"tables": ["orders"]}, 2, ("no table matches orders", "near it: ")), id="glob of tables"),
    pytest.param(Case({"schemas": ["publik"]}, 2, ("no schema matches publik", "near it: public")), id="schemas"),
    pytest.param(Case({"out_of_range": "drop"}, 2, ("out_of_range: must be fail or null or clamp",)), id="an option"),
    pytest.param(Case({"tabels": ["a"]}, 2, ("tabels: unknown, did you mean tables?",)), id="a name"),
    pytest.param(Case({"port": "five"}, 2, ("port: must be an integer",)), id="a type"),
    pytest.param(Case({}, 2, ("one of these sets must be given",), ("host", "user", "database")), id="nothing given"),
    pytest.param(
        Case({"connection_url": URL}, 2, ("connection_url and host, user, password, database both say",)),
        id="given twice",
    ),
    pytest.param(
        Case({"connection_url": URL}, 2, ("connection_url cannot be read",), ("host", "user", "password", "database")),
        id="an address that is none",
    ),
]  # fmt: skip


def config_of(shop: Database, case: Case) -> dict[str, Any]:
    good = {"host": "127.0.0.1", "port": shop.server.port, "user": "guarded", "password": SECRET, "database": shop.name}
    return {name: value for name, value in (good | case.config).items() if name not in case.without}


@pytest.mark.parametrize("case", CASES)
def test_bad_settings_end_in_one_line(shop: Database, tmp_path: Path, case: Case) -> None:
    """What, where and what to do, without the password and without a traceback."""
    ended = execute(tmp_path, config_of(shop, case))

    assert_one_line(ended, case.code, case.said)
    assert ended.stdout == ""


def test_discovery_ends_as_a_sync_does(shop: Database, tmp_path: Path) -> None:
    """`--discover` checks its settings too, and connects with them."""
    for case in (Case({"password": "wrong"}, 5, ("check user and password",)), Case({"tabels": []}, 2, ("tabels",))):
        ended = execute(tmp_path, config_of(shop, case), "--discover")

        assert_one_line(ended, case.code, case.said)
        assert ended.stdout == ""


def assert_one_line(ended: Ended, code: int, said: tuple[str, ...]) -> None:
    assert ended.code == code, ended.stderr
    assert len(ended.errors) == 1, ended.stderr
    assert [part for part in said if part not in ended.errors[0]] == [], ended.errors[0]
    assert SECRET not in ended.stderr
    assert "Traceback" not in ended.stderr


FILES = [
    pytest.param({"config": "{"}, "config file is not valid JSON", id="config is broken"),
    pytest.param({"config": "[]"}, "config file must hold a JSON object", id="config is a list"),
    pytest.param({"catalog": '{"streams": ['}, "catalog file is not valid JSON", id="catalog is broken"),
    pytest.param({"catalog": '{"streams": 1}'}, "the catalog must hold a list of streams", id="catalog is no catalog"),
    pytest.param({"state": "null"}, "state file must hold a JSON object", id="state is null"),
    pytest.param({"state": ""}, "state file is not valid JSON", id="state is empty"),
    pytest.param({"state": '{"bookmarks": [1]}'}, "the state's bookmarks must be an object", id="state is no state"),
]


@pytest.mark.parametrize(("files", "said"), FILES)
def test_broken_files_end_in_one_line(shop: Database, tmp_path: Path, files: dict[str, str], said: str) -> None:
    """A broken file is named, and nothing is connected to or written."""
    given = {"config": json.dumps(shop.config)} | files

    ended = execute(tmp_path, None, **given)

    assert_one_line(ended, 2, (said,))
    assert ended.stdout == ""


@pytest.mark.parametrize("option", ["--config", "--catalog", "--state"])
def test_a_missing_file_ends_in_one_line(shop: Database, tmp_path: Path, option: str) -> None:
    """A file that is not there is a setting that is wrong."""
    config = None if option == "--config" else shop.config

    ended = execute(tmp_path, config, option, str(tmp_path / "missing.json"))

    assert_one_line(ended, 2, ("missing.json", "No such file or directory"))


def test_a_missing_grant_fails_that_stream_only(shop: Database, tmp_path: Path) -> None:
    """The others are complete, the exit code says so, and the line says the GRANT."""
    config = config_of(shop, Case({}, 0, ()))

    ended = execute(tmp_path, config)

    assert ended.code == 3
    assert 'GRANT USAGE ON SCHEMA "public" TO "guarded"; GRANT SELECT ON "public"."a" TO "guarded"' in ended.errors[0]
    assert "permission denied for table a (stream=public-a)" in ended.errors[0]
    assert "1 of 2 streams failed: public-a" in ended.errors[1]
    assert len(ended.errors) == 2
    assert SECRET not in ended.stderr
    assert [m["stream"] for m in ended.messages if m["type"] == "RECORD"] == ["public-b"]


def test_a_dropped_table_fails_that_stream_only(shop: Database, tmp_path: Path) -> None:
    """A table that went between discovery and sync is named; the others are complete."""
    shop.psql("CREATE TABLE gone (id int)")
    catalog = discovered(shop)
    shop.psql("DROP TABLE gone")

    ended = execute(tmp_path, shop.config, catalog=catalog)

    assert ended.code == 3
    assert "the source has no such stream (stream=public-gone)" in ended.errors[0]
    assert {m["stream"] for m in ended.messages if m["type"] == "RECORD"} == {"public-a", "public-b"}


@pytest.mark.parametrize(
    ("words", "state", "said"),
    [
        pytest.param({"replication_key": "nope"}, None, "no replication key nope", id="no such replication key"),
        pytest.param(
            {"replication_key": "at"},
            {"bookmarks": {"public-a": {"replication_key": "at", "replication_key_value": 7}}},
            "the bookmark 7 is not a value of replication key at",
            id="a bookmark of another type",
        ),
    ],
)
def test_a_wrong_catalog_or_state_is_a_setting(
    shop: Database, tmp_path: Path, words: dict[str, str], state: Any, said: str
) -> None:
    """With only that stream to sync the exit code is that of settings, and no newer STATE is written."""
    config = shop.config | {"tables": ["a"]}
    catalog = edited(discovered(shop, tables=["a"]), "public-a", **words)
    files = {"catalog": catalog} | ({"state": state} if state else {})

    ended = execute(tmp_path, config, **files)

    assert_one_line(ended, 2, (said, "stream=public-a"))
    assert [m["value"] for m in ended.messages if m["type"] == "STATE"] == ([state] if state else [])


def test_a_slow_query_ends_at_its_timeout(shop: Database, tmp_path: Path) -> None:
    """`statement_timeout_s` is enforced by the server, and said."""
    shop.psql("CREATE VIEW slow AS SELECT pg_sleep(60)::text AS v")

    ended = execute(tmp_path, shop.config | {"tables": ["slow"], "statement_timeout_s": 1})

    shop.psql("DROP VIEW slow")
    assert_one_line(ended, 6, ("canceling statement due to statement timeout", "stream=public-slow"))
