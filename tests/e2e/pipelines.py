"""Pipelines for the tests: a project with Meltano, and a tap and a target joined by a plain pipe.

Takes folders and settings; gives what came out. Refuses a run that did not end as the test says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from tools.meltano import MELTANO, environment
from tools.setup import ENVIRONMENTS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from demo.embedded import Server

COPIED = ("meltano.yml", "requirements.lock", "constraints.txt", "pyproject.toml")
LINKED = ("singerkit", "taps", "target-delta")


@dataclass(frozen=True)
class Project:
    """A folder with our meltano.yml, and settings that point its plugins at a database."""

    folder: Path
    server: Server
    settings: dict[str, str] = field(default_factory=dict)

    def meltano(self, *arguments: str, code: int = 0, **settings: str) -> str:
        """Run Meltano in this project; return what it wrote to stdout."""
        done = subprocess.run(
            [MELTANO, *arguments],
            cwd=self.folder,
            env=environment({**self.settings, **settings}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def rows(self, table: str, *, source: str = "tap-postgres") -> list[dict[str, Any]]:
        """Return the rows of a Delta table of the warehouse, in the order of their first two columns."""
        return read_rows(self.folder / "warehouse" / source / table)

    def state(self, name: str) -> dict[str, Any]:
        """Return the bookmarks that Meltano keeps under a state id."""
        said: dict[str, Any] = json.loads(self.meltano("state", "get", name))
        bookmarks: dict[str, Any] = said["singer_state"]["bookmarks"]
        return bookmarks


def lay_out(folder: Path) -> None:
    """Make a project of the repository's files; the packages themselves are the repository's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in COPIED:
        shutil.copy(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)


def tap_settings(server: Server, database: str) -> dict[str, str]:
    """Return the variables that point tap-postgres at a database."""
    return {
        "TAP_POSTGRES_HOST": server.host,
        "TAP_POSTGRES_PORT": str(server.port),
        "TAP_POSTGRES_USER": "postgres",
        "TAP_POSTGRES_DATABASE": database,
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return all rows of a Delta table, in the order of their first two columns."""
    rows: list[dict[str, Any]] = DeltaTable(path).to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: [str(value).rjust(20) for value in list(row.values())[:2]])


def executable(environment_name: str, name: str) -> str:
    """Return the path of an executable in one of the environments."""
    return str(ENVIRONMENTS[environment_name].python.with_name(name))


def pipe(tap: list[str], target: list[str], folder: Path) -> str:
    """Run a tap into a target by a pipe, both to their good end; return what the target says on stdout."""
    with (folder / "tap.log").open("wb") as log:
        source = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=log, cwd=folder)
        sink = subprocess.run(target, stdin=source.stdout, capture_output=True, text=True, cwd=folder, check=False)
        assert source.stdout is not None
        source.stdout.close()
    code = source.wait(30)
    assert (code, sink.returncode) == (0, 0), (folder / "tap.log").read_text() + sink.stderr
    return sink.stdout


def write_json(path: Path, content: object) -> str:
    """Write a JSON file and return its path as text."""
    path.write_text(json.dumps(content))
    return os.fspath(path)
