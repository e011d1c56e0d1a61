"""`make demo`: what it prints, and that nothing is left of it however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.embedded import start
from demo.project import Run
from demo.summary import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENTS = ("fill a shop", "meltano run tap-postgres target-delta ...", "again ...")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A place for temporary folders; a server that runs as another user may pass through it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def family_of(temporary: Path) -> list[psutil.Process]:
    """Return the processes that a demo has left: all it starts inherit its place for temporary folders."""
    family = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(temporary):
                family.append(process)
    return family


def test_summary_shows_both_runs() -> None:
    """A line a table, both runs beside each other, then totals, seconds and rows a second."""
    first = Run(4.0, {"orders": {"rows": 1000, "inserted": 1000, "updated": 0}, "tags": {"rows": 20, "inserted": 20}})
    second = Run(2.0, {"orders": {"rows": 31, "inserted": 10, "updated": 21}})

    assert summary(first, second).splitlines() == [
        "                              first run  │                second run",
        "table           read  inserted  updated  │  read  inserted  updated",
        "────────────────────────────────────────────────────────────────────",
        "orders         1,000     1,000        0  │    31        10       21",
        "tags              20        20        0  │     0         0        0",
        "────────────────────────────────────────────────────────────────────",
        "all            1,020     1,020        0  │    31        10       21",
        "seconds          4.0                     │   2.0",
        "rows a second    255                     │    16",
    ]


@pytest.mark.slow
def test_the_shop_is_the_same_each_time(root: Path, tmp_path: Path) -> None:
    """Nine tables, 203,160 rows, and not one of them by chance."""
    script = (root / "demo/shop.sql").read_text(encoding="utf-8")
    digest = "SELECT count(*) || ' ' || md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
    said: list[dict[str, str]] = []

    for name in ("once", "again"):
        with start(tmp_path / name) as server:
            server.psql(script)
            tables = server.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split()
            said.append({table: server.psql(digest.format(table)) for table in tables})

    assert said[0] == said[1]
    assert len(said[0]) == 9
    assert sum(int(text.split()[0]) for text in said[0].values()) == 203_160


@pytest.mark.slow
def test_demo_ends_well_twice_in_a_row(root: Path, tmp_path: Path) -> None:
    """The second demo starts from nothing again, and says the same."""
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "demo", tmp_path / "demo"], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said.append([line for line in done.stdout.splitlines() if "│" in line and "second" not in line])

    assert said[0] == said[1]
    assert re.search(r"^all +203,160 +203,160 +0 +│ +1,846 +1,060 +786$", "\n".join(said[0]), re.MULTILINE)
    assert "PostgreSQL and Delta hold the same 204,060 rows in 9 tables." in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_leaves_nothing_behind(moment: str, root: Path, tmp_path: Path, temporary: Path) -> None:
    """Whenever it comes, Ctrl-C ends the demo within seconds: no server, no plugin, no temporary folder."""
    command = [sys.executable, "-u", "-m", "demo", str(tmp_path / "demo")]
    environ = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command,
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        seen = ""
        while moment not in seen:
            letter = demo.stdout.read(1)
            assert letter, seen
            seen += letter

        os.killpg(demo.pid, signal.SIGINT)
        last_words = demo.stdout.read()

    assert demo.returncode == 130, last_words
    assert psutil.wait_procs(family_of(temporary), timeout=5)[1] == []
    assert list(temporary.iterdir()) == []
