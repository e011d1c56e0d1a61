"""A whole account into Delta: three organisations, fifty repositories, changes between two runs, and a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import deltalake
import pyarrow as pa
import pytest

from singerkit.webhooks.spool import Spool
from tap_github.tap import TapGithub
from tests.tap_github.account import Account, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tap_github.account import Repository
    from tests.tap_github.conftest import Tries

pytestmark = pytest.mark.slow  # thousands of records, processes and tables

ORGANIZATIONS = ("octo", "acme", "lab")
STREAMS = {
    "repositories": "",
    "issues": "issues",
    "issue_comments": "issues/comments",
    "pull_requests": "pulls",
    "reviews": r"pulls/\d+/reviews",
    "commits": "commits",
    "labels": "labels",
    "workflow_runs": "actions/runs",
}
BY_BOOKMARK = {"issues", "issue_comments", "pull_requests", "reviews", "commits", "workflow_runs"}


def populate(account: Account) -> list[Repository]:
    """Found fifty repositories: five without a commit, one with more issues than pages of others."""
    made = []
    for number, name in enumerate(numbered(50)):
        counts = {"pulls": 6, "commits": 20, "labels": 5, "runs": 15}
        one = account.found(
            ORGANIZATIONS[number % 3], name, empty=number % 10 == 9, issues=700 if number == 7 else 30, **counts
        )
        for pull in one.lists["pulls"][:3]:
            account.review(one, pull)
            account.review(one, pull, state="COMMENTED")
        made.append(one)
    return made


def change(account: Account, made: list[Repository]) -> None:
    """Let a night pass: late changes, deletes, new records, a rename, two repositories gone and one new."""
    account.edit(made[7].lists["issues"][3], title="late", state="closed")
    account.comment(made[7], made[7].lists["issues"][5])
    account.edit(made[0].lists["issues/comments"][0], body="corrected")
    account.review(made[1], made[1].lists["pulls"][0], state="CHANGES_REQUESTED")
    account.edit(made[3].lists["actions/runs"][-1], status="completed", conclusion="success")
    del made[4].lists["labels"][2]
    for path in ("commits", "labels", "pulls", "runs"):
        account.add(made[6], path)
    account.rename(made[2], "another-name")
    account.vanish(made[10])
    account.vanish(made[11])
    fresh = account.found("lab", "fresh", issues=4, pulls=2, commits=3, labels=1)
    account.review(fresh, fresh.lists["pulls"][0])


def catalog(config: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog in which the streams of this test are selected."""
    made: dict[str, Any] = TapGithub(config=config).catalog_dict
    for entry in made["streams"]:
        root = next(one for one in entry["metadata"] if not one["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in STREAMS
    return made


class Pipe:
    """tap-github | target-delta as two processes, with the STATE that the loader let out."""

    def __init__(self, folder: Path, tries: Tries) -> None:
        self.folder, self.tries = folder, tries
        self.state: dict[str, Any] | None = None
        self.spool = Spool(folder / "spool").open()
        config = tries.config | {"organizations": list(ORGANIZATIONS), "webhook_spool": str(self.spool.folder)}
        self.file("tap.json", config)
        self.file("catalog.json", catalog(config))
        self.file("target.json", {"path": str(folder / "tables")})

    def file(self, name: str, content: Any) -> str:
        """Write a JSON file and return its path."""
        path = self.folder / name
        path.write_text(json.dumps(content, default=str))
        return str(path)

    def run(self, *, kill_after: int | None = None) -> None:
        """Run once; kill the tap after so many lines of its log, where that is asked for."""
        tap = [sys.executable, "-m", "tap_github", "--config", str(self.folder / "tap.json")]
        tap += ["--catalog", str(self.folder / "catalog.json")]
        tap += ["--state", self.file("state.json", self.state)] if self.state else []
        target = [sys.executable, "-m", "target_delta", "--config", str(self.folder / "target.json")]
        source = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        loader = subprocess.Popen(
            target, stdin=source.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert source.stdout
        assert source.stderr
        assert loader.stdout
        source.stdout.close()
        for number, _ in enumerate(source.stderr):
            if number == kill_after:
                os.kill(source.pid, signal.SIGKILL)
        said = loader.stdout.read().splitlines()
        assert (source.wait(60), loader.wait(60)) == ((-9, loader.returncode) if kill_after else (0, 0))
        source.stderr.close()
        loader.stdout.close()
        self.state = json.loads(said[-1]) if said else self.state

    def table(self, stream: str, *columns: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """Return a table's rows by repository and id."""
        key = "sha" if stream == "commits" else "id"
        names = [key] if stream == "repositories" else ["repository_id", key]
        table = deltalake.DeltaTable(self.folder / "tables" / stream)
        builder = deltalake.QueryBuilder().register("t", table)
        wanted = ", ".join(f'"{name}"' for name in [*names, *columns])
        rows = pa.table(builder.execute(f"SELECT {wanted} FROM t").read_all()).to_pylist()
        made = {tuple(row[name] for name in names): tuple(row[name] for name in columns) for row in rows}
        assert len(made) == len(rows), f"{stream}: keys repeat"
        return made


def test_an_account_in_delta(account: Account, tries: Tries, tmp_path: Path) -> None:
    """After runs that were killed, and a whole one, tables equal the account: changed, added, deleted, renamed, gone.

    What a bookmark reads keeps what was deleted, marked where a webhook told of it; what is loaded in full does not.
    """
    made = populate(account)
    pipe = Pipe(tmp_path, tries)

    pipe.run(kill_after=40)
    pipe.run()
    before = {stream: account.rows(path) for stream, path in STREAMS.items()}
    for stream in BY_BOOKMARK | {"labels"}:
        assert pipe.table(stream).keys() == before[stream].keys(), stream
    change(account, made)
    gone = made[5].lists["issues"].pop()
    body = {"action": "deleted", "issue": gone, "repository": made[5].row}
    pipe.spool.put("issues", "2026-01-01T00:00:00Z", body)
    pipe.run(kill_after=25)
    pipe.run()

    assert pipe.table("repositories").keys() == {(number,) for number in account.repositories}
    for stream, path in STREAMS.items():
        if stream != "repositories":
            now = account.rows(path)
            expected = before[stream].keys() | now.keys() if stream in BY_BOOKMARK else now.keys()
            assert pipe.table(stream).keys() == expected, stream
    issues, now = pipe.table("issues", "title", "state", "comments"), account.rows("issues")
    assert {key: issues[key] for key in now} == {
        key: (row["title"], row["state"], row["comments"]) for key, row in now.items()
    }
    marks = pipe.table("issues", "_sdc_deleted_at")
    assert {key for key, (mark,) in marks.items() if mark} == {(made[5].row["id"], gone["id"])}
    runs, now = pipe.table("workflow_runs", "status", "conclusion"), account.rows("actions/runs")
    assert {key: runs[key] for key in now} == {key: (row["status"], row["conclusion"]) for key, row in now.items()}
    bodies = pipe.table("issue_comments", "body")
    assert bodies[made[0].row["id"], made[0].lists["issues/comments"][0]["id"]] == ("corrected",)


def test_a_night_without_changes_costs_one_request_each(account: Account, tries: Tries) -> None:
    """An incremental run over unchanged repositories asks at most twice for a stream of a repository."""
    for org in ORGANIZATIONS:
        for name in numbered(4):
            one = account.found(org, name, issues=130, pulls=3, commits=20, labels=5, runs=15)
            account.review(one, one.lists["pulls"][0])
    first = tries.run(*STREAMS, organizations=[*ORGANIZATIONS])
    account.asked()

    second = tries.run(*STREAMS, organizations=[*ORGANIZATIONS], state=first.state)

    counted = account.asked()
    assert second.error is None
    assert len(first.records("issues")) == 12 * 130
    lists = {path: times for path, times in counted.items() if path.startswith("/repos/")}
    assert max(lists.values()) <= 2
    assert {times for path, times in lists.items() if not path.endswith("/pulls")} == {1}
    assert sum(lists.values()) <= 12 * (len(STREAMS) + 2)


def test_a_night_without_runs_costs_the_jobs_of_one(account: Account, tries: Tries) -> None:
    """Jobs are asked for again while they may change, and not for ever: at most twice for a repository at rest."""
    for name in numbered(3):
        account.found("octo", name, runs=12)
    first = tries.run("workflow_jobs")
    account.asked()

    second = tries.run("workflow_jobs", state=first.state)

    counted = account.asked()
    assert (first.error, second.error) == (None, None)
    assert len(first.records("workflow_jobs")) == 36
    assert sum(times for path, times in counted.items() if path.startswith("/repos/")) == 3 * 2


def test_unchanged_lists_cost_no_quota(account: Account, tries: Tries, tmp_path: Path) -> None:
    """With a cache folder, a second run over an unchanged account is answered by 304, and reads the same rows."""
    for name in numbered(5):
        account.found("octo", name, issues=20, labels=5, commits=5)
    streams = ("issues", "labels", "commits")
    first = tries.run(*streams, cache_dir=str(tmp_path))
    tries.run(*streams, cache_dir=str(tmp_path), state=first.state)
    account.asked()
    account.bodies = 0

    third = tries.run(*streams, cache_dir=str(tmp_path), state=first.state)

    assert third.error is None
    assert third.records("labels") == first.records("labels")
    assert sum(account.asked().values()) == 5 * 3 + 1
    assert account.bodies == 0
