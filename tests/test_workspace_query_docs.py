"""The how-to for reading tables: what it shows works on a table that the loader made."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.setup import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs/how-to/query.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
ORDERS = {
    "id": {"type": "integer"},
    "status": {"type": "string"},
    "total": {"type": "number", "x-decimal": {"precision": 12, "scale": 2}},
    "created_at": {"type": "string", "format": "date-time"},
}


def needed(snippet: str) -> set[str]:
    """Return the packages that a snippet imports, and pandas where it asks a table for it."""
    tree = ast.parse(snippet)
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names} | ({"pandas"} if ".to_pandas(" in snippet else set())


def runs_here(snippet: str) -> bool:
    return all(importlib.util.find_spec(name) for name in needed(snippet))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table of the examples, of two runs."""
    folder = tmp_path_factory.mktemp("project")
    messages = [
        {"type": "SCHEMA", "stream": "public-orders", "key_properties": ["id"], "schema": {"properties": ORDERS}},
        *({"type": "RECORD", "stream": "public-orders", "record": {
            "id": number, "status": "paid", "total": number / 4, "created_at": "2026-03-01T00:00:00Z",
        }} for number in range(200)),
        {"type": "STATE", "value": {"bookmarks": {"public-orders": 199}}},
    ]  # fmt: skip
    (folder / "config.json").write_text(json.dumps({"path": str(folder / "warehouse/tap-postgres")}))
    lines = "\n".join(map(json.dumps, messages))
    argv = [sys.executable, "-m", "target_delta", "--config", str(folder / "config.json")]
    subprocess.run(argv, input=lines, text=True, check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_snippets_run(project: Path) -> None:
    """Every Python snippet whose packages are installed runs as it is shown, and says something or makes a file."""
    shown = [snippet for snippet in SNIPPETS if runs_here(snippet)]

    ended = [subprocess.run([sys.executable, "-c", one], cwd=project, capture_output=True, text=True, check=False)
             for one in shown]  # fmt: skip

    assert [run.stderr for run in ended if run.returncode] == []
    assert len(shown) >= 4
    assert "'orders': 200" in ended[0].stdout
    assert (project / "warehouse/tap-postgres/public-orders/_symlink_format_manifest").exists()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_name_columns_of_the_table(snippet: str) -> None:
    """What cannot run here is at least Python, and names no column that the table has not."""
    ast.parse(snippet)

    named = re.findall(r"(?:columns=\[|col\(|field\()([^])]*)", snippet)
    assert {column for names in named for column in re.findall(r"\"(\w+)\"", names)} <= {*ORDERS}
