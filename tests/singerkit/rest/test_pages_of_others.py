"""Page styles of other packages: an entry point is enough."""

import subprocess
import sys
from pathlib import Path

CODE = """
from singerkit.rest import manifest
row = {"name": "a", "path": "/a", "pages": {"style": "spiral", "turns": 3}}
print(manifest.read({"base_url": "http://x", "endpoints": [row]}, where="here").endpoints[0].pages)
"""
STYLE = """
from dataclasses import dataclass
from typing import ClassVar
from singerkit.rest.pages import Pages

@dataclass(frozen=True, kw_only=True)
class Spiral(Pages):
    '''Pages go round and out.'''

    style: ClassVar[str] = "spiral"
    turns: int
    '''How often.'''

    def next(self, request, answer):
        '''Return nothing: there is one page.'''
"""


def test_a_style_of_another_package_is_a_word(tmp_path: Path) -> None:
    """A package that declares `singerkit.rest.pages` adds a style to manifests, with its own words."""
    about = tmp_path / "spiral-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.3\nName: spiral\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[singerkit.rest.pages]\nspiral = spiral:Spiral\n")
    (tmp_path / "spiral.py").write_text(STYLE)

    said = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert said.stdout == "Spiral(size_param=None, size=100, max_size=None, into='query', turns=3)\n", said.stderr
