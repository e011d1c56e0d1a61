"""`tap-postgres cdc ...` as a person at a terminal meets it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tap_postgres.cdc.facts import Attribute, CapturedTable, Facts, Published, Slot
from tap_postgres.cdc.requirements import Asked, requirements
from tests.postgres_server import Database, database, server
from tests.tap_postgres.running import Ended, execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["database", "server"]

TABLE = CapturedTable(
    1,
    "public",
    "t",
    "r",
    "p",
    "d",
    1,
    ("id",),
    (("id",),),
    (),
    (Attribute(1, "id", 23, -1, 0, "integer", False, True),),
)
FACTS = Facts(
    version=180000, wal_level="logical", role="me", database="shop", superuser=False, may_replicate=True,
    may_create=True, is_replica=False, slots=10, slots_used=1, senders=10, max_kept="-1", tip=100, money_digits=2,
    slot=Slot("s", "pgoutput", "shop", None, 50, False, "", 1 << 20), publication={"pubname": "p"},
    published={("public", "t"): Published(None, None)}, memberships={},
)  # fmt: skip
ASKED = Asked("s", "p", [(TABLE, ["id"])], {})
SLOT = FACTS.slot
assert SLOT is not None

MISSING = [
    pytest.param({}, {}, [], id="nothing"),
    pytest.param({"wal_level": "replica"}, {}, ["✗ wal_level is logical: it is replica"], id="wal_level"),
    pytest.param({"may_replicate": False}, {}, ["✗ role me has REPLICATION"], id="role"),
    pytest.param({"slot": None}, {}, ["- slot s exists: the first run makes it"], id="slot"),
    pytest.param(
        {"slot": None, "slots_used": 10}, {}, ["✗ a replication slot is free: all 10", "- slot s"], id="no slot free"
    ),
    pytest.param(
        {"slot": replace(SLOT, plugin="wal2json")}, {}, ["✗ slot s is a slot of this database"], id="plugin"
    ),
    pytest.param(
        {"slot": replace(SLOT, is_lost=True, why_lost="gone")}, {}, ["! slot s has its log: gone"], id="lost slot"
    ),
    pytest.param({"slot": replace(SLOT, kept_bytes=2 << 30)}, {}, ["! slot s keeps 2,048 MB of log"], id="log kept"),
    pytest.param({"publication": None}, {}, ["✗ publication p exists"], id="publication"),
    pytest.param({"published": {}}, {}, ["✗ public.t is in publication p: its changes would not come"], id="outside"),
    pytest.param({}, {"identity_columns": ()}, ["✗ public.t has a replica identity"], id="identity"),
    pytest.param(
        {}, {"identity": "i", "identity_columns": ("other",)}, ["✗ public.t: the replica identity holds the key (id)"],
        id="another identity",
    ),
    pytest.param({}, {"identity": "f", "identity_columns": ()}, [], id="full identity"),
    pytest.param({}, {"persistence": "u"}, ["✗ public.t is a table whose changes are logged"], id="unlogged"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "table", "lines"), MISSING)
def test_each_requirement_that_is_not_met_is_said(
    facts: dict[str, object], table: dict[str, object], lines: list[str]
) -> None:
    """A requirement has a tick, or says why not and which SQL mends it."""
    asked = replace(ASKED, tables=[(replace(TABLE, **table), ["id"])])  # type: ignore[arg-type]

    found = [r for r in requirements(replace(FACTS, **facts), asked) if not r.met]  # type: ignore[arg-type]

    assert len(found) == len(lines)
    assert all(r.line().startswith(line) for r, line in zip(found, lines, strict=True))


@pytest.fixture
def shop(database: Database) -> Iterator[Database]:
    """A database whose tap may replicate, but owns nothing."""
    database.psql(
        """
        DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; DROP PUBLICATION IF EXISTS tap_postgres;
        CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
        """
    )
    yield database
    database.drop_slots()


def cdc(database: Database, folder: Path, *words: str, **settings: object) -> Ended:
    config = database.config | {"default_replication_method": "LOG_BASED", **settings}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return execute(folder, None, "--config", str(path), "cdc", *words)


@pytest.mark.slow
def test_from_setup_to_teardown(shop: Database, tmp_path: Path) -> None:
    """check says what is missing, setup makes it, status shows it, confirm moves it, teardown takes it away."""
    missing = cdc(shop, tmp_path, "check")
    dry = cdc(shop, tmp_path, "setup", "--dry-run")
    after_dry = shop.psql("SELECT count(*) FROM pg_publication")
    made = cdc(shop, tmp_path, "setup")
    met = cdc(shop, tmp_path, "check")
    run = execute(tmp_path, shop.config | {"default_replication_method": "LOG_BASED"})
    state = run.messages[-1]["value"]
    (tmp_path / "confirmed.json").write_text(json.dumps(state))
    told = cdc(shop, tmp_path, "confirm", "--state", str(tmp_path / "confirmed.json"))
    status = json.loads(cdc(shop, tmp_path, "status").stdout)
    gone = cdc(shop, tmp_path, "teardown", "--publication", "--yes")

    create = 'CREATE PUBLICATION "tap_postgres" FOR TABLE "public"."t"'
    assert (missing.code, create in missing.stdout) == (2, True)
    assert create in dry.stdout
    assert "CREATE USER" in dry.stdout
    assert after_dry == "0"
    assert (made.code, made.stdout.count("done"), "made slot" in made.stdout) == (0, 1, True), made.stderr
    assert (met.code, "✗" in met.stdout) == (0, False)
    assert run.code == 0, run.stderr
    assert told.code == 0, told.stderr
    assert status["slot"]["confirmed"] == told.stdout.split()[-1]
    assert status["publication"]["tables"] == ["public.t"]
    assert gone.stdout.splitlines() == ["dropped slot tap_postgres", "dropped publication tap_postgres"]
    assert shop.psql("SELECT count(*) FROM pg_replication_slots") == "0"


@pytest.mark.slow
def test_what_an_administrator_has_to_do_is_printed(shop: Database, tmp_path: Path) -> None:
    """A role that may do nothing is told the SQL of each step, and who must run it; nothing is half made."""
    shop.psql(
        "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN;"
        "GRANT USAGE ON SCHEMA public TO plain; GRANT SELECT ON t TO plain"
    )
    url = shop.dsn.replace("postgres@", "plain@")

    made = cdc(shop, tmp_path, "setup", connection_url=url)

    assert made.code == 2, made.stderr
    assert 'ALTER ROLE "plain" REPLICATION;' in made.stdout
    assert "CREATE PUBLICATION" in made.stdout
    assert "not done: permission denied" in made.stdout
    assert shop.psql("SELECT count(*) FROM pg_replication_slots") == "0"
    shop.psql("DROP OWNED BY plain; DROP ROLE plain")
