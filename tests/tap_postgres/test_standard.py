"""singer-sdk's standard suite for taps, every case on, against a real database of realistic tables.

Without a `timestamp`: it has no offset on the wire, by our decision, and the suite refuses that as no RFC 3339 where a
package that checks formats happens to be installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres_server import Database, database, server

__all__ = ["database", "server"]

SHOP = """
CREATE SCHEMA shop;
CREATE TABLE shop.customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL,
  born date NOT NULL, active boolean NOT NULL, created_at timestamptz NOT NULL DEFAULT '2024-01-01Z'
);
INSERT INTO shop.customer (email, name, born, active)
  SELECT i || '@example.org', 'Name ' || i, date '1990-01-01' + i, i % 2 = 0 FROM generate_series(1, 300) i;
CREATE TABLE shop.orders (
  customer_id bigint REFERENCES shop.customer, number int, placed timestamptz NOT NULL, total numeric(12,2) NOT NULL,
  weight double precision NOT NULL, lines jsonb NOT NULL, tags text[] NOT NULL, token uuid NOT NULL,
  PRIMARY KEY (customer_id, number)
);
INSERT INTO shop.orders SELECT i, i % 3, timestamptz '2024-01-01Z' + i * interval '1 min', i / 4.0, i / 3.0,
  jsonb_build_object('sku', i), ARRAY['a', 'b'], gen_random_uuid() FROM generate_series(1, 300) i;
CREATE VIEW shop.active_customer AS SELECT id, name FROM shop.customer WHERE active;
"""


@pytest.mark.slow
def test_the_standard_suite_passes(database: Database) -> None:
    """Every case of singer-sdk's own suite passes; none is skipped."""
    database.psql(SHOP)
    suite = Path(__file__).with_name("standard_suite.py")
    given = {"STANDARD_SUITE_DSN": database.dsn, "STANDARD_SUITE_OUTPUT": "records"}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(suite)],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d{2,} passed in", done.stdout.splitlines()[-1]), done.stdout
