"""A real server with a small shop, and a project of one's own with the real Meltano in it."""

from __future__ import annotations

import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from demo.embedded import Server, start
from tests.e2e.pipelines import Project, lay_out, tap_settings
from tools.meltano import MELTANO, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOP = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE customers (
    id uuid PRIMARY KEY, name text NOT NULL, mood mood, born date, address jsonb, updated_at timestamptz NOT NULL
);
INSERT INTO customers SELECT md5(n::text)::uuid, 'Nº ' || n, (ARRAY['sad', 'happy', NULL])[1 + n % 3]::mood,
    CASE WHEN n % 2 = 0 THEN date '1970-01-01' + n END, CASE WHEN n % 3 > 0 THEN jsonb_build_object('n', n) END,
    timestamptz '2026-01-01' + n * interval '1 second' FROM generate_series(1, 500) n;
CREATE TABLE orders (
    id bigint, line smallint, total numeric(12, 2), weight double precision, tags text[], paid boolean,
    updated_at timestamptz NOT NULL, PRIMARY KEY (id, line)
);
INSERT INTO orders SELECT n / 2, n % 2, n * 1.01, n / 8.0, CASE WHEN n % 5 > 0 THEN ARRAY['a', NULL, 'ö"' || n] END,
    n % 2 = 0, timestamptz '2026-01-01 12:34:56.123456' + n * interval '1 minute' FROM generate_series(2, 2001) n;
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL; each test makes a database of its own in it."""
    with start(tmp_path_factory.mktemp("server") / "pg") as running:
        running.psql("CREATE DATABASE template_shop")
        running.psql(SHOP, "template_shop")
        yield running


@pytest.fixture
def shop(server: Server, request: pytest.FixtureRequest) -> str:
    """The name of a new database with a small shop: 500 customers and 2,000 lines of orders."""
    name = f"shop_{zlib.crc32(request.node.nodeid.encode())}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE template_shop")
    return name


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose plugins Meltano has installed itself."""
    folder = tmp_path_factory.mktemp("meltano") / "installed"
    lay_out(folder)
    subprocess.run([MELTANO, "install"], cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


@pytest.fixture
def project(tmp_path: Path, installed: Path, server: Server, shop: str) -> Project:
    """A project of the test's own, whose plugins are installed already and whose tap reads the test's shop."""
    folder = tmp_path / "project"
    lay_out(folder)
    for kind in ("extractors", "loaders"):
        (folder / ".meltano").mkdir(exist_ok=True)
        (folder / ".meltano" / kind).symlink_to(installed / ".meltano" / kind)
    return Project(folder, server, tap_settings(server, shop))
