"""Makes a new tap of tap-example: `make new-tap NAME=acme`.

Takes a name; gives `taps/tap-<name>`, its tests, its block in meltano.yml and its place in the type check. Refuses a
name that is taken or that cannot be a package.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.meltano_settings import renewed

ROOT = Path(__file__).resolve().parent.parent
_TEXTS = (".py", ".toml", ".json", ".md")


def new_tap(name: str, root: Path = ROOT) -> list[Path]:
    """Copy the example under another name and return what was made; SystemExit says why that cannot be."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise SystemExit(f"{name!r} is no name for a tap: small letters, digits and hyphens, like acme or acme-eu")
    tap, tests = root / f"taps/tap-{name}", root / f"tests/tap_{name.replace('-', '_')}"
    for place in (tap, tests):
        if place.exists():
            raise SystemExit(f"{place.relative_to(root)} exists already")
    _copy(root / "taps/tap-example", tap, name)
    _copy(root / "tests/tap_example", tests, name)
    _add_to_type_check(root / "pyproject.toml", name)
    _add_to_meltano(root / "meltano.yml", tap, name)
    return [tap, tests]


def renamed(text: str, name: str) -> str:
    """Return a text of the example with the new tap's names in it."""
    title = "".join(part.capitalize() for part in name.split("-"))
    pairs = {"tap-example": f"tap-{name}", "tap_example": f"tap_{name.replace('-', '_')}", "TapExample": f"Tap{title}"}
    pairs |= {"for Example": f"for {title}", "api.example.com": f"api.{name}.example.com"}
    for old, new in pairs.items():
        text = text.replace(old, new)
    return text


def _copy(source: Path, target: Path, name: str) -> None:
    for file in sorted(source.rglob("*")):
        if file.is_dir() or "__pycache__" in file.parts or ".egg-info" in str(file):
            continue
        place = target / renamed(str(file.relative_to(source)), name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in _TEXTS:
            place.write_text(renamed(file.read_text(encoding="utf-8"), name), encoding="utf-8")
        else:
            shutil.copy(file, place)


def _add_to_type_check(project: Path, name: str) -> None:
    """mypy must know where the package begins: `taps/tap-x/src` is no package itself."""
    text = project.read_text(encoding="utf-8")
    more = f'mypy_path = ["taps/tap-{name}/src", '
    project.write_text(text.replace("mypy_path = [", more, 1), encoding="utf-8")


def _add_to_meltano(project: Path, tap: Path, name: str) -> None:
    text = project.read_text(encoding="utf-8")
    title = name.replace("-", " ").capitalize()
    block = f"  - name: tap-{name}\n    namespace: tap_{name.replace('-', '_')}\n    label: {title}\n"
    block += f"    pip_url: -e ./singerkit[rest] -e ./taps/tap-{name}\n    executable: tap-{name}\n"
    place = text.index("\n  loaders:\n") + 1  # behind the last extractor
    text = text[:place] + block + text[place:]
    project.write_text(renewed(text, {f"tap-{name}": _about(tap, name)}), encoding="utf-8")


def _about(tap: Path, name: str) -> dict[str, Any]:
    """Return what the new tap says of itself, although nobody has installed it yet."""
    module = f"tap_{name.replace('-', '_')}.__main__"
    paths = os.pathsep.join([str(tap / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", module, "--about", "--format=json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": paths})
    about: dict[str, Any] = json.loads(said.stdout)
    return about


def main() -> None:
    """Make the tap that the command line names, and say what is next."""
    if len(sys.argv) != 2:
        raise SystemExit("say a name: make new-tap NAME=acme")
    for place in new_tap(sys.argv[1]):
        print(f"made {place.relative_to(ROOT)}")
    print("next: write its rows in src/*/settings.py and its schemas, then `make check`")


if __name__ == "__main__":
    main()
