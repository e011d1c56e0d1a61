"""GitHub's webhooks: deliveries become rows of the same streams, in the order of versions, and are gone in time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.testing.fake_api import Asked, Reply
from singerkit.webhooks.spool import Spool
from tap_github.rows import ENDPOINTS
from tap_github.tap import TapGithub
from tap_github.webhooks import HOOKS, Registrar
from tests.tap_github.account import moment
from tests.tap_github.conftest import reading

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tap_github.account import Account, Repository
    from tests.tap_github.conftest import Tries

SECRET = "canary-of-the-hook"
TAP = TapGithub(config={}, validate_config=False)
ADDRESS = "https://hooks.example.com/github"


@pytest.mark.parametrize("event", HOOKS.events, ids=lambda event: f"{event.name}-{event.stream}")
def test_every_event_is_of_a_stream(event: Any) -> None:
    """Its row is read by a bookmark and has versions, so that an older delivery changes nothing; its keys are there."""
    row = next(row for row in ENDPOINTS if row.name == event.stream)

    assert row.bookmarks
    assert row.version_keys or row.bookmarks[0].of_parent
    columns = {column for parent in row.parents for column in parent.columns}
    assert {*row.keys} & columns <= {*event.columns}
    said = TAP.streams[event.stream].schema["properties"]
    assert all("null" in said[column]["type"] for column in columns - {*event.columns})


def delivery(one: Repository, **body: Any) -> dict[str, Any]:
    """Return what GitHub sends: the records of the event beside the repository."""
    return {**body, "repository": one.row, "sender": {"login": "ada", "id": 1}}


@pytest.mark.slow  # runs of the tap
def test_deliveries_between_two_runs(account: Account, tries: Tries, tmp_path: Path) -> None:
    """What was delivered comes before what the API says; a run with the STATE that covers it forgets the files."""
    one = account.found("octo", "hello", issues=3)
    account.asked()
    spool = Spool(tmp_path).open()
    first = tries.run("issues", "issue_comments", webhook_spool=str(tmp_path))
    issue = {**one.lists["issues"].pop(0)}
    spool.put("issues", moment(900), delivery(one, action="edited", issue={**issue, "title": "delivered"}))
    spool.put("issues", moment(901), delivery(one, action="deleted", issue={**issue, "updated_at": moment(800)}))
    spool.put("pull_request", moment(902), delivery(one, pull_request={"id": 5}))

    second = tries.run("issues", "issue_comments", webhook_spool=str(tmp_path), state=first.state)
    third = tries.run("issues", "issue_comments", webhook_spool=str(tmp_path), state=second.state)

    assert (first.error, second.error, third.error) == (None, None, None)
    row = second.records("issues")[0]
    assert (row["id"], row["_sdc_deleted_at"], row["repository_id"]) == (issue["id"], moment(901), one.row["id"])
    assert [row["id"] for row in third.records("issues")] == [one.lists["issues"][-1]["id"]]
    assert spool.places() == []
    assert "_sdc_deleted_at" in first.schema("issues")["properties"]


@pytest.mark.slow  # runs of the tap
def test_a_run_whose_state_was_lost(account: Account, tries: Tries, tmp_path: Path) -> None:
    """The files stay, and come again: at least once, and by their keys as one row."""
    one = account.found("octo", "hello", issues=1)
    spool = Spool(tmp_path).open()
    spool.put("issues", moment(900), delivery(one, action="edited", issue=one.lists["issues"][0]))
    tries.run("issues", webhook_spool=str(tmp_path))

    again = tries.run("issues", webhook_spool=str(tmp_path))

    assert len(spool.places()) == 1
    assert {row["id"] for row in again.records("issues")} == {one.lists["issues"][0]["id"]}


@pytest.mark.slow  # a run of the tap
def test_deliveries_of_repositories_that_nobody_chose(account: Account, tries: Tries, tmp_path: Path) -> None:
    """The hook of an organisation sends of all its repositories; what the settings leave out is no row."""
    spool = Spool(tmp_path).open()
    for number, name in enumerate(("octo/web-shop", "octo/web-secret", "octo/other", "acme/renamed"), 900):
        one = account.found(*name.split("/"))
        issue = {"id": number, "title": name, "updated_at": moment(number)}
        spool.put("issues", moment(number), delivery(one, action="edited", issue=issue))
    chosen = ["octo/web-*", "!octo/web-secret", "acme/before"]

    done = tries.run("issues", webhook_spool=str(tmp_path), repositories=chosen, organizations=[])

    assert done.error is None
    assert [row["title"] for row in done.records("issues")] == ["octo/web-shop", "acme/renamed"]
    assert done.state["bookmarks"]["issues"]["webhooks"] == spool.places()[-1]


@pytest.mark.slow  # a process
def test_the_receiver_of_the_executable(tmp_path: Path) -> None:
    """`tap-github webhook serve` takes a signed delivery, and a signal ends it well."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"webhook_secret": SECRET}))
    command = [sys.executable, "-m", "tap_github", "webhook", "serve", "--config", str(config)]
    command += ["--spool", str(tmp_path / "spool"), "--port", "0"]
    serving = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert serving.stderr
    line = next(line for line in serving.stderr if "listening at" in line)
    body = json.dumps({"action": "opened", "issue": {"id": 1}}).encode()
    headers = {"X-GitHub-Event": "issues", "X-Hub-Signature-256": HOOKS.signature.made(SECRET, body)}
    request = urllib.request.Request(line.split()[2].rstrip(","), data=body, headers=headers)

    with urllib.request.urlopen(request, timeout=10) as answer:
        status = answer.status
    os.kill(serving.pid, signal.SIGTERM)
    said = serving.communicate(timeout=20)[1]

    assert (status, serving.returncode) == (202, 0)
    assert SECRET not in line + said
    assert len(Spool(tmp_path / "spool").places()) == 1


class Vendor:
    """The hooks of an organisation, as the vendor keeps them."""

    def __init__(self) -> None:
        self.hooks: dict[int, dict[str, Any]] = {}

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request of the hooks API."""
        number = int(asked.path.rpartition("/")[2]) if asked.path[-1].isdigit() else len(self.hooks) + 1
        match asked.method:
            case "POST" | "PATCH":
                self.hooks[number] = {**self.hooks.get(number, {}), **asked.body, "id": number}
                return Reply(self.hooks[number], 201)
            case "DELETE":
                del self.hooks[number]
                return Reply(b"", 204)
        return Reply([{**hook, "config": {**hook["config"], "secret": "********"}} for hook in self.hooks.values()])


@pytest.mark.slow  # a tap
def test_a_hook_at_the_vendor(account: Account, tries: Tries) -> None:
    """Registered once however often it is asked for, with the secret of now; its state is told; it can be removed."""
    vendor = Vendor()
    account.api.route("/orgs/octo/hooks", vendor)
    config = {**tries.config, "webhook_secret": SECRET}
    made = reading("issues")(config=config)
    registrar = Registrar(made.client, made.settings)

    lines = [*registrar.register(ADDRESS), *registrar.register(ADDRESS)]
    secrets = [hook["config"]["secret"] for hook in vendor.hooks.values()]
    vendor.hooks[1]["last_response"] = {"status": "active", "message": "OK"}
    vendor.hooks[1]["events"].remove("issues")
    lines += [*registrar.status(ADDRESS), *registrar.remove(ADDRESS), *registrar.status(ADDRESS)]

    count = len(HOOKS.names)
    assert secrets == [SECRET]
    assert lines == [
        f"orgs/octo: registered, {count} events",
        f"orgs/octo: registered again, {count} events",
        "orgs/octo: on, last answer OK, without issues",
        "orgs/octo: removed",
        "orgs/octo: not registered",
    ]
    assert TapGithub.hooks is HOOKS


@pytest.mark.slow  # a tap
def test_where_hooks_are_asked_for(account: Account, tries: Tries) -> None:
    """Repositories that are named have their own; of a person it is said that there is none for all of theirs."""
    vendor = Vendor()
    account.api.route("/repos/acme/one/hooks", vendor)
    chosen = {"organizations": [], "repositories": ["acme/one"], "users": ["ada"]}
    made = reading("issues")(config={**tries.config, **chosen, "webhook_secret": SECRET})

    lines = [*Registrar(made.client, made.settings).register(ADDRESS)]

    assert lines == [
        f"repos/acme/one: registered, {len(HOOKS.names)} events",
        "users/ada: a person has no hooks; name the repositories in `repositories`",
    ]
    assert [hook["config"]["url"] for hook in vendor.hooks.values()] == [ADDRESS]
