"""Plugins of others, as they are published, before and behind ours in a plain shell pipe."""

from __future__ import annotations

import csv
import json
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.pipelines import executable, pipe, read_rows, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from demo.embedded import Server

pytestmark = pytest.mark.slow


def test_our_tap_into_a_published_target(server: Server, shop: str, tmp_path: Path) -> None:
    """tap-postgres needs no setting for a target that it has never met: what psql says is in the file."""
    tap = write_json(
        tmp_path / "tap.json", {"host": server.host, "port": server.port, "user": "postgres", "database": shop}
    )
    target = write_json(tmp_path / "target.json", {"output_path": str(tmp_path / "csv")})
    (tmp_path / "csv").mkdir()

    pipe(
        [executable("workspace", "tap-postgres"), "--config", tap],
        [executable("strangers", "target-csv"), "--config", target],
        tmp_path,
    )

    with (tmp_path / "csv/public-orders.csv").open(newline="") as file:
        rows = [(row["id"], row["line"], Decimal(row["total"]), float(row["weight"])) for row in csv.DictReader(file)]
    said = server.psql("SELECT id, line, total, weight FROM orders", shop).splitlines()
    expected = [(a, b, Decimal(c), float(d)) for a, b, c, d in (line.split("|") for line in said)]
    assert sorted(rows) == sorted(expected)
    with (tmp_path / "csv/public-customers.csv").open(newline="") as file:
        customers = {row["id"]: (row["name"], row["mood"], row["born"]) for row in csv.DictReader(file)}
    said = server.psql("SELECT id, name, mood, born FROM customers", shop).splitlines()
    assert customers == {a: (b, c, d) for a, b, c, d in (line.split("|") for line in said)}


def test_published_tap_into_our_target(server: Server, shop: str, tmp_path: Path) -> None:
    """target-delta takes the lines of a tap that it has never met: what psql says is in the table."""
    tap = write_json(
        tmp_path / "tap.json",
        {
            "host": server.host,
            "port": server.port,
            "user": "postgres",
            "password": "none",
            "database": shop,
            "filter_schemas": ["public"],
            "json_as_object": True,
        },
    )
    target = write_json(tmp_path / "target.json", {"path": str(tmp_path / "warehouse")})

    catalog = write_json(tmp_path / "catalog.json", everything(executable("strangers", "tap-postgres"), tap))

    said = pipe(
        [executable("strangers", "tap-postgres"), "--config", tap, "--catalog", catalog],
        [executable("workspace", "target-delta"), "--config", target],
        tmp_path,
    )

    assert json.loads(said.splitlines()[-1])["bookmarks"].keys() == {"public-customers", "public-orders"}
    orders = {(row["id"], row["line"]): row for row in read_rows(tmp_path / "warehouse/public-orders")}
    assert len(orders) == 2000
    expected = {
        "id": 3,
        "line": 1,
        "total": Decimal("7.07"),
        "weight": 0.875,
        "tags": ["a", None, 'ö"7'],
        "paid": False,
        "updated_at": datetime(2026, 1, 1, 12, 41, 56, 123456, tzinfo=UTC),
    }
    found = orders[3, 1]
    assert {**found, "total": round(Decimal(str(found["total"])), 2)} == expected
    customers = read_rows(tmp_path / "warehouse/public-customers")
    assert {row["name"] for row in customers} == {f"Nº {n}" for n in range(1, 501)}


def everything(tap: str, config: str) -> dict[str, Any]:
    """Return the catalog of a tap with every stream selected; some taps select none by themselves."""
    said = subprocess.run([tap, "--config", config, "--discover"], capture_output=True, text=True, check=True).stdout
    catalog: dict[str, Any] = json.loads(said)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == []:
                entry["metadata"]["selected"] = True
    return catalog


def test_both_ways_of_our_own_pipe_agree_with_psql(server: Server, shop: str, tmp_path: Path) -> None:
    """tap-postgres | target-delta by a shell pipe: records and batches give the rows that psql gives."""
    tables = {}
    for output in ("records", "batch"):
        folder = tmp_path / output
        folder.mkdir()
        source = {"host": server.host, "port": server.port, "user": "postgres", "database": shop, "output": output}
        tap = write_json(folder / "tap.json", {**source, "batch_dir": str(folder / "batches")})
        target = write_json(folder / "target.json", {"path": str(folder / "warehouse")})
        pipe(
            [executable("workspace", "tap-postgres"), "--config", tap],
            [executable("workspace", "target-delta"), "--config", target],
            folder,
        )
        tables[output] = read_rows(folder / "warehouse/public-orders")

    assert tables["records"] == tables["batch"]
    said = server.psql("SELECT id, line, total, weight, paid FROM orders", shop).splitlines()
    expected = {(int(a), int(b)): (Decimal(c), float(d), e == "t") for a, b, c, d, e in (s.split("|") for s in said)}
    rows = tables["batch"]
    assert {(row["id"], row["line"]): (row["total"], row["weight"], row["paid"]) for row in rows} == expected
