"""`make demo`: a shop's PostgreSQL into Delta tables, then only what changed; prints what a person wants to see.

Takes a folder, or build/demo; gives tables under its warehouse. Refuses to leave a server behind, however it ends.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo.embedded import Server, StartError, start
from demo.project import FailedError, Project, meltano
from demo.summary import summary
from tools.setup import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = ROOT / "build/demo"
SNIPPET = """\
from deltalake import DeltaTable, QueryBuilder
orders = DeltaTable("{warehouse}/public-orders")
sql = "SELECT status, count(*) AS orders, sum(total) AS total FROM orders GROUP BY status ORDER BY status"
for row in QueryBuilder().register("orders", orders).execute(sql).read_all().to_struct_array().to_pylist():
    print(row)"""


def main(arguments: Sequence[str]) -> int:
    """Go through the demo and return its exit code."""
    folder = Path(arguments[0]).resolve() if arguments else FOLDER
    signal.signal(signal.SIGTERM, lambda signum, _: sys.exit(128 + signum))  # unwinds, and so stops the server
    try:
        with tempfile.TemporaryDirectory(prefix="demo-") as temporary:
            _demo(folder, Path(temporary))
    except (FailedError, StartError) as error:
        print(f"\nthe demo stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the server is stopped as well", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _demo(folder: Path, temporary: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _step("install tap-postgres and target-delta with Meltano"):
        meltano(folder, "install", "tap-postgres", "target-delta")
    with start(temporary / "server") as server:
        project = Project(folder, server)
        with _step("fill a shop: nine tables, 203,160 rows"):
            server.psql(_script("shop"))
        with _step("meltano run tap-postgres target-delta"):
            first = project.run()
        with _step("change rows in the shop"):
            server.psql(_script("changes"))
        with _step("meltano run tap-postgres target-delta, again"):
            second = project.run()
        print(f"\n{summary(first, second)}\n")
        _compare(server, project)
    _show_query(project)


def _compare(server: Server, project: Project) -> None:
    """Count the rows of every table on both sides, and fail the demo where they differ."""
    from deltalake import DeltaTable

    tables = server.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
    source = {table: int(server.psql(f"SELECT count(*) FROM {table}")) for table in tables}
    delta = {table: DeltaTable(project.warehouse / f"public-{table}").count() for table in tables}
    if source != delta:
        raise FailedError(f"the counts differ: PostgreSQL {source}, Delta {delta}")
    print(f"PostgreSQL and Delta hold the same {sum(source.values()):,} rows in {len(tables)} tables.")


def _show_query(project: Project) -> None:
    warehouse = project.warehouse.relative_to(ROOT) if project.warehouse.is_relative_to(ROOT) else project.warehouse
    snippet = SNIPPET.replace("{warehouse}", str(warehouse))
    print(f"The Delta tables are in {warehouse}. Query one with .venv/bin/python:\n")
    print("".join(f"    {line}\n" for line in snippet.splitlines()))
    answer = subprocess.run([sys.executable, "-c", snippet], cwd=ROOT, capture_output=True, text=True, check=True)
    print("which says\n")
    print("".join(f"    {line}\n" for line in answer.stdout.splitlines()), end="")


@contextlib.contextmanager
def _step(words: str) -> Iterator[None]:
    """Say what is being done, and how long it took once it is done."""
    print(f"  {words} ... ", end="", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.1f} s", flush=True)


def _script(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
