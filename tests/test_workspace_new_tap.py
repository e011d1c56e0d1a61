"""`make new-tap NAME=acme`: a copy of a tested tap that keeps the contract at once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.new_tap import ROOT, new_tap


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("taps/tap-example", "tests/tap_example"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "meltano.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow  # a whole test run of the copy
def test_a_new_tap_keeps_the_contract_at_once(copied: Path) -> None:
    """The copy has its own names everywhere, its Meltano block, and tests that pass as they are."""
    made = new_tap("acme-eu", copied)

    texts = [
        file.read_text()
        for folder in made
        for file in folder.rglob("*")
        if file.suffix in (".py", ".toml", ".json", ".md")
    ]
    assert not [text for text in texts if "tap-example" in text or "tap_example" in text or "TapExample" in text]
    project = yaml.safe_load((copied / "meltano.yml").read_text())
    block = next(plugin for plugin in project["plugins"]["extractors"] if plugin["name"] == "tap-acme-eu")
    assert block["executable"] == "tap-acme-eu"
    assert next(row for row in block["settings"] if row["name"] == "token")["sensitive"] is True
    assert '"taps/tap-acme-eu/src"' in (copied / "pyproject.toml").read_text()
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(copied), str(made[1])],
        env=os.environ | {"PYTHONPATH": str(made[0] / "src")},
        cwd=copied,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("Acme", "'Acme' is no name for a tap"), ("", "is no name"), ("example", "taps/tap-example exists already")],
)
def test_a_name_that_cannot_be(name: str, said: str, copied: Path) -> None:
    """A taken or impossible name is refused before anything is written."""
    before = (copied / "meltano.yml").read_text()

    with pytest.raises(SystemExit, match=said):
        new_tap(name, copied)

    assert (copied / "meltano.yml").read_text() == before
