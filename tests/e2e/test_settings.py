"""The real Meltano hands settings over as the plugins want them: groups, choices with settings of their own, secrets.

The plugins are those of this environment, named by the path of their executable: nothing is installed.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from singerkit.settings.meltano import groups, settings
from singerkit.settings.schema import settings_schema
from tap_github.settings import Settings as GithubSettings
from tap_postgres.settings import Settings as PostgresSettings
from target_delta.settings import Settings as DeltaSettings
from tests.postgres_server import Database, database, server
from tests.singerkit.settings.example import Settings as KindsSettings
from tests.ssh_bastion import Bastion, bastion
from tools.meltano import MELTANO, environment
from tools.meltano_settings import commands
from tools.setup import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bastion", "database", "server"]

pytestmark = pytest.mark.slow


class Project:
    """A Meltano project of one plugin, whose settings are those that its class describes."""

    def __init__(
        self,
        folder: Path,
        name: str,
        executable: Path,
        described: type,
        config: Mapping[str, Any],
        verbs: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        schema = settings_schema(described)
        plugin = {
            "name": name,
            "namespace": name.replace("-", "_"),
            "executable": str(executable),
            "commands": dict(verbs or {"check": "check --json", "told": "told"}),
            "settings": [*settings(schema)],
            "settings_group_validation": groups(schema),
            "config": dict(config),
        }
        kind = "loaders" if name.startswith("target") else "extractors"
        project = {"send_anonymous_usage_stats": False, "plugins": {kind: [plugin]}}
        (folder / "meltano.yml").write_text(yaml.safe_dump(project))

    def __call__(self, *words: str, code: int = 0, variables: Mapping[str, str] | None = None) -> str:
        """Run Meltano, expect its exit code; return what it wrote to stdout, or to stderr where it is to fail."""
        done = subprocess.run(
            [MELTANO, *words], cwd=self.folder, env=environment(variables), capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout


SCRIPT = f"""#!{sys.executable}
import sys
sys.path[:0] = ["{ROOT}", "{ROOT}/tests/singerkit/plugins"]
from singerkit.shell import main
main("kinds_tap:TapKinds")
"""
KEY = '{"id": 1, "kind": "service"}'


@pytest.fixture
def kinds(tmp_path: Path) -> Project:
    """A project whose tap has a setting of every kind."""
    executable = tmp_path / "tap-kinds"
    executable.write_text(SCRIPT)
    executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    config = {"url": "https://acme.example", "auth.method": "app", "auth.app_id": 7, "history.enabled": True}
    return Project(tmp_path, "tap-kinds", executable, KindsSettings, config)


def test_groups_and_choices(kinds: Project) -> None:
    """What has a dot in Meltano is inside of its group; of a choice only the chosen option's settings are read."""
    kinds("config", "set", "tap-kinds", "recent.enabled", "false")

    said = {"HISTORY_DAYS": "30", "SIZE": "5", "STREAMS": '["a", "b"]', "AUTH_KEY": KEY, "AUTH_TOKEN": "of another"}
    variables = {f"TAP_KINDS_{name}": text for name, text in said.items()}
    told = json.loads(kinds("invoke", "tap-kinds:told", variables=variables))

    assert (told["option"], told["auth"]) == ("App", {"app_id": 7, "key": ["id", "kind"]})
    assert told["history"] == {"days": 30, "since": None}
    assert told["recent"] is None
    assert (told["size"], told["streams"], told["port"], told["loud"]) == (5, ["a", "b"], 5432, False)


def test_another_option(kinds: Project) -> None:
    """Settings of an option that is not chosen are let be; a secret goes to `.env`, and a verb does not print it."""
    kinds("config", "set", "tap-kinds", "auth.token", "canary-of-kinds")

    off = {"TAP_KINDS_HISTORY_ENABLED": "false", "TAP_KINDS_AUTH_METHOD": "token"}
    told = json.loads(kinds("invoke", "tap-kinds", "told", variables=off))

    assert (told["option"], told["history"], told["auth"]) == ("Token", None, {"token": "***"})
    assert "canary-of-kinds" not in (kinds.folder / "meltano.yml").read_text()


def test_all_errors_at_once(kinds: Project) -> None:
    """What is written wrongly is said by the names that it has in Meltano, and the exit code is the tap's."""
    wrong = {"TAP_KINDS_AUTH_APP_ID": "0", "TAP_KINDS_PORT": "0", "TAP_KINDS_SIZE": "7"}

    said = kinds("invoke", "tap-kinds:told", code=2, variables=wrong)

    assert "auth.key: missing; port: must be at least 1; size: must be 1 or 5 or 10" in said


@pytest.fixture
def behind(tmp_path: Path, database: Database, bastion: Bastion) -> Project:
    """A project whose tap-postgres reads a database behind a bastion; part of the tunnel is yet to be said."""
    database.psql("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    bastion.rules.forward = lambda host, port: ("127.0.0.1", database.server.port)
    config = {
        "host": "db.internal.example",
        "user": "postgres",
        "database": database.name,
        "tables": ["t"],
        "ssh_tunnel.enabled": True,
        "ssh_tunnel.port": bastion.port,
        "ssh_tunnel.username": "ada",
        "ssh_tunnel.host_key": bastion.host_line,
    }
    executable = Path(sys.executable).with_name("tap-postgres")
    return Project(tmp_path, "tap-postgres", executable, PostgresSettings, config)


def test_a_tunnel(behind: Project, bastion: Bastion) -> None:
    """`ssh_tunnel.*` by `meltano config set`, by the environment and by a file reach the tap as one tunnel."""
    (behind.folder / "password").write_text("correct horse\n")
    behind("config", "set", "tap-postgres", "ssh_tunnel.require_tls", "false")
    tunnel = {
        "TAP_POSTGRES_SSH_TUNNEL_HOST": "127.0.0.1",
        "TAP_POSTGRES_SSH_TUNNEL_PASSWORD_FILE": str(behind.folder / "password"),
    }

    checked = json.loads(behind("invoke", "tap-postgres:check", variables=tunnel))
    rows = behind("invoke", "tap-postgres", variables=tunnel)

    assert {one["name"]: one["outcome"] for one in checked["connection"]}["tunnel"] == "good"
    assert [json.loads(line)["record"] for line in rows.splitlines() if '"RECORD"' in line] == [{"id": 1}]
    assert {host for host, _ in bastion.asked} == {"db.internal.example"}


def test_verbs_of_a_loader(tmp_path: Path) -> None:
    """A verb of two words is one command, with its words and its answer unchanged."""
    executable = Path(sys.executable).with_name("target-delta")
    messages = (
        {
            "type": "SCHEMA",
            "stream": "s",
            "schema": {"properties": {"id": {"type": "integer"}}},
            "key_properties": ["id"],
        },
        {"type": "RECORD", "stream": "s", "record": {"id": 1}},
        {"type": "STATE", "value": {"bookmarks": {"s": {"id": 1}}}},
    )
    (tmp_path / "messages").write_text("".join(json.dumps(message) + "\n" for message in messages))
    (tmp_path / "config.json").write_text(json.dumps({"path": str(tmp_path / "tables")}))
    with (tmp_path / "messages").open() as source:
        subprocess.run(
            [executable, "--config", tmp_path / "config.json"], stdin=source, check=True, capture_output=True
        )
    config = {"path": str(tmp_path / "tables")}
    meltano = Project(tmp_path, "target-delta", executable, DeltaSettings, config, commands("target-delta"))

    assert json.loads(meltano("invoke", "target-delta:state-export")) == {"bookmarks": {"s": {"id": 1}}}


def test_verbs_of_a_login(tmp_path: Path) -> None:
    """`auth` is a command too, and ends with its own exit code."""
    executable = Path(sys.executable).with_name("tap-github")
    meltano = Project(tmp_path, "tap-github", executable, GithubSettings, {}, commands("tap-github"))
    client = {"TAP_GITHUB_CLIENT_ID": "x", "TAP_GITHUB_CLIENT_SECRET": "canary", "XDG_STATE_HOME": str(tmp_path)}

    said = meltano("invoke", "tap-github:auth-status", code=5, variables=client)

    assert f"nobody is logged in (token_file={tmp_path}/singerkit/tap-github.tokens.json)" in said
    assert "canary" not in said
