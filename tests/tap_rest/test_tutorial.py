"""The tutorial runs as it is written: its files, its commands, its numbers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from singerkit.testing.survey_api import serve

PAGE = Path(__file__).resolve().parents[2] / "docs/tutorial/first-rest-source.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_source_is_at_most_40_lines() -> None:
    """Two streams, one a fan-out child, in at most 40 lines and no code."""
    text = next(text for _, name, text in BLOCK.findall(PAGE.read_text()) if name == "survey.yml")

    assert len(text.splitlines()) <= 40
    assert len(yaml.safe_load(text)["endpoints"]) == 2


@pytest.mark.slow
def test_the_tutorial_runs_as_written(tmp_path: Path) -> None:
    """Every file and every command of the page, in its order, against the API that it names."""
    said = []
    with serve() as api:
        for kind, name, written in BLOCK.findall(PAGE.read_text()):
            text = written.replace("http://127.0.0.1:8765", api.url)
            if kind != "sh":
                (tmp_path / name).write_text(text)
            elif name != "serve":
                said.append(_shell(text, tmp_path))

    proposed = yaml.safe_load(said[0])["endpoints"][0]
    assert proposed["keys"] == ["id"]
    assert proposed["bookmarks"] == [{"field": "updated_at", "param": "since"}]
    assert said[2].strip() == "360"
    state = yaml.safe_load((tmp_path / "last.json").read_text())
    assert state["bookmarks"]["forms"]["replication_key_value"] == "2026-01-30T09:00:00Z"


def _shell(text: str, folder: Path) -> str:
    bin_folder = Path(sys.executable).parent
    ended = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
