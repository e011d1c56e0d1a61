"""The real Meltano with our meltano.yml: every command that a person or a scheduler gives it."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.meltano import MELTANO, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.pipelines import Project

pytestmark = pytest.mark.slow

INCREMENTAL = {
    "public-*": {"replication-method": "INCREMENTAL", "replication-key": "updated_at"},
}


def test_plugins_stand_in_their_own_environments_held_to_the_lock(installed: Path, root: Path) -> None:
    """What Meltano installs has the versions of the lock, and is byte-compiled."""
    pinned = set((root / "constraints.txt").read_text().splitlines())

    for plugin in ("extractors/tap-postgres", "loaders/target-delta"):
        python = installed / ".meltano" / plugin / "venv/bin/python"
        command = [
            str(python),
            "-c",
            "from importlib.metadata import distributions as d; [print(x.name, x.version) for x in d()]",
        ]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
        own = {"singerkit", "tap-postgres", "target-delta"}
        held = {
            f"{name.lower().replace('_', '-')}=={version}" for name, version in map(str.split, found) if name not in own
        }
        loose = {pin for pin in held if not any(line.startswith(pin) for line in pinned)}

        assert loose == set()
        assert list(python.parent.parent.glob("lib/*/site-packages/singer_sdk/__pycache__/*.pyc"))


def test_tap_connects(project: Project) -> None:
    """`meltano config test` says that the settings are good."""
    project.meltano("config", "test", "tap-postgres")


def test_wrong_settings_do_not_connect(project: Project) -> None:
    """`meltano config test` fails where the database is not there."""
    project.meltano("config", "test", "tap-postgres", code=1, TAP_POSTGRES_DATABASE="nowhere")


def test_discovery_names_every_table(project: Project) -> None:
    """`meltano invoke tap-postgres --discover` prints the catalog."""
    catalog = json.loads(project.meltano("invoke", "tap-postgres", "--discover"))

    assert [stream["tap_stream_id"] for stream in catalog["streams"]] == ["public-customers", "public-orders"]


def test_a_password_is_never_printed(project: Project) -> None:
    """Meltano knows which settings are secret, and hides them."""
    project.meltano("config", "set", "tap-postgres", "password", "s3cret-word")

    assert "s3cret-word" not in project.meltano("config", "print", "tap-postgres")
    assert "s3cret-word" not in (project.folder / "meltano.yml").read_text()


def test_selection_is_honoured(project: Project) -> None:
    """Only what is selected arrives, and keys always do."""
    project.meltano("select", "tap-postgres", "--rm", "*", "*")
    project.meltano("select", "tap-postgres", "public-orders", "total")

    assert "public-orders" in project.meltano("select", "tap-postgres", "--list")
    project.meltano("run", "tap-postgres", "target-delta")

    assert [path.name for path in (project.folder / "warehouse/tap-postgres").iterdir()] == ["public-orders"]
    assert set(project.rows("public-orders")[0]) == {"id", "line", "total"}


def test_second_run_reads_from_the_bookmark_on(project: Project, shop: str) -> None:
    """A run leaves its bookmark with Meltano; the next one reads what changed, and adds or updates it."""
    project.settings["TAP_POSTGRES__METADATA"] = json.dumps(INCREMENTAL)
    project.meltano("run", "tap-postgres", "target-delta")
    first = project.state("dev:tap-postgres-to-target-delta")["public-orders"]["replication_key_value"]

    project.server.psql(
        "UPDATE orders SET total = -1, updated_at = '2027-01-01' WHERE id = 7 AND line = 1;"
        "INSERT INTO orders VALUES (-1, 0, 5, 0.5, '{}', true, '2027-01-02')",
        shop,
    )
    report = project.folder / "report.json"
    project.meltano("run", "tap-postgres", "target-delta", TARGET_DELTA_REPORT_FILE=str(report))

    assert first < project.state("dev:tap-postgres-to-target-delta")["public-orders"]["replication_key_value"]
    rows = project.rows("public-orders")
    assert len(rows) == 2001
    assert [str(row["total"]) for row in rows if (row["id"], row["line"]) in {(7, 1), (-1, 0)}] == ["-1.00", "5.00"]
    # the row of the bookmark is read again by rule: another one might share its value
    assert json.loads(report.read_text())["streams"]["public-orders"]["rows"] == 3


def test_full_run_replaces_what_is_gone(project: Project, shop: str) -> None:
    """Without a replication key each run is a full load, and a row deleted at the source is gone."""
    project.meltano("run", "tap-postgres", "target-delta")
    project.server.psql("DELETE FROM orders WHERE id > 500", shop)

    project.meltano("run", "tap-postgres", "target-delta")

    assert len(project.rows("public-orders")) == int(project.server.psql("SELECT count(*) FROM orders", shop))


def test_records_arrive_as_batches_do(project: Project) -> None:
    """Lines and files carry the same values."""
    project.meltano("run", "tap-postgres", "target-delta")
    batches = {table: project.rows(table) for table in ("public-customers", "public-orders")}

    again = str(project.folder / "records")
    project.meltano("run", "tap-postgres", "target-delta", TAP_POSTGRES_OUTPUT="records", TARGET_DELTA_PATH=again)

    assert {table: project.rows(f"../../records/{table}") for table in batches} == batches


def test_batch_files_are_gone_after_the_commit(project: Project) -> None:
    """The loader deletes what the tap wrote for it, in the tap's own folder."""
    project.meltano("run", "tap-postgres", "target-delta")

    folder = project.folder / ".meltano/batches/tap-postgres"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_schedules_run_their_jobs(project: Project) -> None:
    """`meltano schedule run` is what cron and systemd call."""
    listed = json.loads(project.meltano("schedule", "list", "--format=json"))["schedules"]["job"]
    assert {job["name"]: job["cron_interval"] for job in listed} == {
        "daily": "0 0 * * *",
        "nightly-shop": "0 2 * * *",
        "nightly-support": "0 2 * * *",
    }

    project.meltano("--environment=dev", "schedule", "run", "daily")

    assert len(project.rows("public-orders")) == 2000
    assert "dev:tap-postgres-to-target-delta" in project.meltano("state", "list")


def test_two_databases_at_the_same_time(project: Project, shop: str) -> None:
    """Inherited plugins run at once and share nothing: not settings, not STATE, not batches, not tables."""
    project.server.psql(f"CREATE DATABASE {shop}_support TEMPLATE template_shop")
    project.server.psql("DELETE FROM orders WHERE id > 10", f"{shop}_support")
    project.settings["TAP_POSTGRES__METADATA"] = json.dumps(INCREMENTAL)
    project.settings["TAP_POSTGRES__SUPPORT_DATABASE"] = f"{shop}_support"

    project.meltano("state", "list")  # makes Meltano's database: two first runs at once would both do that

    runs = [
        subprocess.Popen(
            [MELTANO, "run", f"tap-postgres--{name}", "target-delta"],
            cwd=project.folder,
            env=environment(project.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("shop", "support")
    ]
    said = [run.communicate(timeout=120)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0], "\n".join(said)
    assert len(project.rows("public-orders", source="tap-postgres--shop")) == 2000
    assert len(project.rows("public-orders", source="tap-postgres--support")) == 20
    states = [project.state(f"dev:tap-postgres--{name}-to-target-delta") for name in ("shop", "support")]
    values = [state["public-orders"]["replication_key_value"] for state in states]
    assert values[0] > values[1]


def test_nobody_else_is_asked(project: Project) -> None:
    """No hub, no telemetry, no look for a newer version: what wants to leave the machine would meet this proxy."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        proxies = {
            name: address for word in ("http", "https", "all") for name in (f"{word}_proxy", f"{word.upper()}_PROXY")
        }

        project.settings.update(proxies, no_proxy="", NO_PROXY="")
        project.meltano("run", "tap-postgres", "target-delta")

        proxy.setblocking(False)  # a caller would be waiting in the queue
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_prod_has_its_own_state_and_tables(project: Project) -> None:
    """An environment is a place of its own: other tables, another STATE."""
    elsewhere = project.folder / "prod"
    project.meltano("--environment=prod", "run", "tap-postgres", "target-delta", TARGET_DELTA_PATH=str(elsewhere))

    assert (elsewhere / "public-orders").is_dir()
    assert project.meltano("state", "list").split() == ["prod:tap-postgres-to-target-delta"]


def test_failed_run_is_told_and_its_state_is_not_newer(project: Project, shop: str) -> None:
    """A run that cannot read a table fails, says so in the tap's own words, and the other table is complete."""
    project.server.psql("CREATE ROLE limited LOGIN", "postgres") if not project.server.psql(
        "SELECT 1 FROM pg_roles WHERE rolname = 'limited'"
    ) else None
    project.server.psql("GRANT SELECT ON customers TO limited", shop)

    project.meltano("run", "tap-postgres", "target-delta", code=1, TAP_POSTGRES_USER="limited")

    assert len(project.rows("public-customers")) == 500


def test_commands_of_the_tutorial_work(project: Project, root: Path) -> None:
    """Each `meltano` line of the tutorial is run, in its order."""
    tutorial = (root / "docs/tutorial/first-pipeline.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", tutorial, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("meltano ")]
    assert len(lines) == 9

    for line in lines:
        project.meltano(*shlex.split(line)[1:])

    assert (project.folder / "warehouse/tap-postgres/public-customers").is_dir()


def test_pip_agrees_with_the_constraints(root: Path, tmp_path: Path) -> None:
    """Meltano's other back end, pip, finds every version that constraints.txt names."""
    subprocess.run([MELTANO.with_name("python"), "-m", "venv", tmp_path / "venv"], check=True)
    words = ["-m", "pip", "install", "--quiet", "--dry-run", "--disable-pip-version-check"]
    editables = ["-e", "./singerkit[arrow]", "-e", "./taps/tap-postgres"]

    done = subprocess.run(
        [tmp_path / "venv/bin/python", *words, *editables],
        cwd=root,
        env=environment({"PIP_CONSTRAINT": "constraints.txt"}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
