"""Who may import whom: read from the source, whatever else the code does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tools.setup import ROOT, members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELL = ("errors", "plugins", "report", "settings", "shell", "verbs")
"""What the loader may take from singerkit: the shell, and nothing that taps are made of."""

PURE = (
    "singerkit/src/singerkit/arrow/arrays.py",
    "singerkit/src/singerkit/bookmarks.py",
    "singerkit/src/singerkit/errors.py",
    "singerkit/src/singerkit/settings/fields.py",
    "taps/tap-postgres/src/tap_postgres/types.py",
    "target-delta/src/target_delta/buffer.py",
    "target-delta/src/target_delta/ledger.py",
    "target-delta/src/target_delta/schema.py",
)
"""Rooms that are given bytes, values and the time, and touch nothing."""

IMPURE = frozenset(
    {
        *("adbc_driver_manager", "adbc_driver_postgresql", "asyncio", "deltalake", "fcntl", "http", "io", "os"),
        *("pathlib", "psycopg", "requests", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess"),
        *("tempfile", "threading", "time", "urllib"),
    }
)


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports at any depth, by its full name; imports for types only are not counted."""
    yield from _imports(ast.parse(path.read_text()), _package_of(path))


def _imports(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=rest):
            children: list[ast.AST] = list(rest)
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
            return
        case ast.ImportFrom(module=module, names=names, level=level):
            anchor = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            source = ".".join([*anchor, *filter(None, [module])])
            yield from (f"{source}.{alias.name}" for alias in names)
            return
        case _:
            children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _imports(child, package)


def _package_of(path: Path) -> str:
    parts = path.parts[path.parts.index("src") + 1 : -1]
    return ".".join(parts)


def sources(folder: Path) -> list[Path]:
    return sorted((folder / "src").rglob("*.py"))


def top(name: str) -> str:
    return name.partition(".")[0]


PACKAGES = {folder.name.replace("-", "_"): folder for folder in members()}
TAPS = {name for name, folder in PACKAGES.items() if folder.parent.name == "taps"}
FORBIDDEN = {name: set(PACKAGES) - {name, "singerkit"} for name in PACKAGES}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_do_not_know_each_other(package: str) -> None:
    """No tap imports a tap or the loader, the loader imports no tap, and singerkit imports neither."""
    crossing = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in sources(PACKAGES[package])
        for name in imports(path)
        if top(name) in FORBIDDEN[package]
    ]

    assert crossing == []


def test_loader_takes_only_the_shell_from_singerkit() -> None:
    """What taps are made of is out of the loader's reach."""
    allowed = tuple(f"singerkit.{room}" for room in SHELL)

    crossing = [
        (path.name, name)
        for path in sources(PACKAGES["target_delta"])
        for name in imports(path)
        if top(name) == "singerkit" and not f"{name}.".startswith(tuple(f"{room}." for room in allowed))
    ]

    assert crossing == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_nothing(room: str) -> None:
    """A pure room imports no file, socket, clock, process, database or table format."""
    assert sorted({top(name) for name in imports(ROOT / room)} & IMPURE) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import os.path as p, json", ["os.path", "json"]),
        ("from a.b import c, d", ["a.b.c", "a.b.d"]),
        ("def f():\n    import socket", ["socket"]),
        (
            "from . import x\nfrom .y import z\nfrom ..w import v",
            ["singerkit.rest.x", "singerkit.rest.y.z", "singerkit.w.v"],
        ),
        ("if TYPE_CHECKING:\n    import os\nelse:\n    import io", ["io"]),
    ],
)
def test_every_form_of_import_is_seen(text: str, names: list[str]) -> None:
    """Plain, renamed, nested and relative imports count; imports for type checkers do not."""
    assert list(_imports(ast.parse(text), "singerkit.rest")) == names
